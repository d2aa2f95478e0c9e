"""`rice-stream verify --against-topic`: what Kafka still holds, against what the store says of it.

`verify` proves that totals are the sums of records; this proves that records are the events of the log: each there
once, with its tokens, times, names and amounts, and none beside them.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection, Engine, text

from rice_stream.estimator.method import Method
from rice_stream.events.formats.reading.options import DEFAULT_OPTIONS, FormatOptions
from rice_stream.kafka.topic_log import LogRange, TopicLog
from rice_stream.meter.amounts import exact_sums
from rice_stream.meter.requests import TokenDefaults
from rice_stream.proof.differences import Differences
from rice_stream.proof.key_spool import CONTRADICTS, OTHER_TIME, KeySpool, key_of_row, key_spool
from rice_stream.proof.topic_comparison import TopicComparison
from rice_stream.proof.verification import ReportProgress, quiet
from rice_stream.quantities import MEASURES
from rice_stream.store.event_key_columns import key_bound, stored_key
from rice_stream.store.horizon import records_from_us
from rice_stream.store.recount import sum_of_records
from rice_stream.store.retention_state import retention_state
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.snapshot import snapshot

COUNTS = ("events", "conflicts", "quarantined", "older_than_retention", "amounts_checked", "amounts_unchecked")


class Partition(NamedTuple):
    """A partition's log, and how far into it the store has come (-1: not at all)."""

    log: LogRange
    first_offset: int
    last_offset: int

    @property
    def lag(self) -> int:
        """Offsets that nobody has been through yet: not a difference."""
        return max(self.log.high - max(self.last_offset + 1, self.log.low), 0)

    @property
    def lost_start(self) -> int:
        """Offsets at the beginning that the store has been through and Kafka no longer keeps."""
        return max(min(self.log.low, self.last_offset + 1) - self.first_offset, 0) if self.last_offset >= 0 else 0

    @property
    def recreated(self) -> bool:
        """The store has come further than the log goes: the topic was deleted and made again since."""
        return self.last_offset >= self.log.high


def verify_against_topic(
    engine: Engine,
    log: TopicLog,
    *,
    method: Method,
    defaults: TokenDefaults,
    formats: FormatOptions = DEFAULT_OPTIONS,
    progress: ReportProgress = quiet,
) -> dict[str, Any]:
    """Read the log to where it ends now and compare every event in it with its record.

    Events past the last offset that the store has been through are lag, not a difference; events that Kafka or the
    store no longer keep are counted and left out. Amounts are recomputed from each record's own factors
    where `method` is the version that made it. Memory does not grow with the log; keys are kept on disk meanwhile.

    `formats` are the settings with which the worker reads; what the database has of them, by time, goes before.

    Raises:
        ServiceUnavailableError: the broker or the database did not answer.
    """
    found = Differences()
    with snapshot(engine, EVERYTHING) as connection, key_spool() as spool:
        partitions = _partitions(connection, log.ranges)
        comparison = TopicComparison(
            connection,
            method=method,
            defaults=defaults,
            state=retention_state(connection),
            spool=spool,
            found=found,
            formats=formats,
        )
        read = 0
        total = sum(part.high - part.low for part in log.ranges)
        for piece in log.read():
            progress("comparing the events of the log", read, total)
            partition = partitions[piece.range.topic, piece.range.partition]
            if not partition.recreated:
                comparison.compare([record for record in piece.records if record.offset <= partition.last_offset])
            read += len(piece.records)
        progress("comparing sums", total, total)
        sums = _Sums(connection, spool, found, list(partitions.values()))
        outcome = sums.compare()
        tenants = sums.tenants()
    counts = {name: comparison.counts[name] for name in COUNTS}
    return {
        "against_topic": {**counts, **outcome, "tenants": tenants, "partitions": _described(list(partitions.values()))},
        "differences": found.listed,
        "differences_total": found.total,
    }


def _partitions(connection: Connection, ranges: Sequence[LogRange]) -> dict[tuple[str, int], Partition]:
    rows = connection.execute(text('SELECT topic, "partition", first_offset, last_offset FROM kafka_progress'))
    read = {(topic, number): (first, last) for topic, number, first, last in rows}
    return {
        (part.topic, part.partition): Partition(part, *read.get((part.topic, part.partition), (0, -1)))
        for part in ranges
    }


def _described(partitions: Sequence[Partition]) -> list[dict[str, Any]]:
    return [
        {
            "topic": part.log.topic,
            "partition": part.log.partition,
            "log_start": part.log.low,
            "log_end": part.log.high,
            "read_to": part.last_offset if part.last_offset >= 0 else None,
            "lag": 0 if part.recreated else part.lag,
            "no_longer_in_log": part.lost_start,
            "made_anew": part.recreated,
        }
        for part in partitions
    ]


