"""What a tenant's month came to, in whole micrograms: by names, as of an instant, with the range of each sum."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rice_stream.errors import UsageError
from rice_stream.instants import datetime_of, rfc3339
from rice_stream.quantities import MEASURES
from rice_stream.reports.carbon_ranges import CarbonRanges
from rice_stream.reports.kinds_behind import KindsBehind
from rice_stream.reports.month_stretch import MonthStretch, month_stretch
from rice_stream.reports.sums import Group, Parts
from rice_stream.reports.totals import asked_of
from rice_stream.reports.totals_query import AmountsAs, TotalsQuery
from rice_stream.reports.totals_rows import CARBON_MID, name_order
from rice_stream.reports.totals_sums import Found, groups_and_parts_once, with_nobodys
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import Connection, Engine
from rice_stream.store.scope import Scope
from rice_stream.store.snapshot import snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthQuestion:
    """The month of a tenant by fields of `sums.FIELDS`; none: all of it in one row.

    `amounts` are with all corrections or as reported; `as_of_us` an instant, None: now.
    """

    tenant: str
    month: str
    by: tuple[str, ...] = ()
    amounts: AmountsAs = "restated"
    as_of_us: int | None = None


class MonthRow(NamedTuple):
    """Sums of all MEASURES by name, the ends of the 80 % range of the carbon, and of it the shares by data tier."""

    names: tuple[Any, ...]
    sums: Mapping[str, int]
    low_ugco2e: int
    high_ugco2e: int
    data_tiers: Mapping[str, float | None]

    def impact(self, name: str) -> int | None:
        """Embodied carbon or water; None where no prompt's method gives them."""
        return self.sums[name] if self.sums["impact_prompts"] else None


class MonthAmounts(NamedTuple):
    """The rows in the order of their names, and what they add up to."""

    stretch: MonthStretch
    as_of_us: int
    fields: tuple[str, ...]
    rows: list[MonthRow]
    total: MonthRow
    parts: Parts
    """What all of it is made of, by the key of the use of factors."""
    digests: Mapping[int, str]
    """Of these uses, in hexadecimal."""


def month_amounts(engine: Engine, scope: Scope, question: MonthQuestion) -> MonthAmounts:
    """The amounts of a month; asked again with the instant of the answer, they are the same, whatever came or was corrected since.

    NotFoundError, UsageError: as from `month_stretch` and `totals`; or an instant that has not come.
    """
    seen = scope.within(question.tenant)
    with snapshot(engine, scope) as connection:
        stretch = month_stretch(connection, scope, question.tenant, question.month)
        now_us = database_now_us(connection)
        if question.as_of_us is not None and question.as_of_us > now_us:
            raise UsageError(f"as of {rfc3339(question.as_of_us)}: that is not over; it is {rfc3339(now_us)}")
        query = TotalsQuery(
            tenant=question.tenant,
            by=question.by,
            start=datetime_of(stretch.low_us),
            end=datetime_of(stretch.high_us),
            amounts=question.amounts,
            as_of=None if question.as_of_us is None else datetime_of(question.as_of_us),
        )
        asked, _, _ = asked_of(connection, seen, query, datetime_of(stretch.high_us))
        found = with_nobodys(asked, groups_and_parts_once(asked))
        rows, total = _rows(connection, found)
    as_of_us = now_us if question.as_of_us is None else question.as_of_us
    return MonthAmounts(stretch, as_of_us, query.fields, rows, total, found.whole_parts, found.digests)


def _rows(connection: Connection, found: Found) -> tuple[list[MonthRow], MonthRow]:
    ranges = CarbonRanges(connection, found.digests, found.digests)
    kinds = KindsBehind(ranges.spreads)

    def row(names: Group, sums: Sequence[int], parts: Parts, nobodys: Parts) -> MonthRow:
        carbon = ranges.of(sums[CARBON_MID], parts)
        named = dict(zip(MEASURES, sums, strict=True))
        return MonthRow(names, named, carbon.low, carbon.high, kinds.tier_shares(parts, nobodys))

    whole = [sum(column) for column in zip(*found.groups.values(), strict=True)] or [0] * len(MEASURES)
    rows = [
        row(names, found.groups[names], found.parts.get(names, {}), found.nobodys.get(names, {}))
        for names in sorted(found.groups, key=name_order)
    ]
    return rows, row((), whole, found.whole_parts, found.whole_nobodys)
