"""POST /v1/estimate: energy and carbon of requests before they are sent. Nothing is stored."""

from functools import partial
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from pydantic import Field

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.json_bodies import Body, body_of
from rice_stream.api.parameters import ServedFields
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.errors import UsageError
from rice_stream.estimator.registry import METHOD_NAMES
from rice_stream.meter.described import described

REQUESTS_MAX = 10_000
_METHODS = "|".join(METHOD_NAMES)


class DescribedRequest(ServedFields, Body):
    """One request; `model` or `params_total_b` is needed. Units stand in the names; tokens are per request."""

    model: str | None = None
    params_total_b: float | None = None
    params_active_b: float | None = None
    kv_bytes_per_token: float | None = None
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int | None = None
    method: str | None = Field(None, pattern=f"^({_METHODS})$")


class EstimateBody(DescribedRequest):
    """One request, or a list of them under `requests` and nothing else."""

    input_tokens: int | None = None  # type: ignore[assignment]  # not where there are several
    output_tokens: int | None = None  # type: ignore[assignment]
    requests: list[DescribedRequest] | None = Field(None, min_length=1, max_length=REQUESTS_MAX)


_EXAMPLE = {"model": "gpt-4o", "input_tokens": 500, "output_tokens": 250, "region": "azure:swedencentral"}


def install(app: FastAPI, product: Product) -> None:
    """Add the route."""

    @app.post(
        "/v1/estimate",
        summary="Energy and carbon of a request, or of up to 10,000, before it is sent",
        tags=["estimates"],
        openapi_extra=body_of(EstimateBody, _EXAMPLE),
    )
    async def _estimate(request: Request, caller: Annotated[Caller, Depends(needs(Right.ESTIMATE))]) -> dict[str, Any]:
        body = await product.bodies.read(request, caller, EstimateBody)
        return await product.ask(_answer, product, body)


def _answer(product: Product, body: EstimateBody) -> dict[str, Any]:
    if body.requests is None:
        return _estimated(product, [(body, "")])[0]
    if body.model_fields_set != {"requests"}:
        raise UsageError("requests: stands alone; give the other fields with each of its requests")
    asked = [(one, f"requests[{number}].") for number, one in enumerate(body.requests)]
    return {"rows": _estimated(product, asked)}


def _label(place: str, field: str) -> str:
    return f"{place}{field}"


def _estimated(product: Product, asked: list[tuple[DescribedRequest, str]]) -> list[dict[str, Any]]:
    from rice_stream.meter.estimating import estimate_each  # NumPy takes a tenth of the server's start

    requests = []
    for one, place in asked:
        values = one.model_dump(exclude={"requests", "method"})
        try:
            requests.append((described(values, partial(_label, place)), one.method or product.method))
        except UsageError as error:
            # What is wrong with several fields together names no place of its own.
            text = str(error)
            raise UsageError(text if text.startswith(place) else f"{place}{text}") from error
    return [answer.values for answer in estimate_each(requests, product.estimator)]
