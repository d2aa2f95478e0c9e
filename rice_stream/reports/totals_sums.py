"""What `totals` adds up: which rows of which tables, in one statement, and what the range of each sum is made of."""

from collections.abc import Collection, Hashable, Sequence
from functools import partial
from typing import NamedTuple

from rice_stream.errors import UsageError
from rice_stream.instants import DAY_S, HOUR_S, SLOT_S, rfc3339
from rice_stream.quantities import MEASURES
from rice_stream.reports.carbon_ranges import added_parts
from rice_stream.reports.grouped_sums import SummedRows, grouped_sums
from rice_stream.reports.knowledge import ALL_KNOWN, Knowledge
from rice_stream.reports.name_filter import ALL_NAMES, NameFilter
from rice_stream.reports.spans import Span, clip, cut_at, hull, split_at_buckets
from rice_stream.reports.sums import (
    BOTH,
    DAYS,
    ENTRIES,
    FACTOR_DAYS,
    FACTOR_HOURS,
    MINUTES,
    MONTHS,
    PURPOSES,
    RECORDED_SINCE,
    RECORDS,
    SHARES,
    SHOWN,
    SLOTS,
    Group,
    Parts,
    Summand,
    Summed,
    SummedTable,
    dimensions_within,
)
from rice_stream.reports.totals_ground import EVERY_ZONE, Ground
from rice_stream.store.engine import Connection
from rice_stream.store.factor_spreads import ENDS
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import found_once, is_found

_PROMPTS = MEASURES.index("prompts")
_ENDS_ALONE = ("carbon_low_ugco2e", "carbon_high_ugco2e")
"""What only ranges are made of."""


class Asked(NamedTuple):
    """What is summed, by which fields, whose it is, and of which names."""

    connection: Connection
    scope: Scope
    fields: tuple[str, ...]
    spans: list[Span]
    ground: Ground
    where: NameFilter = ALL_NAMES
    knowledge: Knowledge = ALL_KNOWN
    ranges: bool = True
    """Whether it is asked what the ranges of the sums are made of."""
    measures: tuple[str, ...] = MEASURES
    """What is added up, ENDS among it; of the others the sums are 0."""

    @property
    def question(self) -> Hashable:
        """All that the sums depend on besides what is stored."""
        return (
            "sums",
            self.scope,
            self.fields,
            tuple(self.spans),
            self.where,
            self.knowledge,
            self.ranges,
            self.measures,
        )

    def dimensions(self, fields: Sequence[str]) -> frozenset[str]:
        """The key columns that a table must have, to break down by these fields what is asked for."""
        return dimensions_within(self.scope, (*fields, *self.where.names))


class Found(NamedTuple):
    """The exact sums by group, what the range of each is made of, and what that of all of them together is made of."""

    groups: dict[Group, list[int]]
    parts: dict[Group, Parts]
    whole_parts: Parts
    digests: dict[int, str]
    """Of the uses of factors in the parts, in hexadecimal."""


def groups_and_parts(asked: Asked) -> Found:
    """What is answered, from one statement (users and basis: two).

    Totals know the factors by the quarter hour: of a stretch that cuts one, the shares are those of the whole quarters.
    """
    if not asked.dimensions(asked.fields) <= SLOTS.dimensions:
        # Users, say: totals of all of them would be as many as there are records.
        if not asked.ranges:
            return _found(_sums(asked, _of_records(asked, Summand(RECORDS, asked.spans, SHOWN))))
        own = _found(_sums(asked, _of_records(asked, Summand(RECORDS, asked.spans, BOTH, by_factor=True))))
        whole = asked._replace(fields=(), spans=hull(asked.spans, SLOT_S))
        if not whole.dimensions(()) <= SLOTS.dimensions:
            return own
        of_whole = _found(_sums(whole, _summands(whole)))
        return own._replace(whole_parts=of_whole.whole_parts, digests=own.digests | of_whole.digests)
    return _found(_sums(asked, _summands(asked)))


def groups_and_parts_once(asked: Asked) -> Found:
    """The same, added up once for all questions of one moment that need it."""
    with_ranges = asked._replace(ranges=True).question
    question = with_ranges if is_found(asked.connection, with_ranges) else asked.question
    return found_once(asked.connection, question, partial(groups_and_parts, asked))


def several_of(several: Sequence[Asked]) -> list[Found]:
    """Several stretches of the same tenants by the same fields, which totals are kept for, all from one statement."""
    summands = [
        each._replace(purpose=each.purpose + len(PURPOSES) * number)
        for number, asked in enumerate(several)
        for each in _summands(asked)
    ]
    sums = _sums(several[0], summands)
    found: list[list[Summed]] = [[] for _ in several]
    for each in sums.rows:
        found[each.question].append(each)
    return [_found(SummedRows(rows, sums.digests)) for rows in found]


def _of_records(asked: Asked, records: Summand) -> list[Summand]:
    """What is summed of records, with what corrects them, and without what is left out."""
    return [records, *(records._replace(source=source) for source in (ENTRIES, *asked.knowledge.left_out))]


