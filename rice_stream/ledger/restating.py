"""Restating: recorded prompts are estimated again by another method or by other factors, and the difference is posted as entries.

Records stay. A run goes tenant by tenant through the records in the order of their keys, some thousand in a transaction, beside
workers that commit; while some are posted, the next ones are read and estimated. How far it has come is stored with what it has
posted, so a run that is cut short goes on where it was and posts nothing twice. Of each record the entries take away what it
amounts to by now and add what it ought to amount to, so it does not matter what was corrected before. A voided record stays voided.
"""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rice_stream.errors import UsageError
from rice_stream.instants import HOUR_S, SECOND_US
from rice_stream.ledger.corrected_batches import (
    CorrectedBatch,
    CorrectedChunk,
    FoundRecords,
    Place,
    corrected_chunk,
    groups_of,
    progressed,
)
from rice_stream.ledger.giving_way import GiveWay, go_on
from rice_stream.ledger.reading_ahead import one_ahead
from rice_stream.ledger.restated_lines import CorrectionStep, Lines, lines_of, with_contracts
from rice_stream.ledger.restatement_orders import change_of, order_restatement, tenants_of
from rice_stream.ledger.voiding import checked_reason
from rice_stream.meter.distinct_rows import distinct_rows
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.factors import FactorUse
from rice_stream.meter.requests import RecordedCounts, TokenDefaults
from rice_stream.meter.restated import RecordedPrompts, Restated, RestatedKind, kind_by, kind_by_method, restated
from rice_stream.quantities import Ints
from rice_stream.store.adjustments import post_ready, posting
from rice_stream.store.audit import Actor, record
from rice_stream.store.corrected_since import latest_correction
from rice_stream.store.dimensions import Dimensions
from rice_stream.store.engine import Connection, Engine, reading
from rice_stream.store.horizon import records_from_us
from rice_stream.store.ready_groups import ReadyGroups, Watched, made_ready, watched_users
from rice_stream.store.record_columns import METERED_COLUMN, TOKEN_COLUMNS
from rice_stream.store.recorded_chunks import RecordedChunk, RecordStretch, read_chunk
from rice_stream.store.restatement_store import (
    RestatementOrder,
    RestatementState,
    finished,
    save_progress,
    stored_restatement,
)
from rice_stream.store.revisions import head_revision
from rice_stream.store.stored_records import factors_by_key

RECORDS_AT_ONCE = 20_000
"""Of one transaction: what it writes, batches that add to the same rows wait for."""
_HOUR_US = HOUR_S * SECOND_US
NOT_BEGUN = RestatementState("", 0, RestatementOrder(0, 0, None, "", "", ""))
"""A run that is still to be begun."""


