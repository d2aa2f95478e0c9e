"""What the end-to-end benchmarks share: a stack, worker processes, counting what is committed, result rows."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from rice_stream.sandbox.stack.stack import LocalStack, local_stack
from rice_stream.store.engine import open_engine, reading
from rice_stream.store.migrate import migrate

TOPIC = "llm-requests"
ALERTS = "carbon-alerts"
PARTITIONS = 4
POSTGRES = {"shared_buffers": "1GB", "max_wal_size": "8GB", "min_wal_size": "2GB"}
"""fsync and synchronous_commit stay on: a committed event survives a power cut."""
_RUN_IN_ROWS = 170_000
"""Of a page each: more than the shared buffers hold, and as much of the log."""


@dataclass(frozen=True)
class Row:
    """One line of results.json: a figure beside a ceiling or baseline of the same run."""

    name: str
    value: float
    unit: str
    ceiling_name: str
    ceiling_value: float
    ratio: float

    @classmethod
    def against(cls, name: str, value: float, unit: str, ceiling_name: str, ceiling_value: float) -> "Row":
        return cls(name, round(value, 3), unit, ceiling_name, round(ceiling_value, 3), round(value / ceiling_value, 3))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@contextmanager
def stack(*, store: str = "postgres", **settings: str) -> Iterator[tuple[LocalStack, Engine]]:
    """Kafka and a migrated database; `settings` of PostgreSQL besides ours."""
    with local_stack(
        store=store,  # type: ignore[arg-type]
        partitions=PARTITIONS,
        topics=[TOPIC, ALERTS],
        postgres_settings={**POSTGRES, **settings},
    ) as servers:
        engine = open_engine(servers.database_url)
        if store == "postgres":
            _run_in(engine)
        migrate(engine)
        yield servers, engine
        engine.dispose()


def _run_in(engine: Engine) -> None:
    """A server as it is once it has run for a while: all of its buffers were used before, and files of its log are there to be
    written again. A new one takes a third of its processor time for getting both from the system (clearing pages, writing each
    segment full of zeros first), once in its life."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CREATE TABLE run_in (page text STORAGE PLAIN)"))
        connection.execute(
            text("INSERT INTO run_in SELECT repeat('x', 8000) FROM generate_series(1, :rows)"), {"rows": _RUN_IN_ROWS}
        )
        connection.execute(text("DROP TABLE run_in"))
        connection.execute(text("CHECKPOINT"))


@contextmanager
def worker(servers: LocalStack, *arguments: str, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process; ended with SIGTERM when the block is left."""
    with _process(servers, "worker", *arguments, RICE_WORKER_HTTP_PORT="0", **settings) as process:
        yield process


@contextmanager
def named_worker(servers: LocalStack, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """The same, with threads that `processor_time` can tell apart."""
    program = (sys.executable, "-m", "benchmarks.processor_time")
    with _process(servers, "worker", program=program, RICE_WORKER_HTTP_PORT="0", **settings) as process:
        yield process


@contextmanager
def server(servers: LocalStack, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """A `serve` process, likewise."""
    with _process(servers, "serve", RICE_HTTP_PORT="0", **settings) as process:
        yield process


@contextmanager
def _process(
    servers: LocalStack, *arguments: str, program: Sequence[str] = (), **settings: str
) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, **servers.environment(), **settings}
    log = servers.data_dir / f"{arguments[0]}-{time.monotonic_ns()}.log"
    with log.open("wb") as stderr:
        command = [*(program or (str(Path(sys.executable).with_name("rice-stream")),)), *arguments]
        process = subprocess.Popen(command, env=environment, stderr=stderr)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(60)
            if process.returncode not in {0, -9}:
                print(log.read_text()[-3000:], file=sys.stderr)


def seen(engine: Engine) -> int:
    """Events that committed batches have accounted for, whatever became of them."""
    query = text("SELECT COALESCE(SUM(recorded + duplicates + conflicts + quarantined), 0) FROM kafka_progress")
    with reading(engine) as connection:
        return int(connection.scalar(query) or 0)


def rate_until(engine: Engine, total: int, process: subprocess.Popen[bytes], *, deadline_s: float = 1_200) -> float:
    """Events/s from the first committed batch to the one that completes `total` more than there were."""
    before = seen(engine)
    first: tuple[float, int] | None = None
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline and process.poll() is None:
        count = seen(engine) - before
        now = time.perf_counter()
        if count and first is None:
            first = (now, count)
        if first is not None and count >= total:
            return (count - first[1]) / (now - first[0])
        time.sleep(0.05)
    raise RuntimeError(f"the worker did not account for {total} events (exit code {process.poll()})")


def resident_bytes(process: subprocess.Popen[Any], field: str = "VmRSS") -> int:
    """Resident memory of a process (VmHWM: its peak)."""
    status = Path(f"/proc/{process.pid}/status").read_text("ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(field))
