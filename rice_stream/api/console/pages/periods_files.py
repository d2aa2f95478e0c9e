"""Files of months and years: questions to the API with the days of a time zone between which they lie."""

from collections.abc import Sequence
from datetime import date

from rice_stream.api.console.addresses import query_of
from rice_stream.api.console.stretches import BarTime, next_month
from rice_stream.reports.totals_query import AmountsAs

_BY = "tenant,team,project,provider,model,region"
_TABLES = ("csv", "parquet")
_EXPORTS = (
    ("chargeback", "Chargeback", ("csv", "parquet", "xlsx"), True),
    ("focus", "FOCUS", _TABLES, False),
    ("scope-pack", "Scope pack", ("pdf", "json"), False),
    ("sci", "SCI for AI", ("json",), False),
)
"""Kind, title, forms, and whether it can be asked for as reported."""


def month_files(month: BarTime, zone: str, tenant: str | None, amounts: AmountsAs = "restated") -> list[dict[str, str]]:
    """Totals by all names that reports are made of, and every prompt."""
    first = date.fromisoformat(f"{month.key}-01")
    between = _between(first, next_month(first), zone, tenant)
    return [
        _file("Totals", "/v1/totals", [*between, ("by", _BY), *_as(amounts)]),
        _file("Prompts", "/v1/prompts", [*between, ("newest_first", "false")]),
        *([] if tenant is None else _exports(tenant, month.key, amounts)),
    ]


def _exports(tenant: str, month: str, amounts: AmountsAs) -> list[dict[str, str]]:
    """What is made of a tenant's own month, by the calendar of the tenant."""
    pairs = [("tenant", tenant), ("month", month)]
    return [
        _file(title, f"/v1/exports/{kind}", [*pairs, *(_as(amounts) if takes_amounts else [])], forms)
        for kind, title, forms, takes_amounts in _EXPORTS
    ]


def year_files(year: int, zone: str, tenant: str | None, amounts: AmountsAs = "restated") -> list[dict[str, str]]:
    """Its months by tenant, and by all names."""
    between = _between(date(year, 1, 1), date(year + 1, 1, 1), zone, tenant)
    return [
        _file("Months by tenant", "/v1/totals", [*between, ("by", "tenant"), ("bucket", "month"), *_as(amounts)]),
        _file("Months by all names", "/v1/totals", [*between, ("by", _BY), ("bucket", "month"), *_as(amounts)]),
    ]


def _between(start: date, end: date, zone: str, tenant: str | None) -> list[tuple[str, str]]:
    whose = [("tenant", tenant)] if tenant else []
    return [*whose, ("from", start.isoformat()), ("to", end.isoformat()), ("time_zone", zone)]


def _as(amounts: AmountsAs) -> list[tuple[str, str]]:
    return [("as", amounts)] if amounts != "restated" else []


def _file(title: str, path: str, pairs: list[tuple[str, str]], forms: Sequence[str] = _TABLES) -> dict[str, str]:
    asked = f"{path}?{query_of(pairs)}&format="
    return {"title": title, **{form: f"{asked}{form}" for form in forms}}
