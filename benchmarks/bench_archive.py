"""The archive of a month: bytes on disk, processor time and memory, and restating from it beside restating from PostgreSQL.

Each command in a process of its own, as a person runs it. Processor time, of the command and of PostgreSQL together, also holds on
a busy machine: records over it are records a second of one core. What is done is said as it goes, for a large month takes minutes.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from sqlalchemy import Engine

from benchmarks.harness import Row, stack
from benchmarks.ledger import WHILE_FILLING, fill, tenant_id
from rice_stream.channels.months import Month
from rice_stream.ledger.closing import CloseOrder, Closing
from rice_stream.runtime.secret_box import FernetBox
from rice_stream.sandbox.stack.stack import LocalStack
from rice_stream.store.audit import Actor
from rice_stream.store.retention import drop_records_before

PROMPTS = 500_000
_RECORD_BYTES, _PEAK_MB, _CLOSE_S_OF_10_MILLION = 60.0, 300.0, 300.0
_LOOK_S = 0.02
_UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
_RESTATED = ("restate", "--method", "rice-paper", "--reason", "benchmark", "--dry-run", "--json")
_THE_MONTH = ("--from", "2026-10-01", "--to", "2026-11-01")
_HARDLY_ANY = ("--from", "2026-10-01", "--to", "2026-10-01T00:00:10Z")


class _Run(NamedTuple):
    told: Any
    seconds: float
    peak_mb: float


class _Restated(NamedTuple):
    rate: float
    """Records a second of processor time."""
    peak_mb: float


def run(scale: float = 1.0) -> list[dict[str, object]]:
    """Of a month of half a million prompts."""
    return measured(int(PROMPTS * scale))


def run_10_million(scale: float = 1.0) -> list[dict[str, object]]:
    """Of one of ten million."""
    return measured(int(20 * PROMPTS * scale))


def measured(prompts: int) -> list[dict[str, object]]:
    """Bytes a record, seconds and memory of archiving and of checking, and the ratio of the two rates of restating."""
    with stack(**WHILE_FILLING) as (servers, engine), tempfile.TemporaryDirectory() as folder:
        with _told(f"filling with {prompts:,} prompts"):
            fill(engine, servers.database_url, prompts, tenants=1, days=31, until=_UNTIL)
        with _told("closing"):
            _close(engine)
        whose = ("--tenant", tenant_id(0), "--month", "2026-10")
        archived = _command(servers, folder, "archive", *whose, "--json")
        checked = _command(servers, folder, "archive", "--check", "--json")
        # Each without what it takes to begin, which is as much as a few hundred thousand records.
        restated = [_restated(servers, folder)]
        with _told("dropping"):
            drop_records_before(engine, _UNTIL)
        restated.append(_restated(servers, folder))
    assert checked.told["ok"]
    assert archived.told["records"] == prompts
    from_postgresql, from_archive = restated
    what = f"of a month of {prompts:,} prompts"
    limit_s = _CLOSE_S_OF_10_MILLION * prompts / (20 * PROMPTS)
    peak_mb = max(each.peak_mb for each in (archived, checked, from_archive))
    return [
        row.as_dict()
        for row in (
            Row.against(f"archive {what}", archived.told["bytes"] / prompts, "B/record", "limit", _RECORD_BYTES),
            Row.against(f"archiving {what} (processor time)", archived.seconds, "s", "limit of the close", limit_s),
            Row.against(f"checking the archive {what} (processor time)", checked.seconds, "s", "of the close", limit_s),
            Row.against(f"archive {what}, peak memory", peak_mb, "MB", "limit", _PEAK_MB),
            Row.against(
                f"restating {what} from the archive",
                from_archive.rate,
                "records/s",
                "from PostgreSQL",
                from_postgresql.rate,
            ),
        )
    ]


def _close(engine: Engine) -> None:
    box = FernetBox.parse(base64.b64encode(bytes(32)).decode())
    closing = Closing(engine, box, lambda _bounds: [], Actor("command line", "benchmark"), "benchmark")
    closing.close(CloseOrder(tenant_id(0), Month.of("2026-10", "UTC")))


def _restated(servers: LocalStack, folder: str) -> _Restated:
    """The month, tried; less the first ten seconds of it, for which all is loaded and opened as well."""
    few, all_ = (_command(servers, folder, *_RESTATED, *stretch) for stretch in (_HARDLY_ANY, _THE_MONTH))
    records = all_.told["records"] - few.told["records"]
    return _Restated(records / (all_.seconds - few.seconds), all_.peak_mb)


def _command(servers: LocalStack, folder: str, *arguments: str) -> _Run:
    """What it answers, its processor time with PostgreSQL's, and its peak."""
    with _told(" ".join(arguments)):
        return _measured_command(servers, folder, arguments)


@contextmanager
def _told(what: str) -> Iterator[None]:
    began_s = time.monotonic()
    print(f"{what} ...", end=" ", file=sys.stderr, flush=True)
    yield
    print(f"{time.monotonic() - began_s:,.1f} s", file=sys.stderr, flush=True)


def _measured_command(servers: LocalStack, folder: str, arguments: Sequence[str]) -> _Run:
    assert servers.postgres is not None
    database = psutil.Process(servers.postgres.pid)
    before_s = _seconds(database)
    command = [str(Path(sys.executable).parent / "rice-stream"), *arguments]
    environment = os.environ | servers.environment() | {"RICE_ARCHIVE_WAREHOUSE": folder}
    peak, own_s = 0.0, 0.0
    with tempfile.TemporaryFile() as out:
        process = psutil.Popen(command, env=environment, stdout=out)
        # As of exports: what the system says afterwards includes what the parent held.
        while process.poll() is None:
            with suppress(psutil.NoSuchProcess):
                peak = max(peak, process.memory_info().rss)
                own_s = sum(process.cpu_times()[:2])
            time.sleep(_LOOK_S)
        out.seek(0)
        said = out.read()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return _Run(json.loads(said), own_s + _seconds(database) - before_s, peak / 1e6)


def _seconds(database: psutil.Process) -> float:
    """Of the server's processes, those that have ended included."""
    found = sum(database.cpu_times()[:4])
    for process in database.children():
        with suppress(psutil.NoSuchProcess):
            found += sum(process.cpu_times()[:2])
    return found
