"""GET /v1/totals and /v1/rolling-totals: prompts, tokens, energy and carbon of any stretch of time, broken down by names."""

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query, Request, Response
from pydantic import Field

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.etags import is_known, weak_etag_of
from rice_stream.api.json_answers import encoded
from rice_stream.api.kept_answers import Encoded
from rice_stream.api.parameters import Moment, Name, NameParameters, Parameters
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.api.streams import Format, Streams
from rice_stream.instants import MINUTE_S, SECOND_US, epoch_us
from rice_stream.quantities import NAME_LENGTH_MAX
from rice_stream.reports.allocation import Rule
from rice_stream.reports.exports.columns import ExportColumn, Kind
from rice_stream.reports.moments import as_of_instant
from rice_stream.reports.one_moment import one_moment
from rice_stream.reports.rolling_totals import rolling_totals
from rice_stream.reports.tier_words import TIERS
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import AmountsAs, TotalsQuery
from rice_stream.reports.window_state import prompts_so_far
from rice_stream.reports.windows import FOREVER_US
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope

ROWS_MAX = 10_000
_CHANGE_HOLDS_S = 1.0
_ASKED_AS_NAMED = ("tenant", "window", "bucket", "time_zone", "top", "where", "allocate")
_ENDS = ("low", "mid", "high")
_AMOUNTS: tuple[tuple[str, Kind], ...] = (
    ("prompts", "whole"),
    ("input_tokens", "large"),
    ("output_tokens", "large"),
    ("it_energy_wh", "number"),
    ("facility_energy_wh", "number"),
    *((f"carbon_gco2e_{end}", "number") for end in _ENDS),
    ("carbon_gco2e_median", "number"),
    *((f"carbon_gco2e_linear_{end}", "number") for end in ("low", "high")),
    ("carbon_market_gco2e", "number"),
    ("impact_prompts", "whole"),
    *((f"embodied_gco2e_{end}", "number") for end in _ENDS),
    ("water_l", "number"),
    *((f"data_tiers_{tier}", "number") for tier in TIERS),
)
_ALLOCATED: tuple[tuple[str, Kind], ...] = (("allocated_gco2e", "number"), ("shared_gco2e", "number"))
_Reader = Annotated[Caller, Depends(needs(Right.READ))]


class TotalsParameters(NameParameters):
    """What may be asked of `/v1/totals`."""

    tenant: Name | None = Field(None, description="One tenant; all that the caller may see otherwise")
    by: list[str] = Field(
        default_factory=list, max_length=20, description="Names to break down by, also as a comma list"
    )
    window: str | None = Field(None, description="1h, 24h, 7d, 30d or mtd, instead of `from` and `to`")
    from_: Moment | None = Field(None, alias="from", description="First instant, or local day")
    to: Moment | None = Field(None, description="First instant, or local day, that is not included")
    bucket: Literal["hour", "day", "month"] | None = Field(None, description="Break down by a stretch of time as well")
    time_zone: str | None = Field(
        None,
        max_length=100,
        description="IANA zone of all days and months; else each tenant's own, and one for sums over tenants",
    )
    top: int | None = Field(
        None, ge=1, le=1_000, description="So many names with most carbon, and all others in one row"
    )
    as_: AmountsAs = Field("restated", alias="as", description="With all corrections, or as it was reported")
    as_of: Moment | None = Field(None, description="With what was recorded and corrected until then; needs the records")
    impacts: bool = Field(
        default=False, description="Kept for who asks for them: embodied carbon and water are always there"
    )
    allocate: Rule | None = Field(None, description="Divide what `shared` used among the others of the tenant")
    shared: list[Annotated[str, Field(max_length=NAME_LENGTH_MAX)]] = Field(
        default_factory=list, max_length=50, description="Names whose use the others share; an empty one: what has none"
    )
    limit: int = Field(1_000, ge=1, le=ROWS_MAX, description="Rows, most carbon first; of a file all are sent")
    format: Format = "json"
    trailer: bool = Field(default=False, description="CSV ends with a line that tells rows and digest")


class RollingParameters(Parameters):
    """Whose rolling totals."""

    tenant: Name | None = None


def install(app: FastAPI, product: Product) -> None:
    """Add the routes."""
    streams = Streams()

    @app.get(
        "/v1/totals",
        summary="Totals of any stretch of time, also as CSV or Parquet",
        tags=["totals"],
        responses={304: {"description": "The answer of If-None-Match stands; of a stretch that is over"}},
    )
    async def _totals(asked: Annotated[TotalsParameters, Query()], request: Request, caller: _Reader) -> Response:
        query = TotalsQuery(
            **{name: getattr(asked, name) for name in _ASKED_AS_NAMED},
            by=tuple(asked.by),
            amounts=asked.as_,
            as_of=as_of_instant("as_of", asked.as_of, product.now()),
            report_time_zone=product.settings.report_time_zone,
            start=asked.from_,
            end=asked.to,
            shared=tuple(asked.shared),
            limit=asked.limit if asked.format == "json" else None,
        )
        if asked.format == "json":
            scope, now = product.scope(caller, Right.READ, query.tenant), product.now()
            report = partial(_report, product, scope, partial(_totals_of, query=query, now=now))
            minute, stretch_us = None if query.window is None else _minute(now), query.closed_us(now)
            return await _kept(product, scope, query, report, minute, stretch_us, partial(is_known, request))
        document = await product.ask(answer_totals, product, caller, query)
        columns = _columns(document["by"], _ALLOCATED if asked.allocate else ())
        batches = [[_flat(row, columns) for row in document["rows"]]]
        return await streams.answer(product, asked.format, "totals", columns, lambda: batches, trailer=asked.trailer)

    @app.get("/v1/rolling-totals", summary="Totals of every tenant over every rolling window", tags=["totals"])
    async def _rolling(asked: Annotated[RollingParameters, Query()], caller: _Reader) -> Response:
        scope = product.scope(caller, Right.READ, asked.tenant)
        report = partial(_report, product, scope, partial(_rolling_totals_of, now=product.now()))
        return await _kept(product, scope, "rolling", report, _minute(product.now()))


