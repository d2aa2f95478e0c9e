"""From raw records to one committed transaction. Knows no Kafka: the worker, `ingest` and the tests all come through here.

`prepare` decodes, looks names up and estimates, in numpy, without touching the totals; `commit` is the transaction.
The two may run in different threads, so that the next batch is decoded while this one commits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine

from rice_stream.accounting import Amounts, amounts, measure_matrix
from rice_stream.basis import Basis
from rice_stream.context_table import ContextTable
from rice_stream.estimator.types import Estimates, Ints, Method, Requests
from rice_stream.factors import FactorPolicy, LiveLookup, no_live_feed
from rice_stream.ingest import UNKNOWN, Decoded, EventColumns, RawRecord, Rejection, decode_batch
from rice_stream.ingest.columns import concatenate
from rice_stream.name_table import NameTable
from rice_stream.reference import Reference
from rice_stream.store import Batch, CommitResult, Conflict, Dimensions, Progress, Records, Writer
from rice_stream.store.writer import content_text

YOUNGEST_HORIZON_US = 31 * 86_400 * 1_000_000
"""Retention never drops records younger than this: events that are younger need no look at the horizon."""
SKEW_US = 300_000_000
"""An event that ends more than five minutes after it arrived carries a wrong clock: flagged, still counted."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive records of one partition (or lines of one file)."""

    topic: str
    partition: int
    records: Sequence[RawRecord]


