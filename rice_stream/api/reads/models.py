"""GET /v1/models, /v1/models/{model}, /v1/regions and /v1/rank: what the tables know, and which model answers with least."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query
from pydantic import Field

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.parameters import Name, Parameters, ServedFields
from rice_stream.api.problems import not_found
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.meter.described import described

_ROWS_MAX = 5_000
_Reader = Annotated[Caller, Depends(needs(Right.READ))]


class Search(Parameters):
    """Words that all have to be in a row."""

    query: str = Field("", max_length=256)
    limit: int = Field(1_000, ge=1, le=_ROWS_MAX)


class CardParameters(Parameters):
    """Who serves the model."""

    provider: Name | None = None


class RankParameters(ServedFields, Parameters):
    """A request, and the models that might answer it."""

    model: list[Name] = Field(default_factory=list, max_length=500)
    search: str | None = Field(None, max_length=256)
    input_tokens: int = 1_000
    output_tokens: int = 300
    cache_read_input_tokens: int | None = None
    method: str | None = None
    limit: int | None = Field(None, ge=1, le=_ROWS_MAX)


def install(app: FastAPI, product: Product) -> None:
    """Add the routes."""

    @app.get("/v1/models", summary="Models of the tables", tags=["reference"])
    async def _models(asked: Annotated[Search, Query()], _: _Reader) -> dict[str, Any]:
        return await product.ask(_searched, product, asked, "models")

    @app.get(
        "/v1/models/{model:path}", summary="One model: evidence, assumptions, what it comes to", tags=["reference"]
    )
    async def _model(model: str, asked: Annotated[CardParameters, Query()], _: _Reader) -> dict[str, Any]:
        return await product.ask(answer_card, product, model, asked.provider)

    @app.get("/v1/regions", summary="Regions with their carbon intensity and PUE", tags=["reference"])
    async def _regions(asked: Annotated[Search, Query()], _: _Reader) -> dict[str, Any]:
        return await product.ask(_searched, product, asked, "regions")

    @app.get("/v1/rank", summary="Models by gCO2e of one request, lowest first", tags=["estimates"])
    async def _rank(asked: Annotated[RankParameters, Query()], _: _Reader) -> dict[str, Any]:
        return await product.ask(answer_ranking, product, asked)


def _searched(product: Product, asked: Search, what: str) -> dict[str, Any]:
    estimator = product.estimator()
    reference, now_us = estimator.reference, estimator.at_us
    search = reference.search_models if what == "models" else reference.search_regions
    rows = search(asked.query, at_us=now_us)
    return {"rows": rows[: asked.limit], "rows_total": len(rows), "meta": {"factor_version": reference.version}}


def answer_card(product: Product, model: str, provider: str | None) -> dict[str, Any]:
    """What `/v1/models/{model}` answers; for a thread of its own. ProblemError 404: no table has the model."""
    from rice_stream.meter.model_card import model_card  # NumPy takes a tenth of the server's start

    estimator = product.estimator()
    if not estimator.reference.resolve_model(provider, model, None, estimator.at_us).known:
        raise not_found(f"no model of the tables is called {model!r}")
    return {**model_card(model, provider, estimator), "meta": {"factor_version": estimator.reference.version}}


def answer_ranking(product: Product, asked: RankParameters) -> dict[str, Any]:
    """What `/v1/rank` answers; for a thread of its own. UsageError: as from `described` and `models_to_rank`."""
    from rice_stream.meter.ranking import models_to_rank, rank_document, rank_models  # it estimates, with NumPy

    estimator = product.estimator(asked.method)
    names = models_to_rank(estimator.reference, estimator.at_us, models=asked.model, search=asked.search)
    values = asked.model_dump(exclude={"model", "search", "method", "limit"})
    request = described({**values, "model": names[0]})
    return rank_document(rank_models(names, request, estimator, product.kept_uses().of), request, asked.limit)