def answer_totals(product: Product, caller: Caller, query: TotalsQuery) -> dict[str, Any]:
    """What `/v1/totals` answers a caller, with `meta`; for a thread of its own. RiceError: as from `totals`."""
    scope = product.scope(caller, Right.READ, query.tenant)
    engine = product.engine_for(scope)
    with one_moment(engine, scope):
        document = totals(engine, scope, query, product.now())
        return {**document, "meta": product.meta(scope, document["window"]["time_zone"])}


def _report(
    product: Product,
    scope: Scope,
    look_up: Callable[[Engine, Scope], tuple[dict[str, Any], str | None]],
    stretch_us: tuple[int, int] | None,
) -> Encoded:
    """What is answered, of one moment, with the state of the stretch that it depends on; `meta` of that moment is at hand then."""
    engine = product.engine_for(scope)
    # Before the moment: it looks into other scopes, and who holds one connection must not wait for a second. One of a while ago
    # does no harm: a change since then makes the answer be worked out once more.
    change = 0 if stretch_us is None else product.latest_change(within_s=_CHANGE_HOLDS_S)
    as_of = product.now()
    with one_moment(engine, scope):
        # The report first: what it asks for tells the moment as well.
        document, time_zone = look_up(engine, scope)
        moment = None if product.is_wide(scope) else product.moment_with_meta(scope, as_of)
        state = None if stretch_us is None else _state(engine, scope, stretch_us, change)
    return Encoded(encoded(document), time_zone, state, moment)


def _totals_of(engine: Engine, scope: Scope, query: TotalsQuery, now: datetime) -> tuple[dict[str, Any], str | None]:
    document = totals(engine, scope, query, now)
    return document, document["window"]["time_zone"]


def _rolling_totals_of(engine: Engine, scope: Scope, now: datetime) -> tuple[dict[str, Any], str | None]:
    document = rolling_totals(engine, scope, now)
    return document, document["windows"]["mtd"]["time_zone"]


def _state(engine: Engine, scope: Scope, stretch_us: tuple[int, int], change: int) -> tuple[int, ...] | None:
    """How many prompts are on the days of a stretch, the latest correction, and the latest change in the audit trail; it never
    leaves the server."""
    so_far = prompts_so_far(engine, scope, *stretch_us)
    return None if so_far is None else (*so_far, change)


def _state_now(product: Product, scope: Scope, stretch_us: tuple[int, int]) -> tuple[int, ...] | None:
    change = product.latest_change()
    return _state(product.engine_for(scope), scope, stretch_us, change)


def _not_modified(tag: str) -> Response:
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=_tagged(tag))


def _tagged(tag: str) -> dict[str, str]:
    """Whoever keeps the answer asks again each time, with the tag."""
    return {"ETag": tag, "Cache-Control": "private, no-cache"}


def _minute(now: datetime) -> int:
    """What an answer about a window depends on of the time at which it is asked for: windows move by the minute."""
    return epoch_us(now) // SECOND_US // MINUTE_S


async def _kept(
    product: Product,
    scope: Scope,
    asked: Hashable,
    report: Callable[[tuple[int, int] | None], Encoded],
    minute: int | None,
    stretch_us: tuple[int, int] | None = None,
    has: Callable[[str], bool] | None = None,
) -> Response:
    """The answer of a report, worked out or kept; with a tag where the stretch is over, unless the caller `has` the answer of the
    tag. `minute`: the one that it is for, where it is about a window."""
    is_closed = stretch_us is not None
    depends_on = stretch_us or ((0, FOREVER_US) if product.is_wide(scope) else None)
    state = None if depends_on is None else partial(_state_now, product, scope, depends_on)
    make = partial(report, depends_on)
    kept = await product.kept_answer(scope, asked, make, state, is_closed=is_closed, tick=minute)
    document, time_zone = kept.answer[:2]
    tag = None if stretch_us is None else weak_etag_of(document)
    if tag is not None and has is not None and has(tag):
        return _not_modified(tag)
    if product.has_meta(scope):
        meta = product.meta(scope, time_zone, kept.as_of)
    else:
        meta = await product.ask(product.meta, scope, time_zone, kept.as_of)
    body = b"".join((document[:-1], b',"meta":', encoded(meta), b"}"))
    return Response(body, media_type="application/json", headers=None if tag is None else _tagged(tag))


def _columns(by: Sequence[str], more: Sequence[tuple[str, Kind]]) -> list[ExportColumn]:
    return [
        *(ExportColumn(name, "text") for name in by),
        ExportColumn("other", "flag"),
        *map(ExportColumn._make, (*_AMOUNTS, *more)),
    ]


def _flat(row: dict[str, Any], columns: Sequence[ExportColumn]) -> list[Any]:
    """The row's values in the order of the columns; ranges are a column for each end, shares one for each of what they are of."""
    flat = {"other": False, **row}
    for name in ("carbon_gco2e", "carbon_gco2e_linear", "embodied_gco2e", "data_tiers"):
        flat |= {f"{name}_{end}": value for end, value in row[name].items()}
    return [flat[column.name] for column in columns]
