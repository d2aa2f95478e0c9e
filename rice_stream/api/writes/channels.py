"""POST /v1/channels, PUT and DELETE /v1/channels/{name}, POST /v1/channels/{name}/test, POST /v1/deliveries/resend."""

from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from rice_stream.alerting.channels import (
    ChannelConflictError,
    named_channel,
    remove_channel,
    resend,
    send_trial,
    set_channel,
)
from rice_stream.api.access.actors import actor_of
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.etags import IF_MATCH, STATE_PROBLEMS, check_if_match, etag_of
from rice_stream.api.json_bodies import Body, body_of
from rice_stream.api.parameters import ROWS_MAX, RowId
from rice_stream.api.problems import ProblemError, not_found
from rice_stream.api.product import Product
from rice_stream.api.reads.channels import OfTenants, answer_channel, answer_delivery, definition
from rice_stream.api.routing import needs
from rice_stream.api.writes.budgets import SeenCheck
from rice_stream.api.writes.idempotency import KEY_PROBLEMS, KEYED, once
from rice_stream.channels.parsing import AskedChannel, channel_fields, parse_channel
from rice_stream.errors import UsageError
from rice_stream.instants import epoch_us, rfc3339
from rice_stream.reports.deliveries import named_deliveries
from rice_stream.reports.moments import instant
from rice_stream.runtime.opening_secrets import open_secret_box
from rice_stream.store.audit import Actor
from rice_stream.store.channel_store import StoredChannel

_PATH = "/v1/channels"
_MADE_KEY = "secret"  # the name of a field
_Editor = Annotated[Caller, Depends(needs(Right.WRITE))]
_DISABLED: dict[int | str, dict[str, Any]] = {409: {"description": "The channel is disabled until it is set again"}}


class QuietHoursBody(Body):
    """When nothing is sent, from a time of the day to another, over midnight where the end is not after the start."""

    start: str
    end: str
    time_zone: str = "UTC"
    breaks_through: str | None = Field("critical", description="What is sent all the same, and everything worse")


class ChangedChannel(Body):
    """What a channel is, but for its name. Address and secrets stay where none are given."""

    type: str
    url: str | None = Field(
        None, description="Where it sends; never answered but for what is no secret of it (`target`)"
    )
    secret: str | None = Field(None, description="What it signs or signs in with; never answered")
    secrets: list[str] | None = Field(None, description="Several, the one in force first; never answered")
    new_secret: bool = Field(
        default=False, description="Make a new one for a webhook; the one before goes on beside it"
    )
    tenants: Literal["*"] | list[str] | None = Field(
        None, description="Tenants whose alerts it gets; `*`: every one. Left out: all that the caller has"
    )
    budgets: list[str] = Field(default_factory=list, description="Budgets whose alerts it gets; none: every one")
    min_severity: str = Field("info", description="What is less severe is not sent")
    quiet_hours: QuietHoursBody | None = None
    remind_every: str | None = Field(None, description="How often what still holds is told again, such as `4h`")
    remind_every_s: int | None = None
    statements: bool = Field(default=False, description="Whether it gets a statement of each team's month")

    def asked(self, name: str, tenants: frozenset[str] | None) -> AskedChannel:
        """The channel of this name; `tenants`: the caller's. ProblemError 422: a field is not right."""
        fields = {**self.model_dump(), "name": name}
        if self.tenants is None and tenants is not None:
            fields["tenants"] = sorted(tenants)
        try:
            return parse_channel(fields)
        except UsageError as error:
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), slug="invalid-parameters") from error


class NewChannelBody(ChangedChannel):
    """A channel."""

    name: str


class NoFields(Body):
    """Nothing needs to be said."""


class ResendBody(Body):
    """Which deliveries to send again: these, or all that failed or are dead since a time."""

    ids: list[RowId] = Field(default_factory=list, max_length=ROWS_MAX)
    since: str | None = Field(None, description="RFC 3339, or a day of UTC; when they were stored")
    channel: str | None = Field(None, description="With `since`: only what was for the channel of this name")


_EXAMPLE = {
    "type": "webhook",
    "url": "https://example.com/hook",
    "tenants": ["acme"],
    "min_severity": "warning",
    "quiet_hours": {"start": "22:00", "end": "07:00", "time_zone": "Europe/Berlin", "breaks_through": "critical"},
    "remind_every": "4h",
}


def install(app: FastAPI, product: Product) -> None:
    """Add the routes."""

    @app.post(
        _PATH,
        status_code=HTTPStatus.CREATED,
        summary="Make a channel; a key that is made for it is in this answer only",
        tags=["channels"],
        openapi_extra=body_of(NewChannelBody, {"name": "ops", **_EXAMPLE}) | KEYED,
        responses=KEY_PROBLEMS,
    )
    async def _make(request: Request, caller: _Editor) -> JSONResponse:
        body = await product.bodies.read(request, caller, NewChannelBody)
        asked = body.asked(body.name, caller.scope(Right.WRITE).tenants)
        made = partial(product.ask, make_channel, product, caller, asked, actor_of(caller, request))
        answer = await once(product, request, caller, body, made, secrets=frozenset({_MADE_KEY}))
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @app.put(
        f"{_PATH}/{{name}}",
        summary="Change a channel; If-Match has the ETag of what was seen",
        tags=["channels"],
        openapi_extra=body_of(ChangedChannel, _EXAMPLE) | IF_MATCH,
        responses=STATE_PROBLEMS,
    )
    async def _change(
        name: str, which: Annotated[OfTenants, Query()], request: Request, caller: _Editor, response: Response
    ) -> dict[str, Any]:
        body = await product.bodies.read(request, caller, ChangedChannel)
        check, by = partial(check_if_match, request), actor_of(caller, request)
        asked = body.asked(name, caller.scope(Right.WRITE).tenants)
        changed = await product.ask(change_channel, product, caller, asked, which.tenant, by, check)
        response.headers["ETag"] = etag_of(definition(changed))
        response.headers["Cache-Control"] = "no-store"
        return changed

    @app.delete(
        f"{_PATH}/{{name}}",
        status_code=HTTPStatus.NO_CONTENT,
        summary="Remove a channel with its secrets. If-Match has the ETag of what was seen",
        tags=["channels"],
        openapi_extra=IF_MATCH,
        responses=STATE_PROBLEMS,
    )
    async def _remove(name: str, which: Annotated[OfTenants, Query()], request: Request, caller: _Editor) -> Response:
        check, by = partial(check_if_match, request), actor_of(caller, request)
        await product.ask(drop_channel, product, caller, name, which.tenant, by, check)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    _install_sending(app, product)


