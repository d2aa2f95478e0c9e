"""Restating: recorded prompts are estimated again by another method or by other factors, and the difference is posted as entries.

Records stay. A run goes tenant by tenant through the records in the order of their keys, some thousand in a transaction, beside
workers that commit; how far it has come is stored with what it has posted, so a run that is cut short goes on where it was and
posts nothing twice. Of each record the entries take away what it amounts to by now and add what it ought to amount to, so it does
not matter what was corrected before. A voided record stays voided.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rice_stream.errors import UsageError
from rice_stream.instants import HOUR_S, SECOND_US, rfc3339
from rice_stream.ledger.restated_lines import Lines, lines_of
from rice_stream.ledger.voiding import checked_reason
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.requests import RecordedCounts, TokenDefaults
from rice_stream.meter.restated import RecordedPrompts, Restated, by_method_alone, restated
from rice_stream.quantities import MICRO, Ints
from rice_stream.store.adjustments import post, posting
from rice_stream.store.audit import Actor, AuditedChange, record
from rice_stream.store.dimensions import Dimensions
from rice_stream.store.engine import Engine, reading
from rice_stream.store.entries import Entries, EntryGroup, signed_sums
from rice_stream.store.entry_columns import Cause
from rice_stream.store.horizon import records_from_us
from rice_stream.store.record_columns import METERED_COLUMN, TOKEN_COLUMNS
from rice_stream.store.recorded_chunks import RecordedChunk, RecordStretch, read_chunk
from rice_stream.store.restatement_store import (
    RestatementOrder,
    RestatementState,
    begin_or_resume,
    finished,
    latest_correction,
    save_progress,
)
from rice_stream.store.revisions import head_revision
from rice_stream.store.schema_ledger import CARBON_ENDS
from rice_stream.store.stored_records import factors_by_key, tenant_keys

RECORDS_AT_ONCE = 20_000
"""Of one transaction: what it writes, batches that add to the same rows wait for."""
_HOUR_US = HOUR_S * SECOND_US


@dataclass
class Restating:
    """One run: take all `steps`, then read `document`."""

    engine: Engine
    estimator: Estimator
    defaults: TokenDefaults
    order: RestatementOrder
    by: Actor
    dry_run: bool = False
    state: RestatementState = field(init=False)
    _factors: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    _keys: dict[bytes, int] = field(default_factory=dict)
    _flags: set[int] = field(default_factory=set)

    def steps(self) -> Iterator[int]:
        """Records that are done, after each transaction.

        Raises:
            UsageError: records of the stretch have been dropped, there is no such tenant, or no reason.
            StoreUnavailableError: the database did not go on; the same order again goes on where it was.
        """
        tenants = self._begin()
        revision = head_revision()
        for tenant_key in tenants:
            after = None
            if self.state.at is not None and not self.dry_run:
                at_tenant, at_key = self.state.at
                if tenant_key < at_tenant:
                    continue
                after = at_key if tenant_key == at_tenant else None
            while True:
                chunk_key = self._next(RecordStretch(tenant_key, self.order.from_us, self.order.to_us, after), revision)
                if chunk_key is None:
                    break
                after = chunk_key
                yield self.state.records
        self._end()

    def _begin(self) -> list[int]:
        reason = checked_reason(self.order.reason)
        self.order = replace(self.order, reason=reason)
        with reading(self.engine) as connection:
            known = tenant_keys(connection)
            horizon_us = records_from_us(connection)
        if self.order.from_us < horizon_us:
            raise UsageError(
                f"--from: records from before {rfc3339(horizon_us)} are no longer kept: begin there or later"
            )
        if self.order.tenant_id is not None and self.order.tenant_id not in known:
            raise UsageError(f"--tenant {self.order.tenant_id}: there is no such tenant; see `rice-stream tenant list`")
        if self.dry_run:
            self.state = RestatementState("", 0, self.order)
        else:
            with posting(self.engine, revision=head_revision()) as connection:
                self.state, is_new = begin_or_resume(connection, self.order, self.by)
                if is_new:
                    record(connection, self.by, [self._change("restatement.begin")])
        if self.state.state == "done":
            return []
        chosen = known.values() if self.order.tenant_id is None else [known[self.order.tenant_id]]
        return sorted(chosen)

    def _next(self, stretch: RecordStretch, revision: str) -> bytes | None:
        """Restate the next records; the key of the last of them, None: there are no more."""
        while True:
            with reading(self.engine) as connection:
                seen = latest_correction(connection, stretch.tenant_key)
                chunk = read_chunk(connection, stretch, RECORDS_AT_ONCE)
                if chunk is None:
                    return None
                rests_on = np.append(chunk.columns["factor_key"], chunk.now.columns["factor_key"])
                factors_by_key(connection, np.unique(rests_on).tolist(), self._factors)
            lines = self._lines(chunk)
            after = self._after(chunk, stretch, lines)
            if self.dry_run:
                self.state = after
                return chunk.last_key
            with posting(self.engine, revision=revision) as connection:
                if latest_correction(connection, stretch.tenant_key) != seen:
                    continue  # something was corrected since: what it is by now is looked at again
                for cause, entries in lines.by_cause.items():
                    post(connection, self._group(cause, stretch, chunk, entries))
                save_progress(connection, after)
            self.state = after
            return chunk.last_key

    def _lines(self, chunk: RecordedChunk) -> Lines:
        """What corrects the records of a chunk."""
        kinds, use = self._kinds(chunk)
        factors = [self._factors[key] for key, _ in kinds]
        tokens = {name: chunk.columns[name] for name in TOKEN_COLUMNS}
        metered = chunk.columns[METERED_COLUMN]
        counts = RecordedCounts(
            input_tokens=tokens["input_tokens"],
            cache_read_input_tokens=tokens["cache_read_input_tokens"],
            output_tokens=tokens["output_tokens"],
            flags=chunk.columns["basis_flags"].astype(np.int32),
            metered_energy_uj=metered if (metered >= 0).any() else None,
        )
        prompts = RecordedPrompts(factors, use, counts, tokens)
        estimators = [self.estimator.at(start_us) for _, start_us in kinds]
        target = restated(estimators, prompts, self.defaults)
        # The method of what they amount to by now, which may be another one than they were recorded with.
        by_now = [self._factors[key] for key in np.unique(chunk.now.columns["factor_key"]).tolist()]
        changes_method = any(str(factor["method_version"]) != self.estimator.method.version for factor in by_now)
        between = by_method_alone(estimators[0], prompts, self.defaults) if changes_method else None
        return lines_of(chunk, target, between, self._factor_keys(target, use), self._kept_flags(target))

    def _kinds(self, chunk: RecordedChunk) -> tuple[list[tuple[int, int]], NDArray[np.intp]]:
        """(factor key, start of the stretch of time in which no factor changes) of each kind, and the kind of each record."""
        ended_at_us = chunk.columns["ended_at_us"]
        boundaries_us = np.array(self.estimator.boundaries_us, dtype=np.int64)
        place = np.searchsorted(boundaries_us, ended_at_us, side="right")
        starts = np.maximum(np.append(boundaries_us, 0)[place - 1], 0)
        if self.estimator.hourly:
            starts = np.maximum(starts, ended_at_us // _HOUR_US * _HOUR_US)
        both = np.column_stack([chunk.columns["factor_key"], starts])
        kinds, use = np.unique(both, axis=0, return_inverse=True)
        return [(int(key), int(start)) for key, start in kinds.tolist()], use.reshape(-1).astype(np.intp)

    def _factor_keys(self, target: Restated, use: NDArray[np.intp]) -> Ints:
        digests = [each.digest for each in target.uses]
        missing = [each for each in target.uses if each.digest not in self._keys]
        if missing and self.dry_run:
            self._keys |= {each.digest: -1 - len(self._keys) - number for number, each in enumerate(missing)}
        elif missing:
            rows = [{**each.columns, "digest": each.digest} for each in missing]
            self._keys |= Dimensions(self.engine).factors(rows)
        return np.array([self._keys[digest] for digest in digests], dtype=np.int64)[use]

    def _kept_flags(self, target: Restated) -> Ints:
        unseen = set(np.unique(target.basis_flags).tolist()) - self._flags
        if unseen and not self.dry_run:
            Dimensions(self.engine).basis(unseen)
            self._flags |= unseen
        return target.basis_flags

    def _after(self, chunk: RecordedChunk, stretch: RecordStretch, lines: Lines) -> RestatementState:
        """The state with this chunk done."""
        state = self.state
        before = dict(zip(lines.names, signed_sums(chunk.now.amounts), strict=True))
        changes: dict[str, dict[str, int]] = {
            cause: dict(zip(lines.names, signed_sums(entries.amounts), strict=True))
            for cause, entries in lines.by_cause.items()
        }
        return replace(
            state,
            at=(stretch.tenant_key, chunk.last_key),
            records=state.records + len(chunk),
            entries=state.entries + sum(map(len, lines.by_cause.values())),
            before={name: state.before[name] + before[name] for name in CARBON_ENDS},
            after={
                name: state.after[name] + before[name] + sum(each[name] for each in changes.values())
                for name in CARBON_ENDS
            },
            by_cause={
                cause: state.by_cause.get(cause, 0) + changes.get(cause, {}).get("carbon_mid_ugco2e", 0)
                for cause in sorted({*state.by_cause, *changes})
            },
        )

    def _group(self, cause: Cause, stretch: RecordStretch, chunk: RecordedChunk, entries: Entries) -> EntryGroup:
        place = {"first": chunk.event_keys[0].tobytes().hex(), "last": chunk.last_key.hex()}
        return EntryGroup(
            cause=cause,
            tenant_key=stretch.tenant_key,
            made_for={"restatement_id": self.state.restatement_id, **place},
            reason=self.order.reason,
            by=self.by,
            entries=entries,
            detail={"method": self.order.method_version, "factors": self.order.factor_version},
            restatement_id=self.state.restatement_id,
        )

    def _end(self) -> None:
        if self.dry_run or self.state.state == "done":
            return
        self.state = finished(self.state)
        with posting(self.engine, revision=head_revision()) as connection:
            save_progress(connection, self.state)
            record(connection, self.by, [self._change("restatement.end")])

    def _change(self, action: str) -> AuditedChange:
        told = {**self.order.told(), "reason": self.order.reason}
        if action == "restatement.end":
            told |= {"records": self.state.records, "entries": self.state.entries}
        return AuditedChange(action, "restatement", self.state.restatement_id, self.order.tenant_id, after=told)

    @property
    def document(self) -> dict[str, Any]:
        """The answer; grams are middle values."""
        state = self.state
        before, after = state.before["carbon_mid_ugco2e"], state.after["carbon_mid_ugco2e"]
        return {
            "restatement_id": state.restatement_id or None,
            "state": "dry run" if self.dry_run else state.state,
            "from": rfc3339(self.order.from_us),
            "to": rfc3339(self.order.to_us),
            "tenant": self.order.tenant_id,
            "versions": {"method": self.order.method_version, "factors": self.order.factor_version},
            "reason": self.order.reason,
            "records": state.records,
            "entries": state.entries,
            "before_gco2e": before / MICRO,
            "after_gco2e": after / MICRO,
            "difference_gco2e": (after - before) / MICRO,
            "materiality_percent": 100 * abs(after - before) / before if before else None,
            "by_cause": {cause: amount / MICRO for cause, amount in state.by_cause.items()},
        }
