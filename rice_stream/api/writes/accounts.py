"""PUT /v1/tenants/{id}, POST /v1/mappings and DELETE /v1/mappings/{id}: whose days begin when, and what names stand for."""

from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from rice_stream.api.access.actors import actor_of
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.json_bodies import Body, body_of
from rice_stream.api.problems import not_found
from rice_stream.api.product import Product
from rice_stream.api.reads.accounts import identified, mapping_of
from rice_stream.api.record_writing import MAY_NOT, ledger_of
from rice_stream.api.routing import check_every_tenant, needs
from rice_stream.api.writes.idempotency import KEY_PROBLEMS, KEYED, once
from rice_stream.errors import UsageError
from rice_stream.events.mappings import WITHIN_TENANT, MappedName, MappingKey
from rice_stream.instants import epoch_us
from rice_stream.pipeline.mapping import end_mapping, instant_us, map_name
from rice_stream.quantities import NAME_LENGTH_MAX
from rice_stream.reports.mappings import mappings
from rice_stream.reports.tenants import tenants
from rice_stream.store.audit import Actor
from rice_stream.store.calendars import set_time_zone
from rice_stream.store.engine import Engine
from rice_stream.store.scope import EVERYTHING, Scope
from rice_stream.store.scoped import within

HOLDS_FOR_ALL = "a mapping holds for every tenant"
_Editor = Annotated[Caller, Depends(needs(Right.WRITE))]


class TenantBody(Body):
    """What is known of a tenant."""

    time_zone: str = Field(max_length=100)


class MappingBody(Body):
    """What a name stands for in events from an instant on, or whom within a tenant what comes under it is charged to."""

    kind: Literal["tenant", "model", "region", "team", "project", "cost_centre"]
    name: str = Field(min_length=1, max_length=NAME_LENGTH_MAX)
    target: str = Field(min_length=1, max_length=NAME_LENGTH_MAX)
    valid_from: str | None = Field(None, max_length=40, description="RFC 3339; when all workers know of it otherwise")
    tenant_id: str | None = Field(
        None, max_length=NAME_LENGTH_MAX, description="Whose team, project or cost centre it is; of these only"
    )
    subject: Literal["user", "api_key", "project", "team"] | None = Field(
        None, description="What the name is that of; the most specific that matches holds. With `tenant_id`"
    )
    restate: bool = Field(
        default=False,
        description="Charge what is recorded since `valid_from` as well, by entries: a server does it, in steps",
    )
    reason: str | None = Field(None, min_length=1, max_length=1_000, description="With `restate`: why; kept for good")


def install(app: FastAPI, product: Product) -> None:
    """Add the routes."""

    @app.put(
        "/v1/tenants/{tenant_id:path}",
        summary="The time zone of a tenant's days and months",
        tags=["accounts"],
        openapi_extra=body_of(TenantBody, {"time_zone": "Europe/Berlin"}),
    )
    async def _tenant(tenant_id: str, request: Request, caller: _Editor) -> dict[str, Any]:
        body = await product.bodies.read(request, caller, TenantBody)
        return await product.ask(_set_zone, product, caller, tenant_id, body, actor_of(caller, request))

    @app.post(
        "/v1/mappings",
        status_code=HTTPStatus.CREATED,
        summary="Say what a name stands for, in events from then on",
        tags=["accounts"],
        openapi_extra=body_of(MappingBody, {"kind": "model", "name": "corp-chat-large", "target": "gpt-4o"}) | KEYED,
        responses={
            409: {"description": f"{KEY_PROBLEMS[409]['description']}; or: {MAY_NOT[409]['description']}"},
        },
    )
    async def _map(request: Request, caller: _Editor) -> JSONResponse:
        body = await product.bodies.read(request, caller, MappingBody)
        scope = mapping_scope(product, caller, body.kind, body.tenant_id)
        by = actor_of(caller, request)
        return await once(product, request, caller, body, lambda: product.ask(answer_mapping, product, scope, body, by))

    @app.delete(
        "/v1/mappings/{mapping:path}",
        status_code=HTTPStatus.NO_CONTENT,
        summary="Let a name stand for itself again, in events from then on",
        tags=["accounts"],
    )
    async def _end(mapping: str, request: Request, caller: _Editor) -> Response:
        key = mapping_of(mapping)
        scope = mapping_scope(product, caller, key.kind, key.tenant_id or None)
        await product.ask(end_of_mapping, product, scope, key, actor_of(caller, request))
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _set_zone(product: Product, caller: Caller, tenant_id: str, body: TenantBody, by: Actor) -> dict[str, Any]:
    scope = product.scope(caller, Right.WRITE, tenant_id)
    if scope.teams:
        raise not_found("the days of a tenant are those of all its teams: this needs a token for all of them")
    set_time_zone(within(product.engine(), scope), tenant_id, body.time_zone, by)
    found: dict[str, Any] = tenants(product.engine(), scope, only=tenant_id)[0]
    return found