class Pipeline:
    """Turns chunks of records into committed rows. `prepare` and `commit` each need one thread at a time."""

    def __init__(
        self,
        *,
        engine: Engine,
        writer: Writer,
        reference: Reference,
        policy: FactorPolicy,
        method: Method,
        default_input_tokens: int,
        default_output_tokens: int,
        live: LiveLookup = no_live_feed,
    ) -> None:
        dimensions = Dimensions(engine)
        self._writer = writer
        self._method = method
        self._names = NameTable(dimensions)
        self._contexts = ContextTable(dimensions, reference, policy, method, live)
        self._dimensions = dimensions
        self._default_input_tokens = default_input_tokens
        self._default_output_tokens = default_output_tokens
        self._basis_seen: set[int] = set()

    def process(self, chunks: Sequence[Chunk], received_at_us: int) -> CommitResult:
        """Prepare and commit at once."""
        return self.commit(self.prepare(chunks, received_at_us))

    def commit(self, batch: Batch) -> CommitResult:
        """The one transaction. StoreUnavailableError: nothing is stored, the same batch may be given again."""
        self._writer.ensure_partitions(batch.records.columns["ended_at_us"])
        return self._writer.commit(batch)

    def prepare(self, chunks: Sequence[Chunk], received_at_us: int) -> Batch:
        """Decode, look up and estimate. Every item of every record ends up as a record, a repeat or a rejection."""
        parts: list[EventColumns] = []
        rejections: list[Rejection] = []
        progress: list[Progress] = []
        for chunk in chunks:
            columns, decoded = decode_batch(chunk.records)
            columns, decoded = self._within_retention(columns, decoded, received_at_us)
            parts.append(columns)
            rejections += [_located(rejection, chunk) for rejection in decoded.rejections]
            progress.append(_progress(chunk, len(columns), len(decoded.rejections)))
        events = concatenate(parts)
        partition_of = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        records, flags = self._records(events, received_at_us)
        return _batch(
            records, flags, rejections, _merge(progress), _merged_index(progress)[partition_of], received_at_us
        )

    def _within_retention(
        self, events: EventColumns, decoded: Decoded, received_at_us: int
    ) -> tuple[EventColumns, Decoded]:
        """Refuse events from before the retention horizon: their records are gone, so a repeat could not be told."""
        if not len(events) or int(events.ended_at_us.min()) >= received_at_us - YOUNGEST_HORIZON_US:
            return events, decoded
        horizon_us = self._dimensions.records_from_us()
        old = events.ended_at_us < horizon_us
        if not old.any():
            return events, decoded
        for row in np.flatnonzero(old).tolist():
            detail = "ended_at: lies before the retention horizon; whether it was counted can no longer be told"
            record, item = decoded.records[row], decoded.items[row]
            decoded.rejections.append(
                Rejection(
                    record, item, "older_than_retention", detail, msgspec.json.encode(decoded.events[row]).decode()
                )
            )
        kept = np.flatnonzero(~old)
        return events.select(kept), Decoded(
            [decoded.events[i] for i in kept.tolist()],
            [decoded.records[i] for i in kept.tolist()],
            [decoded.items[i] for i in kept.tolist()],
            decoded.rejections,
        )

    def _records(self, events: EventColumns, received_at_us: int) -> tuple[Records, NDArray[np.int32]]:
        """All events as records in the order they came (repeats included), and their basis flags."""
        names = self._names.resolve(events)
        context = self._contexts.resolve(events.service, events.ended_at_us)
        flags = _event_flags(events, received_at_us)
        estimates = self._method.estimate(self._contexts.coefficients, self._requests(events, context))
        flags |= estimates.flags
        amounts_of = self._amounts(estimates, context, flags)
        self._keep_basis(flags)
        columns: dict[str, Ints] = {
            "tenant_key": names.tenant_key,
            "attribution_key": names.attribution_key,
            "factor_key": self._contexts.factor_key[context],
            "basis_flags": flags.astype(np.int64),
            "ended_at_us": events.ended_at_us,
            "it_energy_uwh": amounts_of.it_energy_uwh,
            "facility_energy_uwh": amounts_of.facility_energy_uwh,
            "carbon_low_ugco2e": amounts_of.carbon_low_ugco2e,
            "carbon_mid_ugco2e": amounts_of.carbon_mid_ugco2e,
            "carbon_high_ugco2e": amounts_of.carbon_high_ugco2e,
            "user_key": names.user_key,
            "api_key_key": names.api_key_key,
            "duration_us": events.duration_us,
            "input_tokens": events.input_tokens,
            "cache_read_input_tokens": events.cache_read_input_tokens,
            "cache_write_input_tokens": events.cache_write_input_tokens,
            "output_tokens": events.output_tokens,
            "reasoning_output_tokens": events.reasoning_output_tokens,
        }
        tokens = {name: columns[name] for name in columns if name.endswith("_tokens")}
        return (
            Records(
                event_keys=event_keys(events, names.key_prefixes, names.attribution_index),
                columns=columns,
                event_ids=list(events.event_id),
                measures=measure_matrix(amounts=amounts_of, **tokens),
                origin=np.arange(len(events)),
            ),
            flags,
        )

    def _requests(self, events: EventColumns, context: NDArray[np.intp]) -> Requests:
        """Unknown counts get the default of the settings; a failed call without counts is taken to have had none."""
        fallback_input = np.where(events.failed, 0, self._default_input_tokens)
        fallback_output = np.where(events.failed, 0, self._default_output_tokens)
        return Requests(
            context=context,
            input_tokens=np.where(events.input_tokens == UNKNOWN, fallback_input, events.input_tokens),
            cache_read_input_tokens=np.where(
                events.input_tokens == UNKNOWN, 0, np.maximum(events.cache_read_input_tokens, 0)
            ),
            output_tokens=np.where(events.output_tokens == UNKNOWN, fallback_output, events.output_tokens),
            inference=events.inference,
        )

    def _amounts(self, estimates: Estimates, context: NDArray[np.intp], flags: NDArray[np.int32]) -> Amounts:
        table = self._contexts
        return amounts(
            estimates,
            pue=table.pue[context],
            rci_low_gco2e_per_kwh=table.rci_low[context],
            rci_mid_gco2e_per_kwh=table.rci_mid[context],
            rci_high_gco2e_per_kwh=table.rci_high[context],
            flags=flags,
        )

    def _keep_basis(self, flags: NDArray[np.int32]) -> None:
        unseen = set(np.unique(flags).tolist()) - self._basis_seen
        if unseen:
            self._dimensions.basis(unseen)
            self._basis_seen |= unseen


