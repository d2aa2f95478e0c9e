"""Months of tenants as they are listed: those that are open and had prompts, and those that are closed with what was asserted."""

import json
from bisect import bisect_left
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select, text

from rice_stream.channels.months import Month
from rice_stream.instants import epoch_us, rfc3339
from rice_stream.quantities import MARKET_COLUMN, MICRO
from rice_stream.reports.pages import PAGE_ROWS, not_a_position, packed, page, unpacked
from rice_stream.reports.tenants import tenants
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.store import schema
from rice_stream.store.engine import Engine
from rice_stream.store.prepared import rows_of, statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters, tenant_key_in
from rice_stream.store.scoped import scoped_reading

_SHOWN = (
    "month",
    "state",
    "low_us",
    "high_us",
    "records",
    "entries",
    "assertion",
    "root",
    "note",
    "checklist",
    "marked_us",
    "marked_by",
    "soft_closed_us",
    "soft_closed_by",
    "closed_us",
    "closed_by",
)


def periods(engine: Engine, scope: Scope, now: datetime, *, tenant: str | None = None) -> list[dict[str, Any]]:
    """Months by tenant, the latest first; who sees some teams only sees none, for a month is the whole tenant's.

    Returns:
        `[{"tenant_id", "month", "state" (open, closing, soft_closed, closed), "from", "to", "records", "entries", "carbon_gco2e",
        "carbon_market_gco2e", "root", "checkpoint", "checklist", "marked_at", "marked_by", "soft_closed_at", "soft_closed_by",
        "closed_at", "closed_by"}]`. Carbon (`carbon_gco2e` with every range added up) and `records` of a closed month are what was
        asserted as reported, of an open one those of now; `root` is hexadecimal, `checkpoint` the signed note.
    """
    seen = scope.within(tenant)
    if seen.teams:
        return []
    zones = {each["tenant_id"]: each["time_zone"] for each in tenants(engine, seen)}
    found = _closed(engine, seen)
    for tenant_id, month, row in _with_prompts(engine, seen, now):
        found.setdefault((tenant_id, month), _open(tenant_id, Month.of(month, zones[tenant_id]), row))
    return [found[key] for key in sorted(found, key=lambda key: _order(*key))]


def period_page(
    engine: Engine,
    scope: Scope,
    now: datetime,
    *,
    tenant: str | None = None,
    after: bytes | None = None,
    limit: int = PAGE_ROWS,
) -> dict[str, Any]:
    """As `periods`, in their order: `{"rows": at most `limit`, "next"}`. Only tenants of the page are looked at."""
    seen = scope.within(tenant)
    if seen.teams:
        return page([], limit, _position, dict)
    names = sorted(each["tenant_id"] for each in tenants(engine, seen))
    last = None if after is None else _place(after)
    left = names if last is None else names[bisect_left(names, last[0]) :]
    found: list[dict[str, Any]] = []
    while left and len(found) <= limit:
        some, left = left[:limit], left[limit:]
        rows = periods(engine, Scope(frozenset(some)), now)
        found += rows if last is None else [row for row in rows if _order(row["tenant_id"], row["month"]) > last]
    return page(found[: limit + 1], limit, _position, dict)


def closed_periods(engine: Engine, scope: Scope, year: int, *, limit: int, first: int = 0) -> dict[str, Any]:
    """Those of a year that are not open, without a look at totals: `{"rows", "rows_total", "states": {month: {state: tenants}}}`.

    `rows` as from `periods`, the latest month first, at most `limit` from the place `first` on.
    """
    columns = schema.period.c
    if scope.teams:
        return {"rows": [], "rows_total": 0, "states": {}}
    seen = text(tenant_key_in(scope, "period.tenant_key")), columns.month.like(f"{year:04d}-%")
    counts = statement(
        f"SELECT month, state, COUNT(*) FROM period WHERE {tenant_key_in(scope, 'period.tenant_key')} AND month LIKE :months"
        " GROUP BY month, state"
    )
    states: dict[str, dict[str, int]] = {}
    with scoped_reading(engine, scope) as connection:
        for month, state, count in rows_of(connection, counts, {**scope_parameters(scope), "months": f"{year:04d}-%"}):
            states.setdefault(month, {})[state] = count
        if not states:
            return {"rows": [], "rows_total": 0, "states": {}}
        query = (
            _query().where(*seen).order_by(columns.month.desc(), schema.tenant.c.tenant_id).offset(first).limit(limit)
        )
        rows = [_described(row) for row in connection.execute(query, scope_parameters(scope)).mappings()]
    return {"rows": rows, "rows_total": sum(sum(each.values()) for each in states.values()), "states": states}


