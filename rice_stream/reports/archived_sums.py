"""Sums of records that retention has dropped, from the archive: rows that a statement adds up beside what the database has.

Records are added up here by the keys that are asked for and by the stretches of time that are told apart: the database is given
about as many rows as the answer has.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text

from rice_stream.instants import DAY_S, HOUR_S, SECOND_US, SLOT_S
from rice_stream.meter.amounts import Totals, roll_up
from rice_stream.quantities import MEASURES, UNKNOWN, Ints
from rice_stream.reports.archived_prompts import ArchivedPrompts
from rice_stream.reports.name_filter import NameFilter
from rice_stream.reports.prompt_filter import PromptFilter
from rice_stream.reports.spans import Span
from rice_stream.reports.sums import ARCHIVED_COLUMNS
from rice_stream.reports.totals_ground import EVERY_ZONE
from rice_stream.store.archive.kept import ArchivedFile, dropped_by_tenant, gaps_us
from rice_stream.store.archive.month_rows import RecordRows
from rice_stream.store.engine import Connection
from rice_stream.store.measured_columns import of_columns
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import has_any_of, scope_parameters

_RECORDS_AT_ONCE = 20_000
_ROWS_KEPT = 200_000
"""Rows that are held before they are added up again."""
_KEYS = ("attribution_key", "factor_key", "user_key", "basis_flags")
_READ = tuple(name for name in MEASURES if name not in ("prompts", "impact_prompts"))


class DroppedTenants(NamedTuple):
    """What the archive has of records of tenants that have been dropped."""

    time_zones: dict[int, str]
    """Of all tenants that are asked for, by their key."""
    files: dict[int, list[ArchivedFile]]
    gaps_us: dict[str, int]
    """From when on records of a tenant, by its id, are in no file; without those whose records all are."""


def dropped_tenants(connection: Connection, scope: Scope, spans: Sequence[Span]) -> DroppedTenants:
    """Of the tenants of a scope and stretches of time before the horizon, one at least."""
    asked = (
        f"SELECT t.tenant_key, t.time_zone, t.tenant_id FROM tenant t WHERE {has_any_of(scope)} ORDER BY t.tenant_key"
    )
    rows = connection.execute(text(asked), scope_parameters(scope)).all()
    time_zones, ids = {key: zone for key, zone, _ in rows}, {key: tenant_id for key, _, tenant_id in rows}
    low_us, high_us = min(span.from_us for span in spans), max(span.to_us for span in spans)
    files = dropped_by_tenant(connection, low_us, high_us)
    return DroppedTenants(
        time_zones,
        {key: files[key] for key in time_zones if key in files},
        {ids[key]: gap_us for key, gap_us in gaps_us(connection, list(ids), low_us, high_us).items()},
    )


def archived_sums(
    connection: Connection,
    scope: Scope,
    tenants: DroppedTenants,
    spans: Sequence[Span],
    fields: Collection[str],
    dimensions: Collection[str],
    where: NameFilter,
    as_of_us: int | None,
) -> str:
    """The rows of `sums.ARCHIVED` for these stretches, by `fields` of time and key columns; and, with `as_of_us`, those of
    `ARCHIVED_SINCE` of what was recorded after it. DamagedArchiveError: a file is not what was written."""
    rows: list[list[int | None]] = []
    for tenant_key, files in tenants.files.items():
        of_tenant = [span for span in spans if span.time_zone in (EVERY_ZONE, tenants.time_zones[tenant_key])]
        if not of_tenant:
            continue
        stretches = _Stretches(of_tenant, fields)
        prompts = ArchivedPrompts(connection, scope, tenant_key, PromptFilter(where=where), stretches.bounds_us)
        wanted = {"factor_key", *dimensions}
        columns = {*_READ, *wanted, *({"recorded_us"} if as_of_us is not None else ())}
        batches = prompts.batches(files, _RECORDS_AT_ONCE, columns)
        rows += _rows(tenant_key, _added_up(batches, stretches, wanted, as_of_us), stretches)
    return json.dumps(rows, separators=(",", ":"))


class _Stretches:
    """Stretches of time that are told apart: between the bounds of spans, and in them by day or hour where that is asked for."""

    def __init__(self, spans: Sequence[Span], fields: Collection[str]) -> None:
        self._bounds_us = np.unique([bound for span in spans for bound in (span.from_us, span.to_us)])
        self.bounds_us = int(self._bounds_us[0]), int(self._bounds_us[-1])
        of_each = [
            next((span for span in spans if span.from_us <= low_us < span.to_us), None)
            for low_us in self._bounds_us[:-1].tolist()
        ]
        self._is_asked = np.array([span is not None for span in of_each])
        by_day, by_hour = "day" in fields, "hour" in fields
        # An hour of UTC may lie in two days of a time zone, a quarter of one does not.
        length_s = (SLOT_S if by_day else HOUR_S) if by_hour else DAY_S if by_day else 0
        self._length_us = length_s * SECOND_US
        origins_s = [span.origin_s if by_day and not by_hour and span is not None else 0 for span in of_each]
        self._origins_us = np.array(origins_s, dtype=np.int64) * SECOND_US

    def places(self, ended_at_us: Ints) -> tuple[Ints, Ints, NDArray[np.bool_]]:
        """The stretch that each instant (all within `bounds_us`) lies in, as two numbers, and whether it is asked for."""
        stretch = np.searchsorted(self._bounds_us, ended_at_us, side="right") - 1
        if not self._length_us:
            return stretch, np.zeros_like(stretch), self._is_asked[stretch]
        return stretch, (ended_at_us - self._origins_us[stretch]) // self._length_us, self._is_asked[stretch]

    def instants_us(self, stretch: Ints, part: Ints) -> Ints:
        """An instant of each stretch."""
        first: Ints = self._bounds_us[stretch]
        return first if not self._length_us else np.maximum(first, self._origins_us[stretch] + part * self._length_us)


def _added_up(
    batches: Iterator[RecordRows], stretches: _Stretches, wanted: Collection[str], as_of_us: int | None
) -> Totals:
    """By stretch, key columns and whether it was recorded since."""
    found: list[Totals] = []
    for rows in batches:
        measures = np.column_stack([of_columns(name, rows.numbers, len(rows)) for name in MEASURES])
        stretch, part, is_asked = stretches.places(rows.numbers["ended_at_us"])
        names = [rows.numbers[name] if name in wanted else np.zeros_like(stretch) for name in _KEYS]
        since = np.zeros_like(stretch)
        chosen = np.flatnonzero(is_asked)
        found.append(roll_up([key[chosen] for key in (stretch, part, *names, since)], measures[chosen]))
        if as_of_us is not None:
            later = np.flatnonzero(is_asked & (rows.numbers["recorded_us"] > as_of_us))
            found.append(roll_up([key[later] for key in (stretch, part, *names, since + 1)], measures[later]))
        if sum(map(len, found)) > _ROWS_KEPT:
            found = [_together(found)]
    return _together(found)


def _together(found: Sequence[Totals]) -> Totals:
    if not found:
        return roll_up([np.empty(0, dtype=np.int64)] * (3 + len(_KEYS)), np.empty((0, len(MEASURES)), dtype=np.int64))
    return roll_up(list(np.concatenate([each.keys for each in found]).T), np.concatenate([each.sums for each in found]))


def _rows(tenant_key: int, added: Totals, stretches: _Stretches) -> list[list[int | None]]:
    stretch, part, *names, since = added.keys.T
    columns: dict[str, Any] = dict(zip(_KEYS, names, strict=True))
    columns |= {
        "tenant_key": np.full(len(added), tenant_key),
        "ended_at_us": stretches.instants_us(stretch, part),
        "is_since": since,
        **dict(zip(MEASURES, added.sums.T, strict=True)),
    }
    nobody = ARCHIVED_COLUMNS.index("user_key")
    rows: list[list[int | None]] = np.column_stack([columns[name] for name in ARCHIVED_COLUMNS]).tolist()
    for row in rows:
        row[nobody] = None if row[nobody] == UNKNOWN else row[nobody]
    return rows
