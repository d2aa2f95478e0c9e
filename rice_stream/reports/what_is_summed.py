"""Which rows of which tables make up a sum: whole buckets of totals, records at the edges, and what is left out. Pure."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from rice_stream.instants import DAY_S, HOUR_S, SLOT_S
from rice_stream.reports.grouped_sums import SumsPlan
from rice_stream.reports.knowledge import Knowledge
from rice_stream.reports.spans import Span, cut_at, hull, split_at_buckets
from rice_stream.reports.sums import (
    BOTH,
    DAYS,
    ENTRIES,
    FACTOR_DAYS,
    FACTOR_HOURS,
    LATE_SINCE,
    LATE_UNTIL,
    MINUTES,
    MONTHS,
    PART_MEASURES,
    PURPOSES,
    RECORDED_SINCE,
    RECORDS,
    SHARES,
    SHOWN,
    SLOTS,
    Summand,
    SummedTable,
)
from rice_stream.reports.totals_ground import EVERY_ZONE


class What(NamedTuple):
    """What is summed, whosever it is: of two tenants that are asked for the same, all that is worked out of it is the same."""

    fields: tuple[str, ...]
    spans: tuple[Span, ...]
    dimensions: frozenset[str]
    """The key columns that a table must have to be summed."""
    knowledge: Knowledge
    ranges: bool
    has_one_zone: bool
    """Whether all tenants have the time zone of the spans."""
    minutes_from_us: int
    """Minutes before are quarter hours."""
    has_entries: bool
    """Whether anything corrects their records."""
    has_late: bool
    """Whether any of them came into a month after it was closed, where that is asked for."""
    late_before_us: int = 0
    """Before this instant all that was recorded since the one that is asked for came into months that were closed: entries tell of
    it, and records may be gone."""

    @property
    def left_out(self) -> tuple[SummedTable, ...]:
        """What is taken away."""
        return tuple(each for each in self.knowledge.left_out if each != LATE_UNTIL or self.has_late)


@lru_cache(maxsize=512)
def plan_of(several: tuple[What, ...]) -> SumsPlan:
    """What is added up by fields that totals are kept for, of several questions in one statement.

    Kept: many ask for the same windows of different tenants.
    """
    return SumsPlan(
        each._replace(purpose=each.purpose + len(PURPOSES) * number)
        for number, what in enumerate(several)
        for each in zoned(what, _summands(what))
    )


def zoned(what: What, summands: Sequence[Summand]) -> list[Summand]:
    """The same, each told whether tenants need not be told apart by their time zones."""
    return [
        each._replace(one_zone=what.has_one_zone or all(span.time_zone == EVERY_ZONE for span in each.spans))
        for each in summands
    ]


def of_records(what: What, records: Summand) -> list[Summand]:
    """What is summed of records, with what corrects them, and without what is left out."""
    entries = (ENTRIES,) if what.has_entries and not what.knowledge.reported else ()
    return [records, *(records._replace(source=source) for source in entries), *_left_out_of(what, records)]


def _left_out_of(what: What, summand: Summand) -> list[Summand]:
    """What is taken away of the stretches of a summand."""
    found: list[Summand] = []
    for source in what.left_out:
        spans = list(summand.spans)
        if source == RECORDED_SINCE and what.late_before_us:
            before, spans = cut_at(spans, what.late_before_us)
            found.append(summand._replace(source=LATE_SINCE, spans=before))
        found.append(summand._replace(source=source, spans=spans))
    return found


def _summands(what: What) -> list[Summand]:
    """What is added up by fields that totals are kept for: whole buckets, what is left at the edges, without what is left out."""
    summands = _of_totals(what)
    of_totals = [each for each in summands if each.source.totals is not None] if what.left_out else []
    left_out = [part for each in of_totals for part in _left_out_of(what, each)]
    if what.knowledge.reported and what.has_entries:
        summands = [
            each if each.source.totals is None else each._replace(source=each.source.as_reported) for each in summands
        ]
    return [*summands, *left_out]


def _of_totals(what: What) -> list[Summand]:
    whole, edges = whole_buckets(what)
    shares = (
        [Summand(SLOTS, hull(edges, SLOT_S), SHARES, by_factor=True, measures=PART_MEASURES)] if what.ranges else []
    )
    if what.dimensions:
        return [*whole, *shares, *of_records(what, Summand(RECORDS, edges, SHOWN))]
    # Minutes know no factors, and so the amounts alone. Old ones are quarter hours by now.
    amounts: list[Summand] = []
    older, edges = cut_at(edges, what.minutes_from_us)
    left = [*_take(SLOTS, older, amounts), *_take(MINUTES, edges, amounts)]
    amounts = [each._replace(purpose=SHOWN) for each in amounts]
    return [*whole, *shares, *amounts, *of_records(what, Summand(RECORDS, left, SHOWN))]


def whole_buckets(what: What) -> tuple[list[Summand], list[Span]]:
    """Rows, told apart by the use of factors, of the tables that know all the fields, coarsest first, each leaving to the next what
    lies in no whole bucket of its own; and what is left in the end."""
    dimensions = what.dimensions
    summands: list[Summand] = []
    left = list(what.spans)
    for source in (MONTHS, FACTOR_DAYS, FACTOR_HOURS) if dimensions <= MONTHS.dimensions else (DAYS,):
        if _has_whole(source, what):
            left = _take(source, left, summands)
    if dimensions:
        left = _take(SLOTS, left, summands)
    purpose = BOTH if what.ranges else SHOWN
    return [each._replace(purpose=purpose, by_factor=what.ranges) for each in summands], left


def _has_whole(source: SummedTable, what: What) -> bool:
    """Whether no bucket of a table lies in two of the stretches of time that are told apart."""
    if source is FACTOR_HOURS:
        # A UTC hour holds parts of two days of a time zone that is off by half an hour.
        return "day" not in what.fields or all(span.origin_s % HOUR_S == 0 for span in what.spans)
    if "hour" in what.fields:
        return False
    # A UTC day holds parts of two days of another time zone, and a month many days.
    return "day" not in what.fields or (source is not MONTHS and all(span.origin_s % DAY_S == 0 for span in what.spans))


def _take(source: SummedTable, spans: list[Span], summands: list[Summand]) -> list[Span]:
    """Take what lies in whole buckets of a table of totals; what is left over."""
    if source.totals is None:
        raise AssertionError("records have no buckets")
    whole, edges = split_at_buckets(spans, source.totals)
    summands.append(Summand(source, whole))
    return edges