def _install_sending(app: FastAPI, product: Product) -> None:
    @app.post(
        f"{_PATH}/{{name}}/test",
        status_code=HTTPStatus.CREATED,
        summary="Send a marked alert; the delivery that is answered says later what became of it",
        tags=["channels"],
        openapi_extra=KEYED,
        responses=KEY_PROBLEMS | _DISABLED,
    )
    async def _test(name: str, which: Annotated[OfTenants, Query()], request: Request, caller: _Editor) -> JSONResponse:
        by = actor_of(caller, request)
        made = partial(product.ask, try_channel, product, caller, name, which.tenant, by)
        return await once(product, request, caller, NoFields(), made)

    @app.post(
        "/v1/deliveries/resend",
        summary="Send deliveries again at once, under the same message ids",
        tags=["channels"],
        openapi_extra=body_of(ResendBody, {"since": "2026-11-22T19:00:00Z"}),
    )
    async def _resend(request: Request, caller: _Editor) -> dict[str, Any]:
        body = await product.bodies.read(request, caller, ResendBody)
        return await product.ask(answer_resend, product, caller, body, actor_of(caller, request))


def make_channel(product: Product, caller: Caller, asked: AskedChannel, by: Actor) -> dict[str, Any]:
    """Make it, and answer with how it fares and the key that was made. ProblemError 409: the name is taken; RiceError: as from
    `set_channel`."""
    return _set(product, caller, asked, [], by, _is_new)


def change_channel(
    product: Product, caller: Caller, asked: AskedChannel, tenants: Sequence[str], by: Actor, check: SeenCheck
) -> dict[str, Any]:
    """Change the channel of this name (and of these `tenants`, where several have it); `check` is shown its state of before,
    and raises where it was another one that the caller had seen. RiceError: as from `named_channel` and `set_channel`."""
    before = named_channel(product.engine(), caller.scope(Right.WRITE), asked.channel.name, tenants)
    own = tenants or _tenants(before)
    return _set(product, caller, asked, own, by, partial(_matches, check))


def drop_channel(
    product: Product, caller: Caller, name: str, tenants: Sequence[str], by: Actor, check: SeenCheck
) -> None:
    """Remove the channel of this name; errors as from `change_channel`."""
    scope = caller.scope(Right.WRITE)
    remove_channel(product.engine(), scope, name, by, tenants=tenants, check=partial(_matches, check))


def try_channel(product: Product, caller: Caller, name: str, tenants: Sequence[str], by: Actor) -> dict[str, Any]:
    """Have a marked alert sent; answers with its delivery. ProblemError 409: the channel is disabled; RiceError: as from
    `send_trial`."""
    try:
        number = send_trial(product.engine(), caller.scope(Right.WRITE), name, by, product.now(), tenants=tenants)
    except ChannelConflictError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    return answer_delivery(product, caller, number)


def answer_resend(product: Product, caller: Caller, body: ResendBody, by: Actor) -> dict[str, Any]:
    """What `POST /v1/deliveries/resend` does and answers: `{"rows", "resent", "left"}`. RiceError: as from `resend`."""
    scope, start = caller.scope(Right.WRITE), instant("since", body.since)
    since_us = None if start is None else epoch_us(start)
    done = resend(product.engine(), scope, by, ids=body.ids, since_us=since_us, channel=body.channel)
    rows = named_deliveries(product.engine(), scope, (body.ids or done.ids)[:ROWS_MAX])
    return {"rows": rows, "resent": len(done.ids), "left": done.left}


def _set(
    product: Product, caller: Caller, asked: AskedChannel, tenants: Sequence[str], by: Actor, check: Any
) -> dict[str, Any]:
    box = open_secret_box(product.settings)
    try:
        made = set_channel(product.engine(), caller.scope(Right.WRITE), box, asked, by, tenants=tenants, check=check)
    except ChannelConflictError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    row = answer_channel(product, caller, asked.channel.name, _tenants(made.stored), Right.WRITE)
    return row if made.new_key is None else {**row, _MADE_KEY: made.new_key}


def _definition(stored: StoredChannel) -> dict[str, Any]:
    """What `reads.channels.definition` says of the channel as it is answered."""
    return {
        **channel_fields(stored.channel),
        "target": stored.channel.target,
        "updated_at": rfc3339(stored.updated_at_us, "milliseconds"),
    }


def _tenants(stored: StoredChannel) -> list[str]:
    return ["*"] if stored.channel.tenants is None else sorted(stored.channel.tenants)


def _is_new(before: StoredChannel | None) -> None:
    if before is not None:
        name = before.channel.name
        raise ProblemError(HTTPStatus.CONFLICT, f"name: there is a channel {name!r} already; change it with PUT")


def _matches(check: SeenCheck, before: StoredChannel | None) -> None:
    if before is None:
        raise not_found("the channel has been removed meanwhile")
    check(_definition(before))