def _order(tenant_id: str, month: str) -> tuple[str, int]:
    return tenant_id, -int(month.replace("-", ""))


def _position(row: Mapping[str, Any]) -> bytes:
    tenant_id, month = _order(row["tenant_id"], row["month"])
    return packed(month) + tenant_id.encode()


def _place(position: bytes) -> tuple[str, int]:
    [month] = unpacked(position, 1)
    try:
        return position[8:].decode(), month
    except UnicodeDecodeError as error:
        raise not_a_position() from error


def _with_prompts(engine: Engine, scope: Scope, now: datetime) -> list[tuple[str, str, Mapping[str, Any]]]:
    answer = totals(engine, scope, TotalsQuery(by=["tenant"], bucket="month", amounts="restated"), now)
    return [(row["tenant"], row["month"], row) for row in answer["rows"]]


def _closed(engine: Engine, scope: Scope) -> dict[tuple[str, str], dict[str, Any]]:
    query = _query().where(text(tenant_key_in(scope, "period.tenant_key")))
    with scoped_reading(engine, scope) as connection:
        rows = connection.execute(query, scope_parameters(scope)).mappings()
        return {(row["tenant_id"], row["month"]): _described(row) for row in rows}


def _query() -> Select[Any]:
    names, columns = schema.tenant, schema.period.c
    shown = (columns[name] for name in _SHOWN)
    return select(names.c.tenant_id, *shown).join(names, names.c.tenant_key == columns.tenant_key)


def _described(row: Mapping[Any, Any]) -> dict[str, Any]:
    stated = {} if row["assertion"] is None else json.loads(row["assertion"])
    return {
        "tenant_id": row["tenant_id"],
        "month": row["month"],
        "state": row["state"],
        "from": rfc3339(row["low_us"]),
        "to": rfc3339(row["high_us"]),
        "records": row["records"],
        "entries": row["entries"],
        "carbon_gco2e": _carbon(stated["reported"]) if stated else None,
        "carbon_market_gco2e": _market(stated["reported"]) if stated else None,
        "root": None if row["root"] is None else bytes(row["root"]).hex(),
        "checkpoint": row["note"],
        "checklist": json.loads(row["checklist"]),
        **{
            f"{step}_{what}": value if what == "by" or value is None else rfc3339(value)
            for step in ("marked", "soft_closed", "closed")
            for what, value in (("at", row[f"{step}_us"]), ("by", row[f"{step}_by"]))
        },
    }


def _open(tenant_id: str, month: Month, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "month": month.name,
        "state": "open",
        "from": rfc3339(epoch_us(month.start)),
        "to": rfc3339(epoch_us(month.end)),
        "records": row["prompts"],
        "entries": None,
        "carbon_gco2e": {
            "low": row["carbon_gco2e_linear"]["low"],
            "mid": row["carbon_gco2e"]["mid"],
            "high": row["carbon_gco2e_linear"]["high"],
        },
        "carbon_market_gco2e": row["carbon_market_gco2e"],
        "root": None,
        "checkpoint": None,
        "checklist": None,
        **dict.fromkeys(f"{step}_{what}" for step in ("marked", "soft_closed", "closed") for what in ("at", "by")),
    }


def _carbon(sums: Mapping[str, Any]) -> dict[str, float]:
    return {end: int(sums[f"carbon_{end}_ugco2e"]) / MICRO for end in ("low", "mid", "high")}


def _market(sums: Mapping[str, Any]) -> float | None:
    """None of a month that was closed by a version that did not state it."""
    stated = sums.get(MARKET_COLUMN)
    return None if stated is None else int(stated) / MICRO
