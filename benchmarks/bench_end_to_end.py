"""Kafka to committed PostgreSQL, beside what Faust alone, bare COPY and the obvious design reach in the same run."""

import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import psycopg
from sqlalchemy import Engine

from benchmarks.baseline import obvious_design
from benchmarks.harness import TOPIC, Row, rate_until, resident_bytes, seen, stack, worker
from benchmarks.traffic import events, produce
from rice_stream.events.records import RawRecord
from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.runtime.opening_pipeline import open_pipeline
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.sandbox.stack.stack import LocalStack
from rice_stream.store.batch import Records
from rice_stream.store.copy_stream import records_stream, streamed_columns
from rice_stream.store.record_columns import RECORD_COLUMNS
from rice_stream.store.writers import open_writer

EVENTS = 2_400_000
PART = 600_000
"""Of the other tables."""
PER_EVENT = 100_000
CHUNKED = 500_000
OBVIOUS = 700
COPIED = 300_000
BATCH = 20_000
_LATELY_US = 3 * 3_600_000_000
"""What was stored before a store is filled ends within this, and no copy does."""


def run(scale: float = 1.0) -> list[dict[str, object]]:
    """All rows of the main table. `scale` makes a quicker, rougher run."""
    count = int(EVENTS * scale)
    with stack() as (servers, engine):
        produce(servers.bootstrap_servers, TOPIC, events(count))
        per_event = consumer("per_event", servers, min(PER_EVENT, count))
        chunked = consumer("chunks_only", servers, min(CHUNKED, count))
        with worker(servers) as process:
            ours = rate_until(engine, count, process)
            peak = resident_bytes(process, "VmHWM")
        copied = bare_copy(servers, engine, int(COPIED * min(scale * 2, 1)))
        obvious = obvious_design(servers, OBVIOUS)
    rows = [
        Row.against("kafka to postgresql", ours, "events/s", "Faust agent doing nothing, per event", per_event),
        Row.against("kafka to postgresql", ours, "events/s", "chunk transport, doing nothing", chunked),
        Row.against("kafka to postgresql", ours, "events/s", "bare binary COPY into the same keyed table", copied),
        Row.against("kafka to postgresql", ours, "events/s", "one event at a time, sklearn and ORM", obvious),
        Row.against("worker peak memory", peak / 1e6, "MB", "limit", 300.0),
    ]
    return [row.as_dict() for row in rows]


def consumer(kind: str, servers: LocalStack, count: int) -> float:
    """Events/s of a worker of `benchmarks.consumers`, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.consumers", kind, servers.bootstrap_servers, TOPIC, str(count)]
    output = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, timeout=600).stdout
    return count / float(output.split()[-1])


def prepared_records(engine: Engine, servers: LocalStack, count: int, seed: int) -> list[Records]:
    """Batches of the records that the pipeline would write."""
    settings = load_settings(environment=servers.environment())
    pipeline, writer = open_pipeline(settings, engine)
    raw = [RawRecord("t", 0, i, value) for i, (_, value) in enumerate(events(count, seed=seed))]
    batches = [_prepare(pipeline, raw[first : first + BATCH]) for first in range(0, count, BATCH)]
    writer.close()
    return batches


def _prepare(pipeline: Pipeline, raw: list[RawRecord]) -> Records:
    return pipeline.prepare([Chunk("t", 0, raw)], time.time_ns() // 1000).records


def bare_copy(servers: LocalStack, engine: Engine, count: int) -> float:
    """Rows/s of COPY alone, one transaction per batch of the worker's size, streams built beforehand."""
    batches = prepared_records(engine, servers, count, seed=77)
    writer_months = np.concatenate([records.columns["ended_at_us"] for records in batches])
    writer = open_writer(engine)
    writer.ensure_partitions(writer_months)
    writer.close()
    streams = [b"".join(records_stream(records)) for records in batches]
    statement = f"COPY prompt_record ({', '.join(streamed_columns(batches[0]))}) FROM STDIN (FORMAT BINARY)"
    with psycopg.connect(servers.database_url.replace("+psycopg", ""), autocommit=True) as connection:
        start = time.perf_counter()
        for stream in streams:
            with connection.transaction(), connection.cursor() as cursor, cursor.copy(statement) as copy:
                copy.write(stream)
        return count / (time.perf_counter() - start)


