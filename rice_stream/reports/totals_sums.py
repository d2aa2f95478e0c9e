"""What `totals` adds up: which rows of which tables, in one statement, and what the range of each sum is made of."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any, NamedTuple

from rice_stream.errors import UsageError
from rice_stream.events.unnamed import UNKNOWN_TENANT
from rice_stream.instants import SLOT_S, rfc3339
from rice_stream.quantities import MEASURES
from rice_stream.reports.carbon_ranges import added_parts
from rice_stream.reports.grouped_sums import SummedRows, SumsAsked, SumsPlan, grouped_sums, grouped_sums_later
from rice_stream.reports.knowledge import ALL_KNOWN, Knowledge
from rice_stream.reports.late_since import came_late
from rice_stream.reports.name_filter import ALL_NAMES, NameFilter
from rice_stream.reports.spans import Span, clip, hull
from rice_stream.reports.sums import (
    BOTH,
    MINUTES,
    NOW_US,
    RECORDS,
    SHOWN,
    SLOTS,
    Group,
    Parts,
    Summand,
    dimensions_within,
)
from rice_stream.reports.totals_ground import Ground
from rice_stream.reports.what_is_summed import What, of_records, plan_of, zoned
from rice_stream.store.engine import Connection
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import found_once, is_found

_PROMPTS = MEASURES.index("prompts")
_ENDS_ALONE = ("carbon_low_ugco2e", "carbon_high_ugco2e")
"""What only ranges are made of."""
_EMBODIED, _TOLD_WITH_IT = "embodied_ugco2e", "impact_prompts"
"""What nothing but its own range is made of, where what it is told with is not asked for."""


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
    """What is added up, PART_MEASURES among it; of the others the sums are 0."""

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

    @property
    def what(self) -> What:
        """The same, whosever it is."""
        return What(
            self.fields,
            tuple(self.spans),
            self.dimensions(self.fields),
            self.knowledge,
            self.ranges,
            len(self.ground.time_zones) == 1,
            self.ground.minutes_from_us,
            self.ground.has_entries,
            self.ground.has_late and self.knowledge.reported,
            self._late_before_us,
        )

    @property
    def _late_before_us(self) -> int:
        low_us, horizon_us = min((span.from_us for span in self.spans), default=NOW_US), self.ground.records_from_us
        as_of_us = self.knowledge.as_of_us
        if as_of_us == NOW_US or low_us >= horizon_us:
            return 0
        high_us = min(max(span.to_us for span in self.spans), horizon_us)
        return horizon_us if came_late(self.connection, self.scope, low_us, high_us, as_of_us) else 0

    def dimensions(self, fields: Sequence[str]) -> frozenset[str]:
        """The key columns that a table must have, to break down by these fields what is asked for."""
        return dimensions_within(self.scope, (*fields, *self.where.names))


_NONE: dict[Any, Any] = {}


class Found(NamedTuple):
    """The exact sums by group, what the range of each is made of, and what that of all of them together is made of."""

    groups: dict[Group, list[int]]
    parts: dict[Group, Parts]
    whole_parts: Parts
    digests: dict[int, str]
    """Of the uses of factors in the parts, in hexadecimal."""
    nobodys: Mapping[Group, Parts] = _NONE
    """The parts of each group that are of no known tenant."""
    whole_nobodys: Parts = _NONE


def groups_and_parts(asked: Asked) -> Found:
    """What is answered, from one statement (users and basis: two).

    Totals know the factors by the quarter hour: of a stretch that cuts one, the shares are those of the whole quarters.
    """
    if asked.dimensions(asked.fields) <= SLOTS.dimensions:
        return _found(_planned_sums(asked, plan_of((asked.what,))))
    # Users, say: totals of all of them would be as many as there are records.
    if not asked.ranges:
        return _found(_sums(asked, of_records(asked.what, Summand(RECORDS, asked.spans, SHOWN))))
    own = _found(_sums(asked, of_records(asked.what, Summand(RECORDS, asked.spans, BOTH, by_factor=True))))
    whole = asked._replace(fields=(), spans=hull(asked.spans, SLOT_S))
    if not whole.dimensions(()) <= SLOTS.dimensions:
        return own
    of_whole = _found(_planned_sums(whole, plan_of((whole.what,))))
    return own._replace(whole_parts=of_whole.whole_parts, digests=own.digests | of_whole.digests)


def groups_and_parts_once(asked: Asked) -> Found:
    """The same, added up once for all questions of one moment that need it."""
    with_ranges = asked._replace(ranges=True).question
    question = with_ranges if is_found(asked.connection, with_ranges) else asked.question
    return found_once(asked.connection, question, partial(groups_and_parts, asked))


def with_nobodys(asked: Asked, found: Found) -> Found:
    """With what is of no known tenant, from one more statement where there is such a tenant and rows are not by tenant."""
    if "tenant" in asked.fields:
        place = asked.fields.index("tenant")
        nobodys = {group: parts for group, parts in found.parts.items() if group[place] == UNKNOWN_TENANT}
        return found._replace(nobodys=nobodys, whole_nobodys=added_parts(nobodys.values())) if nobodys else found
    if not asked.ground.has_unknown_tenant or not asked.scope.has_tenant(UNKNOWN_TENANT):
        return found
    own = groups_and_parts(asked._replace(scope=asked.scope.within(UNKNOWN_TENANT)))
    return found._replace(nobodys=own.parts, whole_nobodys=own.whole_parts)


def several_of(several: Sequence[Asked]) -> list[Found]:
    """Several stretches of the same tenants by the same fields, which totals are kept for, all from one statement."""
    return [found() for found in _each_of(several, cache(partial(grouped_sums, _several(several))))]


def several_later(several: Sequence[Asked]) -> list[Callable[[], Found]]:
    """The same: the statement is sent now, and waited for when one of them is called."""
    return _each_of(several, cache(grouped_sums_later(_several(several))))


def _several(several: Sequence[Asked]) -> SumsAsked:
    return _asked(several[0], plan_of(tuple(asked.what for asked in several)))


def _each_of(several: Sequence[Asked], sums: Callable[[], SummedRows]) -> list[Callable[[], Found]]:
    def found(place: int) -> Found:
        return _found(SummedRows([each for each in sums().rows if each.question == place], sums().digests))

    return [partial(found, place) for place in range(len(several))]


def _sums(asked: Asked, summands: Sequence[Summand], fields: tuple[str, ...] | None = None) -> SummedRows:
    return _planned_sums(asked, SumsPlan(zoned(asked.what, summands)), fields)


def _planned_sums(asked: Asked, plan: SumsPlan, fields: tuple[str, ...] | None = None) -> SummedRows:
    return grouped_sums(_asked(asked, plan, fields))


def _asked(asked: Asked, plan: SumsPlan, fields: tuple[str, ...] | None = None) -> SumsAsked:
    fields = asked.fields if fields is None else fields
    plan, archived = _with_archive(asked, plan, fields)
    measures = asked.measures if asked.ranges else _without_ranges(asked.measures)
    of = asked.connection, asked.scope, plan, fields, asked.ground.tenant_key, asked.where
    return SumsAsked(*of, as_of_us=asked.knowledge.as_of_us, measures=measures, archived=archived)


def _with_archive(asked: Asked, plan: SumsPlan, fields: tuple[str, ...]) -> tuple[SumsPlan, str | None]:
    """The plan with what has been dropped of its records from the archive, and that; None: nothing it needs has been dropped."""
    horizon_us = asked.ground.records_from_us
    dropped = [span for each in plan.spans_of_records if (span := clip(each, each.from_us, horizon_us))]
    if not dropped:
        return plan, None
    # What reads the archive is loaded where something has been dropped, not at the start of every server.
    from rice_stream.reports.archived_sums import archived_sums, dropped_tenants

    tenants = dropped_tenants(asked.connection, asked.scope, dropped)
    if tenants.gaps_us:
        of_these = replace(asked.scope, tenants=frozenset(tenants.gaps_us))
        gap_us = min(tenants.gaps_us.values())
        nowhere = [span for each in dropped if (span := clip(each, gap_us, each.to_us))]
        _require_records(asked._replace(scope=of_these), nowhere)
    if not tenants.files:
        return plan, None
    as_of_us = asked.knowledge.as_of_us if plan.needs_as_of else None
    archived = archived_sums(
        asked.connection, asked.scope, tenants, dropped, fields, asked.dimensions(fields), asked.where, as_of_us
    )
    return plan.with_archive(horizon_us), archived


@cache
def _without_ranges(measures: tuple[str, ...]) -> tuple[str, ...]:
    needless = _ENDS_ALONE if _TOLD_WITH_IT in measures else (*_ENDS_ALONE, _EMBODIED)
    return tuple(name for name in measures if name not in needless)


def _found(sums: SummedRows) -> Found:
    groups = {each.group: each.sums for each in sums.rows if each.sums is not None}
    parts = {each.group: each.parts for each in sums.rows}
    return Found(groups, parts, added_parts(parts.values()), dict(sums.digests))


def _require_records(asked: Asked, dropped: list[Span]) -> None:
    """UsageError where there were prompts in stretches whose records are neither kept nor all in the archive: the answer would be
    too small, and not say so."""
    if not dropped:
        return
    horizon_us = asked.ground.records_from_us
    # Totals do not know users: what others had dropped counts as well.
    known = asked._replace(where=asked.where.without("user"))
    source = SLOTS if known.dimensions(()) else MINUTES
    found = _sums(known, [Summand(source, hull(dropped, SLOT_S))], ())
    prompts = sum(each.sums[_PROMPTS] for each in found.rows if each.sums is not None)
    if prompts:
        raise UsageError(
            f"this needs the records themselves, and those of {prompts} prompts before {rfc3339(horizon_us)} are no longer"
            f" kept (RICE_RETENTION_DAYS), nor all in the archive: use --from {rfc3339(horizon_us)} or later; or leave out user and"
            " basis, and let --from and --to lie on quarter hours"
        )
