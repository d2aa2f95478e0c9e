"""Restating recorded prompts, alone and beside a worker, each beside what a worker takes in in the same run.

Rates say what a quiet machine does: from the first transaction on, as a worker's is; starting the command takes a second, whatever
it restates. Processor time, of the process with its start and of PostgreSQL together, also holds on a busy one.
"""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sqlalchemy import Engine, text

from benchmarks.bench_beside_reads import LagSample, grown_per_s, processor_s, sampled_lag
from benchmarks.feeding import feeder
from benchmarks.harness import TOPIC, Row, rate_until, resident_bytes, stack, worker
from benchmarks.ledger import WHILE_FILLING, fill
from benchmarks.traffic import events, produce
from rice_stream.sandbox.stack.stack import LocalStack
from rice_stream.store.engine import reading

_EVENTS = 800_000
_TENANTS = 10
_SMALL_RECORDS = 100_000
_SMALL_TENANTS = 500
_BESIDE_SHARE = 0.3
"""Of the saturating rate, which a worker takes in while records are restated."""
_SAMPLED_S = 0.05
_SETTLED_S = 5.0
"""The worker joins its group meanwhile."""
_CAUGHT_UP_S = 0.5
"""Of what is fed: a lag that is no longer what came while the worker started."""


@dataclass(frozen=True)
class _Run:
    records_per_s: float
    cpu_us_per_record: float
    peak_bytes: int


def run(scale: float = 1.0) -> list[dict[str, object]]:
    """Records a second and processor time a record: by another method, by other settings after it, and beside a worker."""
    count = int(_EVENTS * scale)
    with stack() as (servers, engine):
        assert servers.postgres is not None
        produce(servers.bootstrap_servers, TOPIC, events(count, tenants=_TENANTS))
        with worker(servers) as process:
            pids = {"the worker": process.pid, "PostgreSQL": servers.postgres.pid}
            before = sum(processor_s(pids).values())
            rate = rate_until(engine, count, process)
            ingest_us = 1e6 * (sum(processor_s(pids).values()) - before) / count
        method = _restated(servers, engine, count, "--method=rice-paper")
        settings = _restated(servers, engine, count, RICE_PUE="1.6")
        beside, lags = _beside(servers, engine, count, int(rate * _BESIDE_SHARE))
    small = _small_tenants(int(_SMALL_RECORDS * scale))
    growth_per_s = grown_per_s(lags)[1]
    lag = float(np.median([waiting for *_, waiting in lags]))
    peak_mb = max(method.peak_bytes, settings.peak_bytes) / 1e6
    rows = [
        Row.against("restating by another method", method.records_per_s, "records/s", "taking them in", rate),
        Row.against("restating by other settings", settings.records_per_s, "records/s", "taking them in", rate),
        Row.against("restating beside a worker", beside.records_per_s, "records/s", "taking in alone", rate),
        Row.against("growth of that worker's lag", growth_per_s, "events/s", "fed", rate * _BESIDE_SHARE),
        Row.against("its lag, median", lag, "events", "fed in a second", rate * _BESIDE_SHARE),
        Row.against("processor, another method", method.cpu_us_per_record, "us/record", "taking in", ingest_us),
        Row.against("processor, other settings", settings.cpu_us_per_record, "us/record", "taking in", ingest_us),
        Row.against(
            f"processor, {_SMALL_TENANTS} small tenants",
            small.cpu_us_per_record,
            "us/record",
            "of few tenants",
            method.cpu_us_per_record,
        ),
        Row.against("peak memory of restating", peak_mb, "MB", "limit", 400.0),
    ]
    return [row.as_dict() for row in rows]


def _restated(servers: LocalStack, engine: Engine, count: int, *arguments: str, **settings: str) -> _Run:
    assert servers.postgres is not None
    command = [str(Path(sys.executable).with_name("rice-stream")), "restate", "--from=2020-01-01", "--to=2100-01-01"]
    environment = {**os.environ, **servers.environment(), **settings}
    pids = {"PostgreSQL": servers.postgres.pid}
    number, before = _latest(engine)[0], processor_s(pids)["PostgreSQL"]
    began, begun_with = time.perf_counter(), 0
    process = subprocess.Popen(
        [*command, "--reason=benchmark", "--json", *arguments], env=environment, stdout=subprocess.DEVNULL
    )
    # What `wait4` says of memory begins with that of who has started it.
    peak_bytes = 0
    while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
        with suppress(OSError, StopIteration):
            peak_bytes = max(peak_bytes, resident_bytes(process, "VmHWM"))
        if not begun_with and (latest := _latest(engine))[0] > number and latest[1]:
            began, begun_with = time.perf_counter(), latest[1]
        time.sleep(_SAMPLED_S)
    _, status, usage = ended
    process.returncode = os.waitstatus_to_exitcode(status)
    took_s = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(f"restate ended with {process.returncode}")
    cpu_s = processor_s(pids)["PostgreSQL"] - before + usage.ru_utime + usage.ru_stime
    return _Run((count - begun_with) / took_s, 1e6 * cpu_s / count, peak_bytes)


def _latest(engine: Engine) -> tuple[int, int]:
    """The number of the latest run, and how many records it is done with."""
    with reading(engine) as connection:
        row = connection.execute(text("SELECT number, records FROM restatement ORDER BY number DESC LIMIT 1")).first()
    return (0, 0) if row is None else (row.number, row.records)


def _beside(servers: LocalStack, engine: Engine, count: int, rate: int) -> tuple[_Run, list[LagSample]]:
    """While a worker takes in what is fed, once it has caught up with what came while it started; and its lag meanwhile."""
    with worker(servers), feeder(servers.bootstrap_servers, rate), ThreadPoolExecutor(1) as beside:
        sampled_lag(
            servers, engine, time.perf_counter(), lambda each: each[0] < _SETTLED_S or each[2] > rate * _CAUGHT_UP_S
        )
        run_beside = beside.submit(_restated, servers, engine, count, "--method=rice-calibrated")
        lags = sampled_lag(servers, engine, time.perf_counter(), lambda _: not run_beside.done())
        return run_beside.result(), lags


def _small_tenants(count: int) -> _Run:
    """So many records evenly of many tenants, in a ledger of their own."""
    with stack(**WHILE_FILLING) as (servers, engine):
        until = datetime(2026, 11, 1, tzinfo=UTC)
        fill(engine, servers.database_url, count, tenants=_SMALL_TENANTS, days=1, until=until)
        return _restated(servers, engine, count, "--method=rice-paper")
