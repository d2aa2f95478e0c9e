"""Past one PostgreSQL: what an event costs where tenants are split over two of them, and what its record takes as Parquet.

Two installations, each with a database, a topic and a worker of its own, on one Kafka: whoever produces sends a tenant's events to
the topic of its installation. Beside it one installation with all tenants, in the same run.
"""

import io
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Engine, text

from benchmarks.bench_end_to_end import prepared_records
from benchmarks.harness import PARTITIONS, POSTGRES, TOPIC, Row, seen, stack, worker
from benchmarks.processor_time import Usage, between, by_process, used
from benchmarks.traffic import events, produce
from rice_stream.sandbox.stack.postgres import PostgresServer
from rice_stream.sandbox.stack.stack import DATABASE, LocalStack
from rice_stream.store.batch import Records
from rice_stream.store.copy_stream import records_stream
from rice_stream.store.engine import open_engine, reading
from rice_stream.store.migrate import migrate

EVENTS = 300_000
RECORDS = 200_000
_TOPICS = ("tenants-a", "tenants-b")
_DEADLINE_S = 600.0
_PARTS = ("worker", "postgres", "broker")


class Installation(NamedTuple):
    """A topic and the database that its worker writes to."""

    topic: str
    url: str
    engine: Engine
    postgres: int
    """The process of its server."""


def run(scale: float = 1.0) -> list[dict[str, object]]:
    """All rows."""
    count = int(EVENTS * scale)
    start = datetime.now(UTC) - timedelta(hours=1)
    with stack() as (servers, engine):
        assert servers.postgres is not None
        one = Installation(TOPIC, servers.database_url, engine, servers.postgres.pid)
        together = spent(servers, [one], count, start)
        alone = totals(engine)
        rows = parquet_rows(prepared_records(engine, servers, int(RECORDS * scale), seed=5))
    with stack() as (servers, engine), second_database(servers) as (url, other, pid):
        assert servers.postgres is not None
        first = Installation(_TOPICS[0], servers.database_url, engine, servers.postgres.pid)
        split = spent(servers, [first, Installation(_TOPICS[1], url, other, pid)], count, start)
        added = [sum(pair) for pair in zip(totals(engine), totals(other), strict=True)]
    if added != alone:
        raise RuntimeError(f"two installations do not add up to one: {added} and {alone}")
    for part in _PARTS:
        rows.append(
            Row.against(f"split over two PostgreSQL: {part}", split[part], "us an event", "one", together[part])
        )
    return [row.as_dict() for row in rows]


@contextmanager
def second_database(servers: LocalStack) -> Iterator[tuple[str, Engine, int]]:
    """Another PostgreSQL beside the stack's: its URL, engine and process."""
    postgres = PostgresServer(servers.data_dir / "second-postgres", settings=POSTGRES)
    postgres.start()
    try:
        url = postgres.create_database(DATABASE)
        engine = open_engine(url)
        migrate(engine)
        yield url, engine, postgres.pid
        engine.dispose()
    finally:
        postgres.close(discard=True)


def spent(servers: LocalStack, installations: list[Installation], count: int, start: datetime) -> dict[str, float]:
    """Processor time of an event in microseconds, of the workers, the databases and the broker, catching up on so many."""
    for each in installations:
        if each.topic != TOPIC:
            servers.kafka.create_topic(each.topic, PARTITIONS)
    for number, each in enumerate(installations):
        of_it = (pair for pair in events(count, start=start) if _installation_of(pair[1], len(installations)) == number)
        produce(servers.bootstrap_servers, each.topic, of_it)
    with ExitStack() as running:
        pids: dict[str, int] = {"broker": servers.kafka.pid}
        for number, each in enumerate(installations):
            settings = {
                "RICE_DATABASE_URL": each.url,
                "RICE_EVENTS_TOPICS": each.topic,
                "RICE_KAFKA_GROUP_ID": f"installation-{number}",
            }
            pids[f"worker {number}"] = running.enter_context(worker(servers, **settings)).pid
            pids[f"postgres {number}"] = each.postgres
        until(lambda: all(seen(each.engine) for each in installations))
        before, had = used(pids), accounted(installations)
        until(lambda: accounted(installations) >= count)
        usage = by_process(_of_kinds(between(before, used(pids))))
        return {part: 1e6 * usage[part].processor_s / (count - had) for part in _PARTS}


def _of_kinds(usage: Usage) -> Usage:
    """`worker 0` and `worker 1` as one kind of process."""
    return {f"{name.split()[0].rstrip(':')}: {name}": each for name, each in usage.items()}


def _installation_of(value: bytes, installations: int) -> int:
    """By the number in the tenant's name: whoever produces decides, by tenant."""
    start = value.index(b'"tenant-') + len(b'"tenant-')
    return int(value[start : start + 2]) % installations


def accounted(installations: list[Installation]) -> int:
    return sum(seen(each.engine) for each in installations)


def until(holds: Any) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not holds():
        if time.monotonic() > deadline:
            raise RuntimeError("the workers did not account for all events")
        time.sleep(0.1)


def totals(engine: Engine) -> list[int]:
    """Prompts, tokens, energy and carbon of all tenants, as integers."""
    columns = ("prompts", "input_tokens", "output_tokens", "facility_energy_uwh", "carbon_mid_ugco2e")
    sums = ", ".join(f"SUM({column})" for column in columns)
    with reading(engine) as connection:
        return [int(Decimal(value)) for value in connection.execute(text(f"SELECT {sums} FROM day_total")).one()]


# --- Parquet ----------------------------------------------------------------------------------------------------------


def parquet_rows(batches: list[Records]) -> list[Row]:
    """A batch's records as Parquet (zstd, sorted by tenant and time), beside the stream that PostgreSQL is given of them."""
    count = sum(map(len, batches))
    began = time.process_time()
    tables = [as_table(records) for records in batches]
    file = io.BytesIO()
    with pq.ParquetWriter(file, tables[0].schema, compression="zstd", compression_level=6) as writer:
        for table in tables:
            writer.write_table(table)
    took_s = time.process_time() - began
    began = time.process_time()
    streamed = sum(len(part) for records in batches for part in records_stream(records))
    copying_s = time.process_time() - began
    return [
        Row.against("a record as Parquet", len(file.getvalue()) / count, "bytes", "as a row of COPY", streamed / count),
        Row.against("writing Parquet", count / took_s, "records/s of one core", "a stream of COPY", count / copying_s),
    ]


def as_table(records: Records) -> pa.Table:
    """All that a record holds, with its key and id; of names the numbers."""
    order = np.lexsort((records.columns["ended_at_us"], records.columns["tenant_key"]))
    columns: Mapping[str, Any] = {
        "event_key": pa.array([bytes(key) for key in records.event_keys[order]], type=pa.binary(16)),
        "event_id": pa.array([records.event_ids[row] for row in order.tolist()], type=pa.binary()),
        **{name: pa.array(column[order]) for name, column in records.columns.items()},
        **{
            f"measure_{number}": pa.array(records.measures[order, number])
            for number in range(records.measures.shape[1])
        },
    }
    return pa.table(dict(columns))
