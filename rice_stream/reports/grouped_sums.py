"""Sums of totals tables, or of the records themselves, by any of the names a report can be broken down by: one statement."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from operator import add
from typing import Any, NamedTuple

from rice_stream.quantities import MEASURES
from rice_stream.reports.name_filter import ALL_NAMES, NameFilter
from rice_stream.reports.spans import cut_at
from rice_stream.reports.sums import (
    ARCHIVED,
    ARCHIVED_SINCE,
    NOW_US,
    PART_MEASURES,
    RECORDED_SINCE,
    RECORDS,
    Parts,
    Summand,
    SummandShape,
    Summed,
)
from rice_stream.reports.sums_statement import lists_buckets, statement_of
from rice_stream.store.asked_ahead import rows_later
from rice_stream.store.engine import Connection
from rice_stream.store.event_key_columns import key_bounds
from rice_stream.store.prepared import Statement, rows_of
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import attribution_in, scope_parameters, tenant_key_in

_PLAIN_MAX = 8
"""Spans that become summands of their own: a range of one table each, which PostgreSQL plans sooner than a join."""


class SummedRows(NamedTuple):
    """What a statement has summed, and the digests, in hexadecimal, of the uses of factors in the parts."""

    rows: list[Summed]
    digests: Mapping[int, str]


class _Of(NamedTuple):
    """Whose rows are summed: those of a scope and of some names. `tenant_key` is that of its only tenant: a constant, which needs
    no join."""

    scope: Scope
    tenant_key: int | None = None
    where: NameFilter = ALL_NAMES

    @property
    def is_one(self) -> bool:
        """Whether it is one tenant whose key is known."""
        return self.tenant_key is not None

    @property
    def conditions(self) -> str:
        """On a row `m` of a summed table, which has to know the attribution where the scope has teams, and what names are of."""
        tenants = "m.tenant_key = :tenant_key" if self.is_one else tenant_key_in(self.scope, "m.tenant_key")
        return " AND ".join([tenants, attribution_in(self.scope, "m"), *self.where.conditions("m")])

    @property
    def parameters(self) -> dict[str, Any]:
        """Those of the conditions."""
        own = {"tenant_key": self.tenant_key} if self.is_one else {}
        return {**scope_parameters(self.scope), **own, **self.where.parameters}


class SumsPlan:
    """Tables and stretches of time that are summed in one statement, with all that follows from them alone."""

    def __init__(self, summands: Iterable[Summand]) -> None:
        self._summands = tuple(summands)
        self._parts = [part for each in self._summands for part in _apart(each)]
        self.shapes = tuple(
            SummandShape(each.source, each.purpose, each.by_factor, each.measures, rows) for each, rows in self._parts
        )
        self.needs_as_of = any(":as_of_us" in shape.source.condition for shape in self.shapes)
        self.spans_of_records = tuple(
            span for each, _ in self._parts if each.source in (RECORDS, RECORDED_SINCE) for span in each.spans
        )
        """Stretches of which the records themselves are summed."""
        self._bounds: dict[str, dict[str, Any]] = {}
        self._statements: dict[Hashable, Statement] = {}

    def with_archive(self, before_us: int) -> "SumsPlan":
        """The same, where what ended before an instant is in the archive, and no record in the database."""
        return SumsPlan(part for each in self._summands for part in _from_archive(each, before_us))

    def bounds(self, dialect: str) -> Mapping[str, Any]:
        """The parameters that say when."""
        known = self._bounds.get(dialect)
        if known is None:
            known = self._bounds[dialect] = {
                name: bound
                for number, (each, rows) in enumerate(self._parts)
                for name, bound in _bounds(dialect, number, each, rows).items()
            }
        return known

    def statement(
        self, fields: tuple[str, ...], of: _Of, dialect: str, measures: tuple[str, ...] = MEASURES
    ) -> Statement:
        """As `statement_of`, whose parameters are those of `of`, `bounds` and, with `needs_as_of`, `as_of_us`."""
        conditions = of.conditions
        question = fields, conditions, dialect, measures
        known = self._statements.get(question)
        if known is None:
            known = self._statements[question] = statement_of(
                self.shapes, fields, conditions, is_one=of.is_one, dialect=dialect, measures=measures
            )
        return known


class SumsAsked(NamedTuple):
    """What is summed, by which fields, and whose it is.

    `tenant_key` is the key of the only tenant of the scope, where it has one and the key is known. The tables have to know the
    attribution where the scope has teams, and what the names of `where` are of.
    """

    connection: Connection
    scope: Scope
    plan: SumsPlan
    fields: tuple[str, ...]
    tenant_key: int | None = None
    where: NameFilter = ALL_NAMES
    as_of_us: int = NOW_US
    measures: tuple[str, ...] = MEASURES
    """What is added up; of the others the sums are 0."""
    archived: str | None = None
    """The rows of ARCHIVED and ARCHIVED_SINCE, where the plan has them."""

    def statement(self) -> tuple[Statement, dict[str, Any]]:
        """With its parameters."""
        of, dialect = _Of(self.scope, self.tenant_key, self.where), self.connection.dialect.name
        parameters = {**self.plan.bounds(dialect), **of.parameters}
        if self.plan.needs_as_of:
            parameters["as_of_us"] = self.as_of_us
        if self.archived is not None:
            parameters["archived"] = self.archived
        return self.plan.statement(self.fields, of, dialect, self.measures), parameters

    def read(self, rows: Sequence[Sequence[Any]]) -> SummedRows:
        """What the statement has found."""
        if lists_buckets(self.plan.shapes, self.fields):
            return SummedRows(_read_lists(rows, self.measures), {})
        return _read(rows, len(self.fields), self.measures)


def grouped_sums(asked: SumsAsked) -> SummedRows:
    """Sums by question and the values of the fields, and their parts; only groups with prompts. One statement.

    `day` is the number of the local day since 1970-01-01, `hour` the epoch second at which the UTC hour begins.
    """
    return asked.read(rows_of(asked.connection, *asked.statement())) if asked.plan.shapes else SummedRows([], {})


def grouped_sums_later(asked: SumsAsked) -> Callable[[], SummedRows]:
    """The same, asked now and waited for when it is called (`asked_ahead`)."""
    if not asked.plan.shapes:
        return partial(SummedRows, [], {})
    rows = rows_later(asked.connection, *asked.statement())
    return lambda: asked.read(rows())


def _read(rows: Sequence[Sequence[Any]], fields: int, measures: tuple[str, ...]) -> SummedRows:
    """Rows of `statement_of`."""
    is_beginning, zeros = measures == MEASURES[: len(measures)], [0] * (len(MEASURES) - len(measures))
    places = None if is_beginning else [MEASURES.index(name) for name in measures]
    found: list[Summed] = []
    digests: dict[int, str] = {}
    for row in rows:
        question, shown, listed = row[0], row[-2], row[-1]
        if question is None:
            said = listed.split(" ") if listed else []
            digests = dict(zip(map(int, said[::2]), said[1::2], strict=True))
            continue
        sums = None if shown is None else list(map(int, shown.split()))
        if sums is not None and is_beginning:
            sums += zeros
        elif sums is not None and places is not None:
            some, sums = sums, [0] * len(MEASURES)
            for place, value in zip(places, some, strict=True):
                sums[place] = value
        found.append(Summed(question, tuple(row[1 : 1 + fields]), sums, _parts(listed)))
    return SummedRows(found, digests)


def _read_lists(rows: Sequence[Sequence[Any]], measures: tuple[str, ...]) -> list[Summed]:
    """The same of rows that list stretches of time."""
    places, step = [MEASURES.index(name) for name in measures], 1 + len(measures)
    nothing = [0] * len(MEASURES)
    found: list[Summed] = []
    for question, *names, listed in rows:
        said = list(map(int, listed.split()))
        for at in range(0, len(said), step):
            sums = nothing.copy()
            for place, value in zip(places, said[at + 1 : at + step], strict=True):
                sums[place] = value
            found.append(Summed(question, (*names, said[at]), sums, {}))
    return found


def _parts(listed: str | None) -> Parts:
    parts: Parts = {}
    if listed is None:
        return parts
    said = map(int, listed.split())
    for key, *ends in zip(*[said] * (1 + len(PART_MEASURES)), strict=True):  # so many at a time of the one list
        before = parts.get(key)
        parts[key] = ends if before is None else list(map(add, before, ends))
    return parts


_IN_ARCHIVE = {RECORDS: ARCHIVED, RECORDED_SINCE: ARCHIVED_SINCE}


def _from_archive(summand: Summand, before_us: int) -> list[Summand]:
    if summand.source not in _IN_ARCHIVE:
        return [summand]
    before, after = cut_at(list(summand.spans), before_us)
    return [summand._replace(source=_IN_ARCHIVE[summand.source], spans=before), summand._replace(spans=after)]


def _apart(summand: Summand) -> list[tuple[Summand, int]]:
    """One for each span, and 0, where the tenants all have one time zone; else the summand as it is, and the rows of a table of
    spans: only a join with that tells tenants of several zones apart."""
    spans = summand.spans
    if len(spans) > _PLAIN_MAX or not summand.one_zone:
        return [(summand, len(spans))] if spans else []
    return [(summand._replace(spans=[span]), 0) for span in spans]


def _bounds(dialect: str, number: int, summand: Summand, rows: int) -> dict[str, Any]:
    """The parameters of a summand. With a table of spans, the outermost bounds are those that the planner can use an index or a
    partition for."""
    source, spans = summand.source, summand.spans
    low_us, high_us = min(span.from_us for span in spans), max(span.to_us for span in spans)
    bounds: dict[str, Any] = {f"low_{number}": source.bound(low_us), f"high_{number}": source.bound(high_us)}
    if source.start is None:
        bounds[f"key_low_{number}"], bounds[f"key_high_{number}"] = key_bounds(dialect, low_us, high_us)
    if not rows:
        bounds[f"origin_{number}"], bounds[f"day_{number}"] = spans[0].origin_s, spans[0].first_day
        return bounds
    for row, span in enumerate(spans):
        bounds[f"zone_{number}_{row}"] = span.time_zone
        bounds[f"low_{number}_{row}"] = source.bound(span.from_us)
        bounds[f"high_{number}_{row}"] = source.bound(span.to_us)
        bounds[f"origin_{number}_{row}"] = span.origin_s
        bounds[f"day_{number}_{row}"] = span.first_day
    return bounds