@dataclass
class Restating:
    """One run: take all `steps`; `state` says how far it has come."""

    engine: Engine
    estimator: Estimator
    defaults: TokenDefaults
    order: RestatementOrder
    by: Actor
    state: RestatementState = field(default_factory=lambda: NOT_BEGUN)
    """One that was begun before, to go on with; otherwise the run of the order is looked for, or begun."""
    give_way: GiveWay = go_on
    """Is told after each transaction how many seconds it took, and may wait."""
    _seen: int = 0
    _factors: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    _keys: dict[bytes, int] = field(default_factory=dict)
    _flags: set[int] = field(default_factory=set)
    _targets: dict[tuple[int, int], RestatedKind] = field(default_factory=dict)
    _before: dict[int, RestatedKind] = field(default_factory=dict)

    @property
    def is_kept(self) -> bool:
        """Whether how far it comes is stored: a dry run of the command line leaves nothing behind."""
        return bool(self.state.restatement_id)

    def steps(self) -> Generator[int]:
        """Records that are done, after each transaction.

        Raises:
            UsageError: records of the stretch have been dropped, there is no such tenant, or no reason.
            StoreUnavailableError: the database did not go on; the same order again goes on where it was.
        """
        tenants = self._begin()
        revision = head_revision()
        while not (yield from self._go_on(tenants, revision)):
            pass  # something was no longer as it was read: from there on again
        self._end()

    def _go_on(self, tenants: Sequence[int], revision: str) -> Generator[int, None, bool]:
        """The steps from where the run is on; whether that was all of them."""
        with (
            one_ahead(self.engine, self._found(tenants, self.state.at)) as found,
            one_ahead(self.engine, map(self._worked_out, found)) as batches,
        ):
            for batch in batches:
                began_s = time.monotonic()
                if not self._post(batch, revision):
                    return False
                yield self.state.records
                self.give_way(time.monotonic() - began_s)
        return True

    def _begin(self) -> list[int]:
        self.order = replace(self.order, reason=checked_reason(self.order.reason))
        tenants = tenants_of(self.engine, self.order)
        if self.state is not NOT_BEGUN:
            self.state = replace(self.state, state="running" if self.state.state == "ordered" else self.state.state)
        elif self.order.dry_run:
            self.state = RestatementState("", 0, self.order)
        else:
            self.state, _ = order_restatement(self.engine, self.order, self.by)
        return [] if self.state.state in ("done", "failed") else tenants

    def _found(self, tenants: Sequence[int], after: Place | None) -> Iterator[FoundRecords]:
        """The records after one, those of a transaction at a time. Runs while what corrects others is worked out, and others are
        posted."""
        while (found := self._read(tenants, after)) is not None:
            yield found
            after = found.end

    def _read(self, tenants: Sequence[int], after: Place | None) -> FoundRecords | None:
        """The next records after one; None: there are no more."""
        chunks: list[RecordedChunk] = []
        room = RECORDS_AT_ONCE
        with reading(self.engine) as connection:
            horizon_us, watched = records_from_us(connection), watched_users(connection)
            seen = self._seen = latest_correction(connection, from_key=self._seen)
            for tenant_key in tenants if after is None else (key for key in tenants if key >= after[0]):
                after_key = after[1] if after is not None and after[0] == tenant_key else None
                stretch = RecordStretch(tenant_key, self.order.from_us, self.order.to_us, after_key)
                chunk = read_chunk(connection, stretch, room)
                if chunk is None:
                    continue
                self._look_up(connection, chunk)
                chunks.append(chunk)
                room -= len(chunk)
                if not room:
                    break
        return FoundRecords(chunks, seen, horizon_us, watched) if chunks else None

    def _worked_out(self, found: FoundRecords) -> CorrectedBatch:
        """What corrects some records."""
        chunks = [corrected_chunk(chunk, self._lines(chunk)) for chunk in found.chunks]
        return CorrectedBatch(chunks, found.seen, found.horizon_us, self._ready(chunks, found.watched))

    def _ready(self, chunks: Sequence[CorrectedChunk], watched: Watched) -> ReadyGroups:
        if not self.is_kept or self.order.dry_run:
            return ReadyGroups([])
        groups = groups_of(self.state.restatement_id, self.order, chunks, self.by)
        return made_ready(
            groups, [each for chunk in chunks for each in chunk.lines.added_up], watched, self.engine.dialect.name
        )

    def _post(self, batch: CorrectedBatch, revision: str) -> bool:
        """Post what corrects a batch; False: it is no longer as it was read, or not the next one, and nothing was posted."""
        reached = progressed(self.state, batch)
        if self.is_kept:
            with posting(self.engine, revision=revision) as connection:
                is_next = self._is_mine(connection) and batch.is_as_read(connection, self.state.restatement_id)
                if not is_next:
                    return False
                save_progress(connection, reached)
                post_ready(connection, batch.ready)
        self.state = reached
        self._posted(batch)
        return True

    def _posted(self, batch: CorrectedBatch) -> None:
        """Is told what has been posted, or (of a dry run) would be."""

    def _is_mine(self, connection: Connection) -> bool:
        """Whether nobody else has gone on with the run; otherwise it is taken up where that one has left it."""
        stored = stored_restatement(connection, self.state.restatement_id)
        if stored is None:
            raise UsageError(f"the restatement {self.state.restatement_id} is gone: order it again")
        is_mine = stored.at == self.state.at
        if not is_mine:
            self.state = stored
        return is_mine

    def _look_up(self, connection: Connection, chunk: RecordedChunk) -> None:
        """Read what `_lines` needs besides the chunk, in the transaction that reads it."""
        rests_on = np.append(chunk.columns["factor_key"], chunk.now.columns["factor_key"])
        factors_by_key(connection, np.unique(rests_on).tolist(), self._factors)

    def _lines(self, chunk: RecordedChunk) -> Lines:
        """What corrects the records of a chunk."""
        method = self.estimator.method
        kinds, use = self._kinds(chunk)
        targets = [self._target(kind) for kind in kinds]
        tokens = {name: chunk.columns[name] for name in TOKEN_COLUMNS}
        metered = chunk.columns[METERED_COLUMN]
        counts = RecordedCounts(
            input_tokens=tokens["input_tokens"],
            cache_read_input_tokens=tokens["cache_read_input_tokens"],
            output_tokens=tokens["output_tokens"],
            flags=chunk.columns["basis_flags"].astype(np.int32),
            metered_energy_uj=metered if (metered >= 0).any() else None,
        )
        prompts = RecordedPrompts(use, counts, tokens)
        target = restated(method, targets, prompts, self.defaults)
        # The method of what they amount to by now, which may be another one than they were recorded with.
        by_now = [self._factors[key] for key in np.unique(chunk.now.columns["factor_key"]).tolist()]
        changes_method = any(str(factor["method_version"]) != method.version for factor in by_now)
        # From the factors that they were recorded with, or that they rest on by now, to the target's.
        own = chunk.columns["factor_key"] if changes_method else chunk.factors_by_now
        pairs, pair_of = distinct_rows([use, own])
        paired = prompts._replace(use=pair_of)
        before = [self._stored(int(key)) for _, key in pairs]
        steps = []
        if changes_method:
            steps.append(CorrectionStep("method", restated(method, before, paired, self.defaults).amounts))
        served = [targets[int(kind)] for kind, _ in pairs]
        if not all(one.is_served_as(other) for one, other in zip(served, before, strict=True)):
            there = [one.at_place_of(other) for one, other in zip(served, before, strict=True)]
            steps.append(CorrectionStep("evidence", restated(method, there, paired, self.defaults).amounts))
        factor_keys = self._factor_keys([each.use for each in targets if each.use is not None], use)
        target = target._replace(amounts=with_contracts(chunk, target.amounts))
        steps = [step._replace(amounts=with_contracts(chunk, step.amounts)) for step in steps]
        return lines_of(chunk, target, steps, factor_keys, self._kept_flags(target))

    def _target(self, kind: tuple[int, int]) -> RestatedKind:
        """A kind by the estimator as of the start of its stretch."""
        if kind not in self._targets:
            factor_key, start_us = kind
            self._targets[kind] = kind_by(self.estimator.at(start_us), self._factors[factor_key])
        return self._targets[kind]

    def _stored(self, factor_key: int) -> RestatedKind:
        """A kind by the estimator's method from the factors that are stored."""
        if factor_key not in self._before:
            self._before[factor_key] = kind_by_method(self.estimator.method, self._factors[factor_key])
        return self._before[factor_key]

    def _kinds(self, chunk: RecordedChunk) -> tuple[list[tuple[int, int]], NDArray[np.intp]]:
        """(factor key, start of the stretch of time in which no factor changes) of each kind, and the kind of each record."""
        ended_at_us = chunk.columns["ended_at_us"]
        boundaries_us = np.array(self.estimator.boundaries_us, dtype=np.int64)
        place = np.searchsorted(boundaries_us, ended_at_us, side="right")
        starts = np.maximum(np.append(boundaries_us, 0)[place - 1], 0)
        if self.estimator.hourly:
            starts = np.maximum(starts, ended_at_us // _HOUR_US * _HOUR_US)
        kinds, use = distinct_rows([chunk.columns["factor_key"], starts])
        return [(int(key), int(start)) for key, start in kinds.tolist()], use

    def _factor_keys(self, uses: list[FactorUse], use: NDArray[np.intp]) -> Ints:
        digests = [each.digest for each in uses]
        missing = [each for each, digest in zip(uses, digests, strict=True) if digest not in self._keys]
        if missing and self.order.dry_run:
            self._keys |= {each.digest: -1 - len(self._keys) - number for number, each in enumerate(missing)}
        elif missing:
            rows = [{**each.columns, "digest": each.digest} for each in missing]
            self._keys |= Dimensions(self.engine).factors(rows)
        return np.array([self._keys[digest] for digest in digests], dtype=np.int64)[use]

    def _kept_flags(self, target: Restated) -> Ints:
        unseen = set(np.unique(target.basis_flags).tolist()) - self._flags
        if unseen and not self.order.dry_run:
            Dimensions(self.engine).basis(unseen)
            self._flags |= unseen
        return target.basis_flags

    def _end(self) -> None:
        if not self.is_kept or self.state.state in ("done", "failed"):
            self.state = finished(self.state) if not self.is_kept else self.state
            return
        with posting(self.engine, revision=head_revision()) as connection:
            if not self._is_mine(connection):
                return  # who has it, ends it
            self.state = finished(self.state)
            save_progress(connection, self.state)
            if not self.order.dry_run:
                record(connection, self.by, [change_of(self.state, "restatement.end")])
        with reading(self.engine) as connection:
            self.state = stored_restatement(connection, self.state.restatement_id) or self.state
