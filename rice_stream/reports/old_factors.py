"""Carbon that rests on carbon intensities older than 18 months when the prompt ended, by region."""

from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import text

from rice_stream.instants import SECOND_US, us_from_iso
from rice_stream.quantities import MICRO
from rice_stream.reports.coverage_parts import CoveredWhole
from rice_stream.store.engine import Connection
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import attribution_in, scope_parameters, tenant_key_in
from rice_stream.store.totals_tables import DAYS, SLOTS

OLD_MONTHS = 18
_YEAR, _DATE = '"rci_year":', '"rci_valid_from":"'
"""How a row's `detail` has the year of the data; else, of a factor set, from when on the row holds. It is compact JSON."""
_OF_NO_TABLE = ("event", "setting", "live")
"""Rungs of places whose carbon intensity has no age here."""


class OfRegion(NamedTuple):
    """Prompts of one region by data of one year or date; `rung` says where its carbon intensity is from."""

    region: str
    rung: str
    data_of: str
    prompts: int
    carbon_ugco2e: int


def old_factors(
    connection: Connection, scope: Scope, from_s: int, kinds: Iterable[OfRegion], whole: CoveredWhole, *, now_us: int
) -> dict[str, Any]:
    """Since `from_s` (epoch seconds, on a quarter hour), of `kinds`, which are all prompts since then. Asks only for data that grew
    old since then.

    Data of a year are as old as its end, those of a factor set without a year as old as the row's `valid_from`. What events,
    settings and live feeds state has no age here.

    Returns:
        `{"older_than_months", "rows": [{"region", "data_of", "prompts", "carbon_gco2e", "share_of_carbon"}], "rows_total",
        "prompts", "carbon_gco2e", "share_of_carbon"}`, most carbon first; `data_of` are years or dates.
    """
    of_tables = [kind for kind in kinds if kind.rung not in _OF_NO_TABLE]
    old = {
        each: start_s
        for each in {kind.data_of for kind in of_tables}
        if (start_s := old_from_s(each)) is not None and start_s <= now_us // SECOND_US
    }
    grew_old = {each: start_s for each, start_s in old.items() if start_s > from_s}
    rows = [
        (kind.region, kind.data_of, kind.prompts, kind.carbon_ugco2e)
        for kind in of_tables
        if kind.data_of in old and kind.data_of not in grew_old
    ]
    if grew_old:
        rows += _sums(connection, scope, from_s, grew_old)
    by_region: dict[str, list[Any]] = {}
    for region, said, prompts, carbon in rows:
        sums = by_region.setdefault(region, [set(), 0, 0])
        sums[0].add(said)
        sums[1] += int(prompts)
        sums[2] += int(carbon)
    ordered = sorted(by_region.items(), key=lambda item: (-item[1][2], item[0]))

    def described(prompts: int, carbon: int) -> dict[str, Any]:
        share = whole.share_of_carbon(carbon)
        return {"prompts": prompts, "carbon_gco2e": carbon / MICRO, "share_of_carbon": share}

    all_of_them = described(*(sum(sums[place] for _, sums in ordered) for place in (1, 2)))
    shown = [
        {"region": name, "data_of": sorted(sums[0]), **described(*sums[1:])} for name, sums in ordered[: whole.limit]
    ]
    return {"older_than_months": OLD_MONTHS, "rows": shown, "rows_total": len(ordered), **all_of_them}


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


def data_of(dialect: str) -> str:
    """SQL of the year or date of the carbon intensity of a row of `factor_use`; anything else where it has none."""
    place = "strpos" if dialect == "postgresql" else "instr"

    def after(mark: str, length: int) -> str:
        return f"substr(detail, {place}(detail, '{mark}') + {len(mark)}, {length})"

    return f"CASE WHEN detail LIKE '%{_DATE}%' THEN {after(_DATE, 10)} ELSE {after(_YEAR, 4)} END"


def _sums(connection: Connection, scope: Scope, from_s: int, old: dict[str, int]) -> list[tuple[str, str, int, int]]:
    """(region, year or date, prompts, micrograms CO2e) of what ended when the data were old."""
    # Colons are no parameters of SQLAlchemy's text.
    said = data_of(connection.dialect.name).replace(":", "\\:")
    of_tables = f"region_rung NOT IN ({', '.join(map(repr, _OF_NO_TABLE))})"
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
        f" {said} AS said FROM factor_use WHERE {of_tables}),"
        f" o AS MATERIALIZED (SELECT factor_key, region, said, CAST(CASE said {cases} END AS BIGINT) AS old_s FROM d"
        f" WHERE said IN ({', '.join(f':said_{number}' for number in range(len(old)))}))"
        f" SELECT region, said, SUM(prompts), SUM(carbon) FROM ({days} UNION ALL {of_keys.format(SLOTS.name, within)}) s"
        " GROUP BY region, said"
    )
    values: dict[str, Any] = {"from_s": from_s, "whole_s": DAYS.ceil_s(from_s), **scope_parameters(scope)}
    for number, (each, start_s) in enumerate(old.items()):
        values |= {f"said_{number}": each, f"old_{number}": start_s}
    return [tuple(row) for row in connection.execute(query, values)]
