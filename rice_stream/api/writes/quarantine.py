"""POST /v1/quarantine/replay and /v1/quarantine/drop: settling what was refused."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from pydantic import Field

from rice_stream.api.access.actors import actor_of
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.json_bodies import Body, body_of
from rice_stream.api.parameters import RowId
from rice_stream.api.product import Product
from rice_stream.api.record_writing import MAY_NOT, ledger_of
from rice_stream.api.routing import check_every_tenant, needs
from rice_stream.instants import epoch_us
from rice_stream.kafka.record_fetch import KafkaFetch
from rice_stream.pipeline.patches import parse_patches
from rice_stream.reports.quarantine import dropped
from rice_stream.runtime.opening_kafka import kafka_config
from rice_stream.store.audit import Actor
from rice_stream.store.quarantine import Choice, drop
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.scoped import within

NO_TENANTS = "what was refused is no tenant's"
_Editor = Annotated[Caller, Depends(needs(Right.WRITE))]


class ChosenItems(Body):
    """Refused items by their ids."""

    ids: list[RowId] = Field(min_length=1, max_length=1_000)


class ReplayBody(ChosenItems):
    """What to try again, with fields put over theirs."""

    set: dict[str, str] = Field(default_factory=dict, max_length=50)


def install(app: FastAPI, product: Product) -> None:
    """Add the routes."""

    @app.post(
        "/v1/quarantine/drop",
        summary="Put refused items aside for good",
        tags=["quality"],
        openapi_extra=body_of(ChosenItems, {"ids": [12, 13]}),
    )
    async def _drop(request: Request, caller: _Editor) -> dict[str, Any]:
        check_every_tenant(caller, Right.WRITE, NO_TENANTS)
        body = await product.bodies.read(request, caller, ChosenItems)
        return await product.ask(answer_drop, product, body, actor_of(caller, request))

    @app.post(
        "/v1/quarantine/replay",
        summary="Take refused items up again; nothing is ever counted twice",
        tags=["quality"],
        openapi_extra=body_of(ReplayBody, {"ids": [12], "set": {"tenant_id": "acme"}}),
        responses=MAY_NOT,
    )
    async def _replay(request: Request, caller: _Editor) -> dict[str, Any]:
        check_every_tenant(caller, Right.WRITE, NO_TENANTS)
        body = await product.bodies.read(request, caller, ReplayBody)
        return await product.ask(answer_replay, product, body, actor_of(caller, request))


def answer_drop(product: Product, body: ChosenItems, by: Actor) -> dict[str, Any]:
    """What `POST /v1/quarantine/drop` does and answers, once the caller is known to have the right; for a thread of its own.

    RiceError: as from `drop`.
    """
    engine = product.engine()
    return dropped(
        engine, EVERYTHING, drop(within(engine, EVERYTHING), Choice(tuple(body.ids)), epoch_us(product.now()), by)
    )


def answer_replay(product: Product, body: ReplayBody, by: Actor) -> dict[str, Any]:
    """What `POST /v1/quarantine/replay` does and answers, likewise. ProblemError: the server's login may not write records.

    Through the worker's own pipeline, which writes records.
    """
    # What it takes to account is loaded where somebody asks for it, not at the start of every server.
    from rice_stream.pipeline.quarantine_replay import replay
    from rice_stream.runtime.opening_pipeline import open_pipeline

    patches = parse_patches([f"{name}={value}" for name, value in body.set.items()])
    with ledger_of(product.settings, "rice-stream quarantine replay") as engine:
        pipeline, writer = open_pipeline(product.settings, engine, proposes="if set")
        fetch = KafkaFetch(kafka_config(product.settings), product.settings.kafka_group_id)
        try:
            now_us = epoch_us(product.now())
            return replay(engine, pipeline, Choice(tuple(body.ids)), patches=patches, fetch=fetch, now_us=now_us, by=by)
        finally:
            fetch.close()
            writer.close()