def event_keys(events: EventColumns, prefixes: Sequence[bytes], attribution: NDArray[np.intp]) -> NDArray[np.uint8]:
    """(n, 16) bytes: 48 bits of event time in ms, then 80 bits of BLAKE2b over (tenant, source, event_id).

    Equal for the same event however often it is sent, and ordered in time, so that indexes and partitions stay local.
    """
    n = len(events)
    digests = b"".join(
        [
            blake2b(prefixes[a] + event_id.encode(), digest_size=10).digest()
            for a, event_id in zip(attribution.tolist(), events.event_id, strict=True)
        ]
    )
    keys = np.empty((n, 16), dtype=np.uint8)
    milliseconds = (events.ended_at_us // 1000).astype(">u8")
    keys[:, :6] = milliseconds.view(np.uint8).reshape(n, 8)[:, 2:]
    keys[:, 6:] = np.frombuffer(digests, dtype=np.uint8).reshape(n, 10)
    return keys


def _event_flags(events: EventColumns, received_at_us: int) -> NDArray[np.int32]:
    flags = events.flags.copy()
    for mask, flag in (
        (events.input_tokens == UNKNOWN, Basis.INPUT_TOKENS_MISSING),
        (events.output_tokens == UNKNOWN, Basis.OUTPUT_TOKENS_MISSING),
        (~events.inference, Basis.GATEWAY_CACHE_HIT),
        (events.failed, Basis.REQUEST_FAILED),
        (events.ended_at_us > received_at_us + SKEW_US, Basis.CLOCK_SKEW),
    ):
        flags[mask] |= flag
    return flags


def _located(rejection: Rejection, chunk: Chunk) -> Rejection:
    """The rejection with the place of its record: fetched records do not carry their topic and partition."""
    record = rejection.record
    place = RawRecord(chunk.topic, chunk.partition, record.offset, record.value, tuple(record.headers))
    return replace(rejection, record=place)


def _progress(chunk: Chunk, events: int, rejected: int) -> Progress:
    first, last = chunk.records[0].offset, chunk.records[-1].offset
    return Progress(
        topic=chunk.topic,
        partition=chunk.partition,
        first_offset=first,
        last_offset=last,
        events=events,
        quarantined=rejected,
        # Compaction and transaction markers leave holes that were never events.
        gaps=last - first + 1 - len({record.offset for record in chunk.records}),
    )


def _merge(parts: Sequence[Progress]) -> list[Progress]:
    """One entry per partition: chunks of the same partition added up."""
    merged: dict[tuple[str, int], Progress] = {}
    for part in parts:
        before = merged.get((part.topic, part.partition))
        if before is not None:
            part = Progress(
                topic=part.topic,
                partition=part.partition,
                first_offset=min(before.first_offset, part.first_offset),
                last_offset=max(before.last_offset, part.last_offset),
                events=before.events + part.events,
                quarantined=before.quarantined + part.quarantined,
                gaps=before.gaps + part.gaps,
            )
        merged[part.topic, part.partition] = part
    return list(merged.values())


def _merged_index(parts: Sequence[Progress]) -> NDArray[np.intp]:
    """For each chunk, the position of its partition in `_merge(parts)`."""
    positions: dict[tuple[str, int], int] = {}
    return np.array(
        [positions.setdefault((part.topic, part.partition), len(positions)) for part in parts], dtype=np.intp
    )


def _batch(
    records: Records,
    flags: NDArray[np.int32],
    rejections: list[Rejection],
    progress: list[Progress],
    partition_of: NDArray[np.intp],
    received_at_us: int,
) -> Batch:
    """Sort by key and keep the first of each; what repeats it is a duplicate, or a conflict if it says otherwise."""
    keys = np.ascontiguousarray(records.event_keys).view(">u8").reshape(-1, 2)
    order = np.lexsort((keys[:, 1], keys[:, 0], records.columns["tenant_key"]))
    ordered = records.select(order)
    repeats = np.zeros(len(progress), dtype=np.int64)
    conflicts: list[Conflict] = []
    same = _same_as_before(ordered)
    if same.any():
        stands = np.maximum.accumulate(np.where(same, 0, np.arange(len(same))))
        for row in np.flatnonzero(same).tolist():
            partition = int(partition_of[ordered.origin[row]])
            repeats[partition] += 1
            if (said := _said(ordered, row)) != _said(ordered, int(stands[row])):
                conflicts.append(
                    Conflict(
                        tenant_key=int(ordered.columns["tenant_key"][row]),
                        event_key=ordered.event_keys[row].tobytes(),
                        event_id=ordered.event_ids[row],
                        detail=said[0],
                        partition=partition,
                    )
                )
        ordered = ordered.select(np.flatnonzero(~same))
    return Batch(
        records=ordered,
        rejections=rejections,
        progress=progress,
        partition_of=partition_of[ordered.origin],
        repeats=repeats,
        conflicts=conflicts,
        received_at_us=received_at_us,
    )


def _same_as_before(records: Records) -> NDArray[np.bool_]:
    same = np.zeros(len(records), dtype=np.bool_)
    tenant = records.columns["tenant_key"]
    same[1:] = (records.event_keys[1:] == records.event_keys[:-1]).all(axis=1) & (tenant[1:] == tenant[:-1])
    return same


def _said(records: Records, row: int) -> tuple[str, int]:
    return content_text(records, row), int(records.columns["factor_key"][row])