def _summands(asked: Asked) -> list[Summand]:
    """What is added up by fields that totals are kept for: whole buckets, what is left at the edges, without what is left out."""
    summands = _of_totals(asked)
    left_out = asked.knowledge.left_out
    of_totals = [each for each in summands if each.source.totals is not None] if left_out else []
    return [*summands, *(each._replace(source=source) for each in of_totals for source in left_out)]


def _of_totals(asked: Asked) -> list[Summand]:
    whole, edges = _whole_buckets(asked)
    shares = [Summand(SLOTS, hull(edges, SLOT_S), SHARES, by_factor=True, measures=ENDS)] if asked.ranges else []
    if asked.dimensions(asked.fields):
        return [*whole, *shares, *_of_records(asked, Summand(RECORDS, edges, SHOWN))]
    # Minutes know no factors, and so the amounts alone. Old ones are quarter hours by now.
    amounts: list[Summand] = []
    older, edges = cut_at(edges, asked.ground.minutes_from_us)
    left = [*_take(SLOTS, older, amounts), *_take(MINUTES, edges, amounts)]
    amounts = [each._replace(purpose=SHOWN) for each in amounts]
    return [*whole, *shares, *amounts, *_of_records(asked, Summand(RECORDS, left, SHOWN))]


def _is_one_zone(asked: Asked, spans: Sequence[Span]) -> bool:
    """Whether tenants need not be told apart by their time zones."""
    return len(asked.ground.time_zones) == 1 or all(span.time_zone == EVERY_ZONE for span in spans)


def _whole_buckets(asked: Asked) -> tuple[list[Summand], list[Span]]:
    """Rows, told apart by the use of factors, of the tables that know all the fields, coarsest first, each leaving to the next what
    lies in no whole bucket of its own; and what is left in the end."""
    dimensions = asked.dimensions(asked.fields)
    summands: list[Summand] = []
    left = asked.spans
    for source in (MONTHS, FACTOR_DAYS, FACTOR_HOURS) if dimensions <= MONTHS.dimensions else (DAYS,):
        if _has_whole(source, asked):
            left = _take(source, left, summands)
    if dimensions:
        left = _take(SLOTS, left, summands)
    purpose = BOTH if asked.ranges else SHOWN
    return [each._replace(purpose=purpose, by_factor=asked.ranges) for each in summands], left


def _has_whole(source: SummedTable, asked: Asked) -> bool:
    """Whether no bucket of a table lies in two of the stretches of time that are told apart."""
    if source is FACTOR_HOURS:
        # A UTC hour holds parts of two days of a time zone that is off by half an hour.
        return "day" not in asked.fields or all(span.origin_s % HOUR_S == 0 for span in asked.spans)
    if "hour" in asked.fields:
        return False
    # A UTC day holds parts of two days of another time zone, and a month many days.
    return "day" not in asked.fields or (
        source is not MONTHS and all(span.origin_s % DAY_S == 0 for span in asked.spans)
    )


def _take(source: SummedTable, spans: list[Span], summands: list[Summand]) -> list[Span]:
    """Take what lies in whole buckets of a table of totals; what is left over."""
    if source.totals is None:
        raise AssertionError("records have no buckets")
    whole, edges = split_at_buckets(spans, source.totals)
    summands.append(Summand(source, whole))
    return edges


def _sums(asked: Asked, summands: list[Summand], fields: tuple[str, ...] | None = None) -> SummedRows:
    summands = [each._replace(one_zone=_is_one_zone(asked, each.spans)) for each in summands]
    for each in summands:
        if each.source in (RECORDS, RECORDED_SINCE):
            _require_records(asked, each.spans)
    fields = asked.fields if fields is None else fields
    measures = asked.measures if asked.ranges else tuple(name for name in asked.measures if name not in _ENDS_ALONE)
    of = asked.connection, asked.scope, summands, fields, asked.ground.tenant_key, asked.where
    return grouped_sums(*of, as_of_us=asked.knowledge.as_of_us, measures=measures)


def _found(sums: SummedRows) -> Found:
    groups = {each.group: each.sums for each in sums.rows if each.sums is not None}
    parts = {each.group: each.parts for each in sums.rows}
    return Found(groups, parts, added_parts(parts.values()), dict(sums.digests))


def _require_records(asked: Asked, spans: Collection[Span]) -> None:
    """UsageError where records of the stretch have been dropped: the answer would be too small, and not say so."""
    horizon_us = asked.ground.records_from_us
    dropped = [clipped for span in spans if (clipped := clip(span, span.from_us, horizon_us))]
    # Totals do not know users: what others had dropped counts as well.
    known = asked._replace(where=asked.where.without("user"))
    source = SLOTS if known.dimensions(()) else MINUTES
    found = _sums(known, [Summand(source, hull(dropped, SLOT_S))], ())
    prompts = sum(each.sums[_PROMPTS] for each in found.rows if each.sums is not None)
    if prompts:
        raise UsageError(
            f"this needs the records themselves, and those of {prompts} prompts before {rfc3339(horizon_us)} are no longer"
            f" kept (RICE_RETENTION_DAYS): use --from {rfc3339(horizon_us)} or later; or leave out user and basis, and let"
            " --from and --to lie on quarter hours"
        )
