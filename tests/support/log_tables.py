"""Logs as Arrow tables: events of several tenants and formats, each twice, with items that are none in between."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from rice_stream.spark.jobs import LOGS, Job
from tests.support.format_payloads import PAYLOADS
from tests.support.worker_truth import Event, EventMaker, encoded

NOW_S = 1_795_400_000.0
JOB = Job((), round(NOW_S * 1e6) + 60_000_000)


def log_table(count: int, seed: int = 1) -> tuple[pa.Table, list[Event]]:
    """So many events, all of them twice, and payloads of other formats; and the events."""
    make, draw = EventMaker(seed, now_s=NOW_S), random.Random(seed)
    events = [make() for _ in range(count)]
    values = [encoded(event) for event in events] * 2
    values += [*PAYLOADS.values(), b"no event", json.dumps({"event_id": "half"}).encode()]
    draw.shuffle(values)
    rows = {
        "topic": ["logs"] * len(values),
        "partition": [number % 3 for number in range(len(values))],
        "offset": [number // 3 for number in range(len(values))],
        "timestamp_us": [JOB.received_at_us - 1 - number for number in range(len(values))],
        "value": values,
    }
    return pa.table(rows, schema=LOGS), events


def cut(table: pa.Table, pieces: int) -> list[pa.Table]:
    """Consecutive pieces of about one size."""
    size = -(-len(table) // pieces)
    return [table.slice(start, size) for start in range(0, len(table), size)]


def written(tables: Sequence[pa.Table], folder: Path) -> list[Path]:
    """A Parquet file of each."""
    folder.mkdir(parents=True)
    paths = [folder / f"part-{number}.parquet" for number in range(len(tables))]
    for table, path in zip(tables, paths, strict=True):
        pq.write_table(table, path)
    return paths
