"""POST /v1/reconciliations: comparing a month with what a provider or cloud states of it, and keeping what was found."""

import hashlib
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import Field

from rice_stream.api.access.actors import actor_of
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.json_bodies import Body, body_of
from rice_stream.api.parameters import Name
from rice_stream.api.problems import ProblemError
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.api.writes.idempotency import KEY_PROBLEMS, KEYED, once
from rice_stream.errors import UsageError
from rice_stream.store.audit import Actor
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.scoped import within

Provider = Literal["openai", "anthropic", "bedrock", "azure", "vertex"]
Percent = Annotated[float, Field(ge=0, le=100)]


class StatedCarbonBody(Body):
    """The month's carbon as the provider states it."""

    carbon_gco2e: float = Field(ge=0, le=1e9, description="grams CO2-equivalent")
    market: bool = Field(default=False, description="By contracts and residual mix, not by location")
    embodied: bool = Field(default=False, description="With the embodied carbon of the hardware")


class CarbonExportBody(Body):
    """The carbon that the cloud states of the month, in its file."""

    text: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="The file's text: JSON, JSON lines or CSV. It is not kept"
    )
    services: list[Name] = Field(
        default_factory=list, max_length=50, description="What the cloud calls the service, instead of the usual names"
    )
    market: bool = Field(default=False, description="Compare what it states by the market, not by location")
    embodied: bool = Field(default=False, description="It has embodied carbon in it, where the file does not say")


class ReconciliationBody(Body):
    """Whose month is compared with what."""

    tenant_id: Name
    month: str = Field(max_length=20, description="YYYY-MM, in the tenant's time zone")
    provider: Provider
    usage: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="The usage export's text: JSON, JSON lines or CSV. It is not kept"
    )
    carbon: StatedCarbonBody | None = Field(None, description="In the place of `usage`")
    carbon_export: CarbonExportBody | None = Field(
        None, description="In the place of `usage`: of bedrock (AWS), azure or vertex (Google Cloud)"
    )
    names: list[Name] = Field(
        default_factory=list, max_length=50, description="What events call the provider, instead of the usual names"
    )
    threshold_percent: Percent = Field(
        1.0, description="From this share of the provider's tokens on that nothing explains, channels are told"
    )


_EXAMPLE = {
    "tenant_id": "acme",
    "month": "2026-10",
    "provider": "openai",
    "usage": "start_time_iso,model,input_tokens,output_tokens\n2026-10-02T00:00:00Z,gpt-4o,1000,100\n",
}


def install(app: FastAPI, product: Product) -> None:
    """Add the route."""

    @app.post(
        "/v1/reconciliations",
        status_code=HTTPStatus.CREATED,
        summary="Compare a month with a provider's usage export, or with the carbon that it states, by cause",
        tags=["periods"],
        openapi_extra=body_of(ReconciliationBody, _EXAMPLE) | KEYED,
        responses=KEY_PROBLEMS,
    )
    async def _reconcile(request: Request, caller: Annotated[Caller, Depends(needs(Right.WRITE))]) -> JSONResponse:
        body = await product.bodies.read(request, caller, ReconciliationBody)
        by = actor_of(caller, request)

        async def work() -> dict[str, Any]:
            return await product.ask(answer_reconciliation, product, caller, body, by)

        return await once(product, request, caller, body, work)


def answer_reconciliation(
    product: Product, caller: Caller, body: ReconciliationBody, by: Actor, content: bytes | None = None
) -> dict[str, Any]:
    """What was found, and is kept; for a thread of its own. `content`: the file as it came, instead of its text in the body.

    NotFoundError: nothing of that tenant; ProblemError 403: not all of its teams; UsageError: the file or the month cannot be read.
    """
    # What reads files is loaded where somebody sends one.
    from rice_stream.ledger.reconciling import record_reconciliation
    from rice_stream.reports.carbon_reconciliation import StatedCarbon, reconcile_carbon, reconcile_carbon_file
    from rice_stream.reports.reconciliation import ReconciliationOrder, reconcile
    from rice_stream.reports.usage_exports.reading import read_usage, usage_text

    scope = product.scope(caller, Right.WRITE, body.tenant_id)
    if scope.teams:
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            "what a provider states is the whole tenant's: this needs a token for all of its teams",
        )
    file, export = _file(body, content), body.carbon_export
    order = ReconciliationOrder(body.tenant_id, body.month, body.provider, tuple(body.names), body.threshold_percent)
    if body.carbon is not None:
        stated = StatedCarbon(**body.carbon.model_dump())
        sha256, compared = stated.sha256, reconcile_carbon(product.engine(), scope, order, stated)
    else:
        sha256, text = hashlib.sha256(file or b"").hexdigest(), usage_text(file or b"")
        if export is not None:
            said = export.model_dump(include={"market", "embodied", "services"})
            compared = reconcile_carbon_file(product.engine(), scope, order, text, **said)
        else:
            compared = reconcile(product.engine(), scope, order, read_usage(text, body.provider))
    return record_reconciliation(within(product.engine(), EVERYTHING), compared, sha256, by)


def _file(body: ReconciliationBody, content: bytes | None) -> bytes | None:
    """The file that is compared; None: a figure is. UsageError: several things are given, or nothing."""
    export = body.carbon_export
    text = body.usage if export is None else export.text
    file = content if text is None else text.encode()
    given = sum(each is not None for each in (body.usage, body.carbon, export))
    if given > 1 or (file is None) == (body.carbon is None):
        raise UsageError("usage: give it, or carbon, or carbon_export with its text")
    return file