class _Sums:
    """Distinct events of the log against all records, tenant by tenant."""

    def __init__(
        self, connection: Connection, spool: KeySpool, found: Differences, partitions: list[Partition]
    ) -> None:
        self._connection = connection
        self._spool = spool
        self._found = found
        self._partitions = partitions
        self._log: dict[int, list[int]] = defaultdict(lambda: [0] * len(MEASURES))
        self._stored: dict[int, list[int]] = {}
        self._names = {
            row.tenant_key: row.tenant_id
            for row in connection.execute(text("SELECT tenant_key, tenant_id FROM tenant"))
        }

    def compare(self) -> dict[str, Any]:
        """Counts of the comparison as a whole; differences go to `found`."""
        distinct = 0
        complete = self._log_is_complete()
        elsewhere = self._recorded_elsewhere()
        for rows in self._spool.distinct():
            distinct += len(rows)
            for row in rows[rows["settled"] == CONTRADICTS] if complete else ():
                self._no_event_of(row, "extra", "record", 1)
            for row in rows[rows["settled"] == OTHER_TIME] if complete and elsewhere == 0 else ():
                self._no_event_of(row, "differs", "ended_at_us", None)
            for tenant_key in np.unique(rows["tenant"]).tolist():
                added = exact_sums(rows["measures"][rows["tenant"] == tenant_key])
                self._log[tenant_key] = [a + b for a, b in zip(self._log[tenant_key], added, strict=True)]
        self._stored = _stored_sums(self._connection)
        records = sum(sums[0] for sums in self._stored.values())
        if complete and elsewhere == 0:
            self._compare_tenants()
        elif complete and records - distinct > elsewhere:
            self._found.add_one("prompt_record", {}, "extra", "prompts", records, distinct + elsewhere)
        return {
            "distinct_events": distinct,
            "records": records,
            "records_not_in_log": records - distinct,
            "recorded_from_elsewhere": elsewhere,
            "log_is_complete": complete,
        }

    def tenants(self) -> list[dict[str, Any]]:
        """The sums of both sides that people look at first."""
        shown = ("prompts", "input_tokens", "output_tokens", "it_energy_uwh", "carbon_mid_ugco2e")
        sums = [
            {
                "tenant_id": self._names.get(tenant_key),
                "log": _pick(self._log.get(tenant_key), shown),
                "stored": _pick(self._stored.get(tenant_key), shown),
            }
            for tenant_key in self._log.keys() | self._stored.keys()
        ]
        return sorted(sums, key=lambda tenant: str(tenant["tenant_id"]))

    def _log_is_complete(self) -> bool:
        """Everything that the store has been through in these topics is in the log that was read."""
        read = {(part.log.topic, part.log.partition) for part in self._partitions}
        topics = {topic for topic, _ in read}
        rows = self._connection.execute(text('SELECT topic, "partition" FROM kafka_progress'))
        gone = {(topic, number) for topic, number in rows if topic in topics} - read
        return not gone and not any(part.lost_start or part.recreated for part in self._partitions)

    def _recorded_elsewhere(self) -> int:
        """Records that came another way: from files, from other topics, out of quarantine."""
        here = {part.log.topic for part in self._partitions}
        rows = self._connection.execute(
            text("SELECT topic, SUM(recorded) AS recorded FROM kafka_progress GROUP BY topic")
        )
        return sum(int(row.recorded) for row in rows if row.topic not in here)

    def _compare_tenants(self) -> None:
        # Where an event or its amounts differ, the sums that follow from it would only say so again.
        measures = MEASURES if self._found.total == 0 else ("prompts",)
        for tenant_key in sorted(self._log.keys() | self._stored.keys()):
            stored, summed = (sums.get(tenant_key, [0] * len(MEASURES)) for sums in (self._stored, self._log))
            key = {"tenant_id": self._names.get(tenant_key, tenant_key)}
            for measure, kept, counted in zip(measures, stored, summed, strict=False):
                if kept != counted:
                    problem = "extra" if kept > counted else "missing"
                    self._found.add_one("prompt_record", key, problem, measure, kept, counted)

    def _no_event_of(self, row: np.void, problem: str, measure: str, stored: int | None) -> None:
        """All the log has of this key contradicted it, or came at other times, so its record is not from the log."""
        tenant_key = int(row["tenant"])
        record = self._connection.execute(
            text("SELECT event_id, ended_at_us FROM prompt_record WHERE tenant_key = :tenant AND event_key = :key"),
            {"tenant": tenant_key, "key": stored_key(self._connection.dialect.name, key_of_row(row))},
        ).one()
        key = {"tenant_id": self._names.get(tenant_key), "event_id": record.event_id}
        self._found.add_one("prompt_record", key, problem, measure, stored or record.ended_at_us, None)


def _stored_sums(connection: Connection) -> dict[int, list[int]]:
    """Sums of all records within retention, by tenant_key."""
    low = key_bound(connection.dialect.name, records_from_us(connection) // 1000)
    sums = ", ".join(sum_of_records(measure) for measure in MEASURES)
    statement = f"SELECT r.tenant_key, {sums} FROM prompt_record r WHERE r.event_key >= :low GROUP BY r.tenant_key"
    return {row[0]: list(row[1:]) for row in connection.execute(text(statement), {"low": low})}


def _pick(sums: Sequence[int] | None, names: Sequence[str]) -> dict[str, int]:
    values = sums or [0] * len(MEASURES)
    return {name: values[MEASURES.index(name)] for name in names}
