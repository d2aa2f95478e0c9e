"""Records that one transaction of a restatement corrects: of many small tenants those of several, as far as they fit.

They are read while what was read before is posted, so whether they still are as they were read is asked when it is their turn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from rice_stream.ledger.restated_lines import Lines
from rice_stream.quantities import MARKET_COLUMN
from rice_stream.store.audit import Actor
from rice_stream.store.corrected_since import KeyStretch, is_corrected_since
from rice_stream.store.engine import Connection
from rice_stream.store.entries import EntryGroup, signed_sums
from rice_stream.store.horizon import records_from_us
from rice_stream.store.ready_groups import ReadyGroups, Watched
from rice_stream.store.recorded_chunks import RecordedChunk
from rice_stream.store.restatement_store import RestatedMarket, RestatementOrder, RestatementState
from rice_stream.store.schema_ledger import CARBON_ENDS

Place = tuple[int, bytes]
"""Tenant and key of a record."""


class FoundRecords(NamedTuple):
    """Records that one transaction corrects, of at least one tenant, in the order of tenants."""

    chunks: Sequence[RecordedChunk]
    seen: int
    """The latest correction before they were read."""
    horizon_us: int
    """From when on records were kept then."""
    watched: Watched
    """Who had totals of their own then."""

    @property
    def end(self) -> Place:
        """The last record."""
        last = self.chunks[-1]
        return int(last.columns["tenant_key"][0]), last.last_key


class CorrectedChunk(NamedTuple):
    """Records of one tenant, what they amount to, and the lines that correct them."""

    stretch: KeyStretch
    records: int
    recorded: dict[str, int]
    """What they were recorded with, by amount."""
    before: dict[str, int]
    """What they amount to before the lines, by amount."""
    lines: Lines
    changes: Mapping[str, Mapping[str, int]]
    """What the lines of each cause add up to, by amount."""


class CorrectedBatch(NamedTuple):
    """At least one chunk, in the order of tenants."""

    chunks: Sequence[CorrectedChunk]
    seen: int
    """The latest correction before they were read."""
    horizon_us: int
    """From when on records were kept then."""
    ready: ReadyGroups
    """What is posted: a group of each chunk and cause; nothing of a dry run."""

    @property
    def end(self) -> Place:
        """The last record."""
        stretch = self.chunks[-1].stretch
        return stretch.tenant_key, stretch.last

    def is_as_read(self, connection: Connection, restatement_id: str) -> bool:
        """Whether nothing but this restatement has corrected or dropped any of it since; within a transaction of `posting`."""
        if records_from_us(connection) != self.horizon_us:
            return False
        stretches = [chunk.stretch for chunk in self.chunks]
        return not is_corrected_since(connection, self.seen, stretches, but_by=restatement_id)


def corrected_chunk(chunk: RecordedChunk, lines: Lines) -> CorrectedChunk:
    """The lines of a chunk, with what has to be known of it besides."""
    tenant_key = int(chunk.columns["tenant_key"][0])
    return CorrectedChunk(
        KeyStretch(tenant_key, chunk.event_keys[0].tobytes(), chunk.last_key),
        len(chunk),
        chunk.recorded,
        dict(zip(lines.names, signed_sums(chunk.now.amounts), strict=True)),
        lines,
        {
            cause: dict(zip(lines.names, signed_sums(entries.amounts), strict=True))
            for cause, entries in lines.by_cause.items()
        },
    )


def progressed(state: RestatementState, batch: CorrectedBatch) -> RestatementState:
    """The state with a batch done."""
    for chunk in batch.chunks:
        state = _with(state, chunk)
    return replace(state, at=batch.end)


def _with(state: RestatementState, chunk: CorrectedChunk) -> RestatementState:
    def after(name: str) -> int:
        return chunk.before[name] + sum(each[name] for each in chunk.changes.values())

    return replace(
        state,
        records=state.records + chunk.records,
        entries=state.entries + sum(map(len, chunk.lines.by_cause.values())),
        reported_ugco2e=state.reported_ugco2e + chunk.recorded["carbon_mid_ugco2e"],
        before={name: state.before[name] + chunk.before[name] for name in CARBON_ENDS},
        after={name: state.after[name] + after(name) for name in CARBON_ENDS},
        by_cause=_added(state.by_cause, chunk.changes, "carbon_mid_ugco2e"),
        market_by_cause=_added(state.market_by_cause, chunk.changes, MARKET_COLUMN),
        market=_market(state.market, chunk, after(MARKET_COLUMN)),
    )


def _market(so_far: RestatedMarket | None, chunk: CorrectedChunk, after: int) -> RestatedMarket | None:
    if so_far is None:
        return None
    return RestatedMarket(
        so_far.reported + chunk.recorded[MARKET_COLUMN],
        so_far.before + chunk.before[MARKET_COLUMN],
        so_far.after + after,
    )


def _added(so_far: Mapping[str, int], changes: Mapping[str, Mapping[str, int]], name: str) -> dict[str, int]:
    causes = sorted({*so_far, *changes})
    return {cause: so_far.get(cause, 0) + changes.get(cause, {}).get(name, 0) for cause in causes}


def groups_of(
    restatement_id: str, order: RestatementOrder, chunks: Sequence[CorrectedChunk], by: Actor
) -> list[EntryGroup]:
    """What is posted for the chunks: a group of each of them and each cause."""
    return [
        EntryGroup(
            cause=cause,
            tenant_key=chunk.stretch.tenant_key,
            made_for={
                "restatement_id": restatement_id,
                "basis": order.basis,
                "first": chunk.stretch.first.hex(),
                "last": chunk.stretch.last.hex(),
            },
            reason=order.reason,
            by=by,
            entries=entries,
            detail={"method": order.method_version, "factors": order.factor_version},
            restatement_id=restatement_id,
        )
        for chunk in chunks
        for cause, entries in chunk.lines.by_cause.items()
    ]
