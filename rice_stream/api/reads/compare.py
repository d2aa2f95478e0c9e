"""GET /v1/compare: recorded traffic on another model, in another region or served otherwise."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query
from pydantic import Field

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.parameters import Moment, Name, Parameters, ServedFields
from rice_stream.api.product import Product
from rice_stream.api.routing import needs


class CompareParameters(ServedFields, Parameters):
    """Which traffic, and what is changed."""

    tenant: Name | None = None
    only_model: Name | None = None
    window: str | None = None
    from_: Moment | None = Field(None, alias="from")
    to: Moment | None = None
    model: str | None = None
    method: str | None = None
    share: float = Field(1.0, gt=0, le=1, description="How much of the traffic is moved, for `saving_gco2e`")


def install(app: FastAPI, product: Product) -> None:
    """Add the route."""

    @app.get(
        "/v1/compare", summary="Recorded traffic on another model, elsewhere or served otherwise", tags=["estimates"]
    )
    async def _compare(
        asked: Annotated[CompareParameters, Query()], caller: Annotated[Caller, Depends(needs(Right.READ))]
    ) -> dict[str, Any]:
        return await product.ask(answer_comparison, product, caller, asked)


def answer_comparison(product: Product, caller: Caller, asked: CompareParameters) -> dict[str, Any]:
    """What `/v1/compare` answers a caller; for a thread of its own. RiceError: as from `compare`."""
    # NumPy takes a tenth of the server's start, and is loaded where somebody asks for estimates.
    from rice_stream.meter.what_if import change_of
    from rice_stream.reports.comparison import compare, traffic_of
    from rice_stream.runtime.opening_estimator import token_defaults

    scope = product.scope(caller, Right.READ, asked.tenant)
    estimator = product.estimator(asked.method)
    not_of_the_change = {"tenant", "only_model", "window", "from_", "to", "method", "share"}
    change = change_of(asked.model_dump(exclude=not_of_the_change), str)
    change.check(estimator.method)
    traffic = traffic_of(
        product.now(), tenant=asked.tenant, model=asked.only_model, window=asked.window, start=asked.from_, end=asked.to
    )
    return compare(
        product.engine_for(scope),
        scope,
        traffic,
        change,
        estimator=estimator,
        defaults=token_defaults(product.settings),
        share=asked.share,
    )
