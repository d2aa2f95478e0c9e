"""ListFootprints, GetFootprint and the refusal of events, within the caller's scope."""

from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.cursors import question_of
from rice_stream.api.pact import tokens
from rice_stream.api.pact.paths import EVENTS, FOOTPRINTS, PREFIX
from rice_stream.api.pact.problems import answer_problem
from rice_stream.api.problems import ProblemError
from rice_stream.api.product import Product
from rice_stream.api.routing import needs

_Reader = Annotated[Caller, Depends(needs(Right.READ))]
_LIMIT_MAX = 1_000
_Texts = Annotated[list[Annotated[str, Field(max_length=1_000)]], Field(max_length=100)]


class FootprintParameters(BaseModel):
    """Filters of PACT 3; a parameter that it does not know is an error, and so is an empty cursor."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=_LIMIT_MAX)] = 100
    after: Annotated[str, Field(max_length=1_000)] | None = None
    product_id: _Texts = Field(default_factory=list, alias="productId")
    company_id: _Texts = Field(default_factory=list, alias="companyId")
    geography: _Texts = Field(default_factory=list)
    classification: _Texts = Field(default_factory=list)
    status: Annotated[str, Field(max_length=100)] | None = None
    valid_on: AwareDatetime | None = Field(None, alias="validOn")
    valid_after: AwareDatetime | None = Field(None, alias="validAfter")
    valid_before: AwareDatetime | None = Field(None, alias="validBefore")

    def filters(self) -> dict[str, object]:
        """What a cursor is bound to."""
        return self.model_dump(mode="json", exclude={"limit", "after"}, exclude_defaults=True)


def install(app: FastAPI, product: Product) -> None:
    """Add the routes, where a company is set; without one there is no host."""
    if product.settings.pact_company_domain is None:
        return
    app.state.problem_shapes = {PREFIX: answer_problem}
    tokens.install(app)

    @app.get(FOOTPRINTS, include_in_schema=False)
    async def _list(request: Request, asked: Annotated[FootprintParameters, Query()], caller: _Reader) -> JSONResponse:
        cursors, question = await product.cursors(), question_of(FOOTPRINTS, asked.filters(), caller)
        after = None if asked.after is None else cursors.read(asked.after, question)
        found = await product.ask(_page, product, caller, asked, after)
        headers = {}
        if found["next"] is not None:
            given = [(name, value) for name, value in request.query_params.multi_items() if name != "after"]
            query = urlencode([*given, ("after", cursors.write(found["next"], question))])
            headers["Link"] = f'<{_address(product, request)}{FOOTPRINTS}?{query}>; rel="next"'
        return JSONResponse({"data": found["rows"]}, headers=headers)

    @app.get(f"{FOOTPRINTS}/{{footprint_id}}", include_in_schema=False)
    async def _get(footprint_id: str, caller: _Reader) -> JSONResponse:
        return JSONResponse({"data": await product.ask(_one, product, caller, footprint_id)})

    @app.post(EVENTS, include_in_schema=False)
    async def _events(_caller: _Reader) -> JSONResponse:
        raise ProblemError(HTTPStatus.NOT_IMPLEMENTED, "this host is read only: it takes no events")


def _page(product: Product, caller: Caller, asked: FootprintParameters, after: bytes | None) -> dict[str, Any]:
    from rice_stream.reports.pact_host import FootprintFilter, published_page  # it holds columns in NumPy

    wanted = FootprintFilter(
        product_ids=_given(asked.product_id),
        company_ids=_given(asked.company_id),
        geographies=_given(asked.geography),
        classifications=_given(asked.classification),
        status=asked.status or None,
        valid_on=asked.valid_on,
        valid_after=asked.valid_after,
        valid_before=asked.valid_before,
    )
    scope, publisher = caller.scope(Right.READ), _publisher(product)
    return published_page(product.export_engine(), scope, publisher, wanted, after=after, limit=asked.limit)


def _given(values: list[str]) -> tuple[str, ...]:
    """An empty value narrows nothing."""
    return tuple(filter(None, values))


def _one(product: Product, caller: Caller, footprint_id: str) -> dict[str, Any]:
    from rice_stream.reports.pact_host import published_footprint

    return published_footprint(product.export_engine(), caller.scope(Right.READ), _publisher(product), footprint_id)


def _publisher(product: Product) -> Any:
    from rice_stream.reports.pact_host import FootprintCompany

    return FootprintCompany(product.settings.pact_company_domain or "", product.settings.pact_company_name)


def _address(product: Product, request: Request) -> str:
    return product.settings.http_public_url or str(request.base_url).rstrip("/")
