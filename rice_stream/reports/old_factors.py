"""Carbon that rests on carbon intensities older than 18 months when the prompt ended, by region."""

from datetime import date
from typing import Any

from sqlalchemy import text

from rice_stream.instants import SECOND_US, us_from_iso
from rice_stream.quantities import MICRO
from rice_stream.store.engine import Connection
from rice_stream.store.prepared import rows_of, statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import attribution_in, scope_parameters, tenant_key_in
from rice_stream.store.totals_tables import DAYS, SLOTS

OLD_MONTHS = 18
_YEAR, _DATE = '"rci_year":', '"rci_valid_from":"'
"""How a row's `detail` has the year of the data; else, of a factor set, from when on the row holds. It is compact JSON."""
_NOT_OF_A_TABLE = "region_rung NOT IN ('event', 'setting', 'live')"


def old_factors(
    connection: Connection, scope: Scope, from_s: int, *, now_us: int, carbon_ugco2e: int, limit: int | None
) -> dict[str, Any]:
    """Since `from_s` (epoch seconds, on a quarter hour); `carbon_ugco2e` is what shares are of.

    Data of a year are as old as its end, those of a factor set without a year as old as the row's `valid_from`. What events,
    settings and live feeds state has no age here.

    Returns:
        `{"older_than_months", "rows": [{"region", "data_of", "prompts", "carbon_gco2e", "share_of_carbon"}], "rows_total",
        "prompts", "carbon_gco2e", "share_of_carbon"}`, most carbon first; `data_of` are years or dates.
    """
    said = _said(connection.dialect.name)
    found = rows_of(connection, statement(f"SELECT DISTINCT {said} FROM factor_use WHERE {_NOT_OF_A_TABLE}"), {})
    old = {
        each: start_s
        for (each,) in found
        if (start_s := old_from_s(each)) is not None and start_s <= now_us // SECOND_US
    }
    rows = _sums(connection, scope, from_s, said, old) if old else []
    by_region: dict[str, list[Any]] = {}
    for region, data_of, prompts, carbon in rows:
        sums = by_region.setdefault(region, [set(), 0, 0])
        sums[0].add(data_of)
        sums[1] += int(prompts)
        sums[2] += int(carbon)
    ordered = sorted(by_region.items(), key=lambda item: (-item[1][2], item[0]))

    def described(prompts: int, carbon: int) -> dict[str, Any]:
        share = carbon / carbon_ugco2e if carbon_ugco2e else None
        return {"prompts": prompts, "carbon_gco2e": carbon / MICRO, "share_of_carbon": share}

    whole = described(*(sum(sums[place] for _, sums in ordered) for place in (1, 2)))
    shown = [{"region": name, "data_of": sorted(sums[0]), **described(*sums[1:])} for name, sums in ordered[:limit]]
    return {"older_than_months": OLD_MONTHS, "rows": shown, "rows_total": len(ordered), **whole}


def old_from_s(data_of: str) -> int | None:
    """From which instant (epoch seconds, midnight UTC) on data of a year or date are old; None: it is neither.

    >>> old_from_s("2024") == old_from_s("2025-01-01")
    True
    """
    if data_of.isdecimal():
        day = date(int(data_of) + 1, 1, 1)
    else:
        try:
            day = date.fromisoformat(data_of)
        except ValueError:
            return None
    years, month = divmod(day.month - 1 + OLD_MONTHS, 12)
    # A month that is too short for the day: the first of the next.
    first = date(day.year + years, month + 1, 1)
    return us_from_iso(first.isoformat()) // SECOND_US + (day.day - 1) * 86_400


def _said(dialect: str) -> str:
    """The expression of the year or date of a row's carbon intensity; anything else where it has none."""
    place = "strpos" if dialect == "postgresql" else "instr"

    def after(mark: str, length: int) -> str:
        return f"substr(detail, {place}(detail, '{mark}') + {len(mark)}, {length})"

    # Colons are doubled for SQLAlchemy's text.
    said = f"CASE WHEN detail LIKE '%{_DATE}%' THEN {after(_DATE, 10)} ELSE {after(_YEAR, 4)} END"
    return said.replace(":", "\\:")


def _sums(
    connection: Connection, scope: Scope, from_s: int, said: str, old: dict[str, int]
) -> list[tuple[str, str, int, int]]:
    """(region, year or date, prompts, micrograms CO2e) of what ended when the data were old."""
    cases = " ".join(f"WHEN :said_{number} THEN :old_{number}" for number in range(len(old)))
    sums = "SUM(m.prompts) AS prompts, SUM(m.carbon_mid_ugco2e) AS carbon"
    of_keys = (
        f"SELECT o.region, o.said, {sums} FROM {{}} m JOIN o ON o.factor_key = m.factor_key WHERE {{}}"
        f" AND {tenant_key_in(scope, 'm.tenant_key')} AND {attribution_in(scope, 'm')} GROUP BY o.region, o.said"
    )
    days = of_keys.format(DAYS.name, f"m.{DAYS.start} >= :whole_s AND m.{DAYS.start} >= o.old_s")
    within = f"m.{SLOTS.start} >= :from_s AND m.{SLOTS.start} < :whole_s AND m.{SLOTS.start} >= o.old_s"
    query = text(
        "WITH d AS MATERIALIZED (SELECT factor_key, region_resolved AS region,"
        f" {said} AS said FROM factor_use WHERE {_NOT_OF_A_TABLE}),"
        f" o AS MATERIALIZED (SELECT factor_key, region, said, CAST(CASE said {cases} END AS BIGINT) AS old_s FROM d"
        f" WHERE said IN ({', '.join(f':said_{number}' for number in range(len(old)))}))"
        f" SELECT region, said, SUM(prompts), SUM(carbon) FROM ({days} UNION ALL {of_keys.format(SLOTS.name, within)}) s"
        " GROUP BY region, said"
    )
    values: dict[str, Any] = {"from_s": from_s, "whole_s": DAYS.ceil_s(from_s), **scope_parameters(scope)}
    for number, (each, start_s) in enumerate(old.items()):
        values |= {f"said_{number}": each, f"old_{number}": start_s}
    return [tuple(row) for row in connection.execute(query, values)]
