"""Each event of the log against its record: there, the same, and with the amounts that its factors give."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from rice_stream.estimator.method import Method
from rice_stream.events.columns import earliest_records_us
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.versions import dated
from rice_stream.events.keys import KEY_BYTES
from rice_stream.events.records import BATCH_NOT_UNPACKED, FURTHER_ITEMS, RawRecord, Refused
from rice_stream.events.refused_items import count_items, skipped_offsets
from rice_stream.meter.amounts import Amounts, measure_matrix
from rice_stream.meter.recompute import recompute
from rice_stream.meter.requests import RecordedCounts, TokenDefaults
from rice_stream.proof.differences import Differences
from rice_stream.proof.key_spool import CONTRADICTS, OTHER_TIME, SETTLED, KeySpool
from rice_stream.proof.log_conflicts import is_known_conflict
from rice_stream.proof.log_events import (
    LogEvents,
    column,
    decode_events,
    differing_fields,
    record_content,
    with_time_of,
)
from rice_stream.proof.log_records import Candidate, candidates, of_an_older_version
from rice_stream.quantities import AMOUNT_COLUMNS, IMPACT_COLUMNS, MARKET_COLUMN
from rice_stream.store.attribution_store import load_versions
from rice_stream.store.mapping_store import load_mappings
from rice_stream.store.retention_state import RetentionState
from rice_stream.store.stored_records import Row, factors_by_key, tenant_keys

_NO_TENANT = 0
"""Stands for a tenant that the store has never heard of; real keys begin with 1."""
_CHECKED = (*AMOUNT_COLUMNS, MARKET_COLUMN)


class TopicComparison:
    """Compares piece after piece of the log; `counts` says what was found, `found` has the differences."""

    def __init__(
        self,
        connection: Connection,
        *,
        method: Method,
        defaults: TokenDefaults,
        state: RetentionState,
        spool: KeySpool,
        found: Differences,
        formats: FormatOptions,
    ) -> None:
        self._connection = connection
        self._formats = dated(formats, load_versions(connection))
        self._mappings = load_mappings(connection)
        self._method = method
        self._defaults = defaults
        self._retention = state
        self._spool = spool
        self._found = found
        self._tenants = tenant_keys(connection)
        self._factors: dict[int, Row] = {}
        self._excused: Counter[int] = Counter()
        """Offset -> events of the record that have no record of their own, for one row stands for them."""
        self.counts: Counter[str] = Counter()

    def compare(self, records: Sequence[RawRecord]) -> None:
        """Records of one partition that the worker has been through."""
        self._excused.clear()
        events = decode_events(records, self._formats, self._mappings)
        self._check_refused(events.decoded.refused)
        tenants = np.array(
            [self._tenants.get(events.tenant_id(row), _NO_TENANT) for row in range(len(events.columns))], dtype=np.int64
        )
        # What lies before the horizon may be there still or not: it is on its way out, and in no sum.
        stored = [
            [candidate for candidate in of if candidate.record["ended_at_us"] >= self._retention.records_from_us]
            for of in candidates(self._connection, events, tenants)
        ]
        factor_keys = [candidate.record["factor_key"] for of in stored for candidate in of]
        factors_by_key(self._connection, factor_keys, self._factors)
        self.counts["events"] += len(stored)
        contents = events.contents()
        chosen: dict[int, Candidate] = {}
        settled: list[int] = []
        for row, of in enumerate(stored):
            if not of:
                self._missing(events, row)
                continue
            chosen[row] = self._record_of(events, row, contents[row], of)
            settled.append(self._compare_content(events, row, contents[row], chosen[row]))
        if chosen:
            rows = np.array(list(chosen), dtype=np.intp)
            amounts = self._check_amounts([candidate.record for candidate in chosen.values()])
            keys = np.frombuffer(b"".join(c.key[1] for c in chosen.values()), dtype=np.uint8).reshape(-1, KEY_BYTES)
            self._spool.add(tenants[rows], keys, np.array(settled, dtype=np.uint8), _measures(events, rows, amounts))

    # --- one event ---------------------------------------------------------------------------------------------------

    def _record_of(self, events: LogEvents, row: int, content: tuple[Any, ...], of: Sequence[Candidate]) -> Candidate:
        """The record that the event is or repeats: the first one that it agrees with, else that it is known to contradict."""
        if len(of) == 1 and not events.columns.untimed[row]:
            return of[0]
        found = self._fitting(events, row, content, of)
        if found is None and events.columns.untimed[row]:
            # In one batch with an event that a version before 0007 has recorded, it was compared with that one's record.
            older = [
                candidate
                for candidate in of_an_older_version(self._connection, events, row, of[0].key[0])
                if candidate.record["ended_at_us"] >= self._retention.records_from_us
            ]
            factors_by_key(self._connection, [candidate.record["factor_key"] for candidate in older], self._factors)
            found = self._fitting(events, row, content, older)
        return found or of[0]

    def _fitting(
        self, events: LogEvents, row: int, content: tuple[Any, ...], of: Sequence[Candidate]
    ) -> Candidate | None:
        agreeing = (candidate for candidate in of if not self._differing(events, row, content, candidate))
        contradicted = (each for each in of if is_known_conflict(self._connection, events, row, each.key))
        return next(agreeing, None) or next(contradicted, None)

    def _differing(
        self, events: LogEvents, row: int, content: tuple[Any, ...], candidate: Candidate
    ) -> dict[str, tuple[Any, Any]]:
        record = record_content(candidate.record, self._factors[candidate.record["factor_key"]])
        said = with_time_of(record, content) if events.columns.untimed[row] else content
        return differing_fields(said, record)

    def _missing(self, events: LogEvents, row: int) -> None:
        """No record: dropped by retention, refused at the time, or lost."""
        record = events.decoded.records[row]
        offset, item = events.place(row)
        if int(earliest_records_us(events.columns)[row]) < self._retention.records_from_us:
            self.counts["older_than_retention"] += 1
        elif self._in_quarantine(record.topic, record.partition, offset, item) or self._was_further_item(
            events, record, item
        ):
            self.counts["quarantined"] += 1
        elif _is_before(record, self._retention.quarantine_from_us):
            # It may have been refused at the time: what says so has been dropped.
            self.counts["older_than_retention"] += 1
        else:
            self._differs(events, row, "missing", "record", None, 1)

    def _compare_content(self, events: LogEvents, row: int, content: tuple[Any, ...], candidate: Candidate) -> int:
        """How the event stands to its record: where it is known to contradict it, another event must be the one recorded."""
        fields = self._differing(events, row, content, candidate)
        dropped = _is_before(events.decoded.records[row], self._retention.conflicts_from_us)
        if fields and (dropped or is_known_conflict(self._connection, events, row, candidate.key)):
            self.counts["conflicts"] += 1
            return CONTRADICTS
        for name, (said, kept) in fields.items():
            self._differs(events, row, "differs", name, kept, said)
        same_time = int(events.columns.ended_at_us[row]) == candidate.record["ended_at_us"]
        return OTHER_TIME if events.columns.untimed[row] and not same_time else SETTLED

    def _differs(self, events: LogEvents, row: int, problem: str, measure: str, stored: object, said: object) -> None:
        record = events.decoded.records[row]
        offset, item = events.place(row)
        key = {
            "tenant_id": events.tenant_id(row),
            "event_id": events.columns.event_id[row],
            "topic": record.topic,
            "partition": record.partition,
            "offset": offset,
            "item": item,
        }
        self._found.add_one("prompt_record", key, problem, measure, stored, said)

    # --- amounts -----------------------------------------------------------------------------------------------------

    def _check_amounts(self, records: Sequence[Row]) -> dict[str, NDArray[np.int64]]:
        """What the amounts have to be: recomputed where the method that made them is the running one."""
        amounts = {name: column(records, name) for name in (*AMOUNT_COLUMNS, *IMPACT_COLUMNS, MARKET_COLUMN)}
        versions = [self._factors[record["factor_key"]]["method_version"] for record in records]
        rows = np.array([i for i, version in enumerate(versions) if version == self._method.version], dtype=np.intp)
        self.counts["amounts_unchecked"] += len(records) - len(rows)
        if len(rows):
            recomputed = self._recomputed([records[i] for i in rows.tolist()])
            for name in _CHECKED:
                amounts[name][rows] = recomputed[name]
        return amounts

    def _recomputed(self, records: Sequence[Row]) -> dict[str, NDArray[np.int64]]:
        keys = sorted({record["factor_key"] for record in records})
        position = {key: k for k, key in enumerate(keys)}
        use = np.array([position[record["factor_key"]] for record in records], dtype=np.intp)
        counts = RecordedCounts.of(records)
        factors = [self._factors[key] for key in keys]
        again = recompute(self._method, factors, use, counts, self._defaults)
        stored = {name: column(records, name) for name in _CHECKED}
        computed = {name: getattr(again.amounts, name) for name in AMOUNT_COLUMNS}
        computed[MARKET_COLUMN] = again.market_or_unknown
        differs = np.logical_or.reduce([computed[name] != stored[name] for name in _CHECKED])
        # A default for unknown tokens is a setting of that time: another one now says nothing about the record.
        unknown = differs & counts.incomplete
        self.counts["amounts_unchecked"] += int(unknown.sum())
        self.counts["amounts_checked"] += int((~unknown).sum())
        for row in np.flatnonzero(differs & ~unknown).tolist():
            key = {"tenant_id": self._tenant_id(records[row]["tenant_key"]), "event_id": records[row]["event_id"]}
            for name in _CHECKED:
                kept, value = int(stored[name][row]), int(computed[name][row])
                if kept != value:
                    self._found.add_one("prompt_record", key, "differs", name, kept, value)
        return {name: np.where(unknown, stored[name], computed[name]) for name in _CHECKED}

    def _tenant_id(self, tenant_key: int) -> str | None:
        return next((tenant_id for tenant_id, key in self._tenants.items() if key == tenant_key), None)

    # --- what was refused or contradicted ------------------------------------------------------------------------------

    def _check_refused(self, refused: Sequence[Refused]) -> None:
        """Every item that is no event is in quarantine."""
        for refused_item in refused:
            record = refused_item.record
            self.counts["quarantined"] += refused_item.items
            place = (record.topic, record.partition, record.offset)
            if _is_before(record, self._retention.quarantine_from_us):
                continue  # its row may have been dropped
            if not self._in_quarantine(*place, refused_item.item) and not self._is_further_item(
                *place, refused_item.item
            ):
                key = {
                    "topic": record.topic,
                    "partition": record.partition,
                    "offset": record.offset,
                    "item": refused_item.item,
                }
                self._found.add_one("quarantine", key, "missing", "reason", None, refused_item.reason)

    def _in_quarantine(self, topic: str, partition: int, offset: int, item: int) -> bool:
        statement = (
            'SELECT COUNT(*) FROM quarantine WHERE topic = :topic AND "partition" = :partition AND "offset" = :offset'
            " AND item = :item AND reason NOT IN (:further, :batch)"
        )
        place = {"topic": topic, "partition": partition, "offset": offset, "item": item}
        parameters = {**place, "further": FURTHER_ITEMS, "batch": BATCH_NOT_UNPACKED}
        return bool(self._connection.scalar(text(statement), parameters)) or self._was_skipped(topic, partition, offset)

    def _was_skipped(self, topic: str, partition: int, offset: int) -> bool:
        """Whether the record is of a batch that the worker did not unpack."""
        statement = (
            'SELECT payload FROM quarantine WHERE topic = :topic AND "partition" = :partition AND "offset" >= :offset'
            f" AND reason = '{BATCH_NOT_UNPACKED}' ORDER BY \"offset\""
        )
        place = {"topic": topic, "partition": partition, "offset": offset}
        payload = self._connection.scalar(text(statement), place)
        return payload is not None and offset in skipped_offsets(payload)

    def _further_items(self, topic: str, partition: int, offset: int) -> tuple[int, int] | None:
        """(first item, how many items) that one row stands for of the record; None: every refused item has its own."""
        statement = (
            'SELECT item, payload FROM quarantine WHERE topic = :topic AND "partition" = :partition AND "offset" = :offset'
            " AND reason = :further ORDER BY item"
        )
        parameters = {"topic": topic, "partition": partition, "offset": offset, "further": FURTHER_ITEMS}
        row = self._connection.execute(text(statement), parameters).first()
        return None if row is None else (row.item, json.loads(row.payload)["items"])

    def _is_further_item(self, topic: str, partition: int, offset: int, item: int) -> bool:
        further = self._further_items(topic, partition, offset)
        return further is not None and item >= further[0]

    def _was_further_item(self, events: LogEvents, record: RawRecord, item: int) -> bool:
        """Whether the event, which has no record, can have been one of the items that one row stands for: as many as the
        row says, less those that are refused still."""
        further = self._further_items(record.topic, record.partition, record.offset)
        if further is None or item < further[0]:
            return False
        first, items = further
        of_record = (each for each in events.decoded.refused if each.record.offset == record.offset)
        still = count_items(each for each in of_record if each.item >= first)
        self._excused[record.offset] += 1
        return still + self._excused[record.offset] <= items


def _is_before(record: RawRecord, moment_us: int) -> bool:
    return record.timestamp_us is not None and record.timestamp_us < moment_us


def _measures(events: LogEvents, rows: NDArray[np.intp], amounts: dict[str, NDArray[np.int64]]) -> NDArray[np.int64]:
    """What the events add to the totals, (n, len(MEASURES)): tokens as the log has them."""
    columns = events.columns
    return measure_matrix(
        input_tokens=columns.input_tokens[rows],
        cache_read_input_tokens=columns.cache_read_input_tokens[rows],
        cache_write_input_tokens=columns.cache_write_input_tokens[rows],
        output_tokens=columns.output_tokens[rows],
        reasoning_output_tokens=columns.reasoning_output_tokens[rows],
        amounts=Amounts(**{name: amounts[name] for name in AMOUNT_COLUMNS}),
        impacts={name: amounts[name] for name in IMPACT_COLUMNS},
        carbon_market_ugco2e=amounts[MARKET_COLUMN],
    )
