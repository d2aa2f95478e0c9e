"""The lines that make of what records amount to what they ought to amount to, by cause. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rice_stream.meter.restated import Restated
from rice_stream.quantities import ENTRY_AMOUNTS, MARKET_COLUMN, Ints
from rice_stream.store.entries import ENTRY_COLUMNS, Entries
from rice_stream.store.entry_columns import Cause
from rice_stream.store.recorded_chunks import RecordedChunk


class Lines(NamedTuple):
    """Entries by their cause; `names` are those of their amounts."""

    by_cause: dict[Cause, Entries]
    names: tuple[str, ...] = ENTRY_AMOUNTS
    net: Entries | None = None
    """What those of all causes add up to, in fewer lines; None: in no fewer."""

    @property
    def added_up(self) -> list[Entries]:
        """Lines that add to totals what all of them add."""
        return [self.net] if self.net is not None else list(self.by_cause.values())


class CorrectionStep(NamedTuple):
    """What records would amount to after one step of the way, for its cause: a row of ENTRY_AMOUNTS for each record."""

    cause: Cause
    amounts: Ints


def lines_of(
    chunk: RecordedChunk, target: Restated, steps: Sequence[CorrectionStep], factor_keys: Ints, basis_flags: Ints
) -> Lines:
    """What is posted for a chunk: each of the `steps` its difference, by its cause, and the rest of the way as one of factors.

    What records amount to by now is taken away with the first step. A record that is right already has no lines.
    """
    kept = np.flatnonzero(~chunk.voided)
    wanted = _entries(chunk, kept, target.amounts, factor_keys, basis_flags)
    taken = _taken(chunk, wanted, kept)
    way = [*((step.cause, step.amounts[kept][taken.rows]) for step in steps), ("factors", taken.instead.amounts)]
    by_cause: dict[Cause, Entries] = {}
    before: Ints | None = None
    for cause, amounts in way:
        if before is None:
            lines = Entries.joined(taken.lines, _with(taken.instead, amounts))
        else:
            lines = _with(taken.instead, amounts - before)
        by_cause[cause] = Entries.joined(by_cause[cause], lines) if cause in by_cause else lines
        before = amounts
    found = {cause: entries.without_nothing() for cause, entries in by_cause.items()}
    net = Entries.joined(taken.lines, taken.instead) if len(way) > 1 else None
    return Lines({cause: entries for cause, entries in found.items() if len(entries)}, net=net)


def with_contracts(chunk: RecordedChunk, amounts: Ints) -> Ints:
    """Amounts of the records of a chunk with what contracts have changed of their carbon by the market: that stays as it is until
    the contracts are applied again."""
    if not chunk.contracts_ugco2e.any():
        return amounts
    amounts = amounts.copy()
    amounts[:, ENTRY_AMOUNTS.index(MARKET_COLUMN)] += chunk.contracts_ugco2e
    return amounts


def _with(entries: Entries, amounts: Ints) -> Entries:
    return Entries(entries.event_keys, entries.columns, amounts)


class _Taken(NamedTuple):
    lines: Entries
    """What is taken away: all that the records amount to by now."""
    instead: Entries
    """What comes in its place."""
    rows: Ints
    """Places, among the records that were not voided, of those that change."""


def _entries(chunk: RecordedChunk, rows: Ints, amounts: Ints, factor_keys: Ints, basis_flags: Ints) -> Entries:
    columns = {name: chunk.columns[name][rows] for name in ENTRY_COLUMNS}
    columns |= {"factor_key": factor_keys[rows], "basis_flags": basis_flags[rows]}
    # What mappings have charged to others since stays theirs.
    columns["attribution_key"] = chunk.attribution_by_now[rows]
    return Entries(chunk.event_keys[rows], columns, amounts[rows])


def _taken(chunk: RecordedChunk, wanted: Entries, kept: Ints) -> _Taken:
    """Only of records that do not amount to what is wanted, by the same names, already."""
    place_of = np.full(len(chunk), -1, dtype=np.int64)
    place_of[kept] = np.arange(len(kept))
    place = place_of[chunk.row_of]
    lines = np.bincount(place[place >= 0], minlength=len(kept))
    same = place >= 0
    same[same] &= lines[place[same]] == 1
    at = place[same]
    equal = (chunk.now.amounts[same] == wanted.amounts[at]).all(axis=1)
    for name in ENTRY_COLUMNS:
        equal &= chunk.now.columns[name][same] == wanted.columns[name][at]
    right = np.zeros(len(kept), dtype=np.bool_)
    right[at[equal]] = True
    rows = np.flatnonzero(~right)
    changed = (place >= 0) & ~right[np.maximum(place, 0)]
    now = chunk.now.select(np.flatnonzero(changed))
    return _Taken(now.negated(), wanted.select(rows), rows)