def mapping_scope(product: Product, caller: Caller, kind: str, tenant_id: str | None) -> Scope:
    """Within what a caller changes a mapping of this kind.

    ProblemError: it holds for every tenant, and the caller's right is for some; or for all teams, and the right is for some.
    """
    if kind not in WITHIN_TENANT:
        check_every_tenant(caller, Right.WRITE, HOLDS_FOR_ALL)
        return EVERYTHING
    scope = product.scope(caller, Right.WRITE, tenant_id)
    if scope.teams:
        raise not_found("who is charged within a tenant concerns all its teams: this needs a token for all of them")
    return scope


def answer_mapping(product: Product, scope: Scope, body: MappingBody, by: Actor) -> dict[str, Any]:
    """What `POST /v1/mappings` does and answers, once the caller is known to have the right; for a thread of its own.

    UsageError: as from `map_name`, or what is recorded cannot be charged otherwise. ProblemError 409: as from `ledger_of`.
    """
    if not body.restate:
        if body.reason is not None:
            raise UsageError("reason: goes with restate")
        return _mapped(product, scope, within(product.engine(), scope), body, by)
    from rice_stream.ledger.recharging import check_recharges, recharging_by
    from rice_stream.ledger.restatement_orders import order_restatement
    from rice_stream.ledger.voiding import checked_reason

    valid_from_us = instant_us("valid_from", body.valid_from)
    if body.kind not in WITHIN_TENANT or valid_from_us is None:
        raise UsageError("restate: of teams, projects and cost centres, and with valid_from")
    whose = body.tenant_id or "", body.subject or ""
    mapping = MappedName(body.kind, body.name, body.target, valid_from_us, *whose)
    reason = checked_reason(body.reason or "")
    with ledger_of(product.settings, "rice-stream map --restate") as engine:
        check_recharges(engine, mapping)
        answer = _mapped(product, scope, engine, body, by)
        state, _ = order_restatement(engine, recharging_by(engine, mapping, reason, by).order, by, by_server=True)
    return {**answer, "restatement_id": state.restatement_id}


def _mapped(product: Product, scope: Scope, engine: Engine, body: MappingBody, by: Actor) -> dict[str, Any]:
    try:
        map_name(
            engine,
            body.kind,
            body.name,
            body.target,
            open_reference=lambda: product.estimator().reference,
            valid_from_us=instant_us("valid_from", body.valid_from),
            now_us=epoch_us(product.now()),
            by=by,
            tenant_id=body.tenant_id or "",
            subject=body.subject or "",
            recharges=body.restate,
        )
    except UsageError as error:
        raise UsageError(_as_of_body(str(error))) from error
    key = MappingKey(body.kind, body.name, body.tenant_id or "", body.subject or "")
    return identified(mappings(product.engine(), scope, only=key)[-1])


def _as_of_body(message: str) -> str:
    """The fields have other names than what the command calls them."""
    names = {"--from": "valid_from", "--of": "subject", "--tenant": "tenant_id", "NAME:": "name:", "TARGET:": "target:"}
    told, command, rest = message.partition("; to end a mapping use `")
    for name, field in names.items():
        told = told.replace(name, field)
    return f"{told}; DELETE /v1/mappings/{{id}} ends one" if command or rest else told


def end_of_mapping(product: Product, scope: Scope, key: MappingKey, by: Actor) -> None:
    """What `DELETE /v1/mappings/{id}` does, once the caller is known to have the right. ProblemError 404: there is none."""
    if not mappings(product.engine(), scope, only=key):
        raise not_found("id: there is no such mapping")
    end_mapping(
        within(product.engine(), scope),
        key.kind,
        key.name,
        valid_from_us=None,
        now_us=epoch_us(product.now()),
        by=by,
        tenant_id=key.tenant_id,
        subject=key.subject,
    )