def run_duplicates(scale: float = 1.0) -> list[dict[str, object]]:
    """The same with half of the events sent twice, against each sent once, in one run."""
    count = int(PART * scale)
    with stack() as (servers, engine):
        produce(servers.bootstrap_servers, TOPIC, events(count, seed=1))
        with worker(servers) as process:
            once = rate_until(engine, count, process)
        produce(servers.bootstrap_servers, TOPIC, half_twice(count))
        with worker(servers) as process:
            twice = rate_until(engine, count + count // 2, process)
    return [Row.against("half of the events sent twice", twice, "events/s", "each sent once", once).as_dict()]


def half_twice(count: int) -> Iterator[tuple[bytes, bytes]]:
    """Every second event a second time, some thousands of events later (a client that retries)."""
    waiting: list[tuple[bytes, bytes]] = []
    for number, pair in enumerate(events(count, seed=2)):
        yield pair
        if number % 2:
            waiting.append(pair)
        if len(waiting) > 5_000:
            yield waiting.pop(0)
    yield from waiting


def run_processes(scale: float = 1.0) -> list[dict[str, object]]:
    """A worker of two processes against one, on the same processors, which broker and store use as well."""
    count = int(PART * scale)
    with stack() as (servers, engine):
        rates = []
        for processes in (1, 2):
            produce(servers.bootstrap_servers, TOPIC, events(count, seed=processes))
            with worker(servers, "--processes", str(processes)) as process:
                rates.append(rate_until(engine, count, process))
    one, two = rates
    return [Row.against("worker of two processes", two, "events/s", "of one", one).as_dict()]


def run_large_store(scale: float = 1.0, held: int = 3_000_000) -> list[dict[str, object]]:
    """Into a store that holds 3 million rows, against an empty one, in one run."""
    count = int(PART * scale)
    with stack() as (servers, engine):
        produce(servers.bootstrap_servers, TOPIC, events(count, seed=1))
        with worker(servers) as process:
            empty = rate_until(engine, count, process)
        fill(servers, engine, int(held * min(scale * 3, 1)))
        produce(servers.bootstrap_servers, TOPIC, events(count, seed=3))
        with worker(servers) as process:
            full = rate_until(engine, count, process)
    name = f"into a store of {held * min(scale * 3, 1) / 1e6:.0f} million rows"
    return [Row.against(name, full, "events/s", "into an empty store", empty).as_dict()]


def run_store_of_20_million(scale: float = 1.0) -> list[dict[str, object]]:
    """`make bench-large`: into a store of 20 million rows."""
    return run_large_store(scale, held=20_000_000)


def run_store_of_100_million(scale: float = 1.0) -> list[dict[str, object]]:
    """`make bench-large`: into a store of 100 million rows."""
    return run_large_store(scale, held=100_000_000)


def fill(servers: LocalStack, engine: Engine, rows: int) -> None:
    """Older records, made by the database itself from those that are there, over the last 25 days."""
    writer = open_writer(engine)
    writer.ensure_partitions(time.time_ns() // 1000 - np.arange(27) * 86_400_000_000)
    writer.close()
    columns = [name for name in RECORD_COLUMNS if name not in {"event_key", "ended_at_us", "event_id"}]
    listed = ", ".join(columns)
    with psycopg.connect(servers.database_url.replace("+psycopg", ""), autocommit=True) as connection:
        have = connection.execute("SELECT count(*) FROM prompt_record").fetchone()
        copies = max(1, rows // max(have[0] if have else 1, 1))
        for copy in range(1, copies + 1):
            shift_us = copy * (25 * 86_400_000_000 // copies)
            connection.execute(
                f"INSERT INTO prompt_record ({listed}, event_key, ended_at_us, event_id)"
                f" SELECT {listed}, (lpad(to_hex((ended_at_us - %(shift)s) / 1000), 12, '0')"
                " || substr(md5(event_id || %(copy)s), 1, 20))::uuid, ended_at_us - %(shift)s, event_id || %(copy)s"
                " FROM prompt_record WHERE ended_at_us > %(since)s",
                {"shift": shift_us, "copy": f"-{copy}", "since": (time.time_ns() // 1000) - _LATELY_US},
            )
        connection.execute("VACUUM (ANALYZE) prompt_record")
        connection.execute("CHECKPOINT")


def run_sqlite(scale: float = 1.0) -> list[dict[str, object]]:
    """Kafka to SQLite."""
    count = int(PART * scale / 2)
    with stack(store="sqlite") as (servers, engine):
        produce(servers.bootstrap_servers, TOPIC, events(count))
        per_event = consumer("per_event", servers, min(PER_EVENT, count))
        with worker(servers) as process:
            ours = rate_until(engine, count, process)
    return [
        Row.against("kafka to sqlite", ours, "events/s", "Faust agent doing nothing, per event", per_event).as_dict()
    ]


def run_memory(scale: float = 1.0, millions: int = 2) -> list[dict[str, object]]:
    """Memory of one worker over 2 million events: at the end against after the first million."""
    million = int(1_000_000 * scale)
    with stack() as (servers, engine):
        produce(servers.bootstrap_servers, TOPIC, events(million, seed=10))
        with worker(servers) as process:
            rate_until(engine, million, process)
            early = resident_bytes(process)
            for stored in range(2, millions + 1):
                produce(servers.bootstrap_servers, TOPIC, events(million, seed=9 + stored))
                while seen(engine) < million * stored:
                    time.sleep(0.2)
            late, peak = resident_bytes(process), resident_bytes(process, "VmHWM")
    after, over = f"memory after {millions} million events", f"peak memory over {millions} million events"
    return [
        Row.against(after, late / 1e6, "MB", "after 1 million", early / 1e6).as_dict(),
        Row.against(over, peak / 1e6, "MB", "limit", 300.0).as_dict(),
    ]


def run_memory_10_million(scale: float = 1.0) -> list[dict[str, object]]:
    """`make bench-large`: memory of one worker over 10 million events."""
    return run_memory(scale, millions=10)
