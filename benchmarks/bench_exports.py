"""A month of prompts as a file with its manifest: rows a second of the command's processor time, and its peak of memory.

`rice-stream export prompts` in a process of its own, as a person runs it; digests of file and content are in it.
"""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil

from benchmarks.harness import Row, stack
from benchmarks.ledger import WHILE_FILLING, fill, tenant_id
from rice_stream.sandbox.stack.stack import LocalStack

PROMPTS = 500_000
_ROWS_PER_S, _PEAK_MB = 100_000.0, 200.0
_LOOK_S = 0.02


def run(scale: float = 1.0) -> list[dict[str, object]]:
    """Of a month of half a million prompts, as Parquet and as CSV."""
    return measured(int(PROMPTS * scale), ("parquet", "csv"))


def run_10_million(scale: float = 1.0) -> list[dict[str, object]]:
    """Of one of ten million, as Parquet."""
    return measured(int(20 * PROMPTS * scale), ("parquet",))


def measured(prompts: int, formats: tuple[str, ...]) -> list[dict[str, object]]:
    """Two rows for each format."""
    with stack(**WHILE_FILLING) as (servers, engine):
        fill(engine, servers.database_url, prompts, tenants=1, days=31, until=datetime(2026, 11, 1, tzinfo=UTC))
        return [row.as_dict() for format_ in formats for row in _exported(servers, prompts, format_)]


def _exported(servers: LocalStack, prompts: int, format_: str) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / f"prompts.{format_}"
        options = ("--tenant", tenant_id(0), "--month", "2026-10", "--format", format_, "--out", str(out))
        command = [str(Path(sys.executable).parent / "rice-stream"), "export", "prompts", *options]
        process = psutil.Popen(command, env=os.environ | servers.environment(), stdout=subprocess.DEVNULL)
        peak, seconds = 0.0, 0.0
        # What the system says of one that has ended includes what its parent held when it began: it is looked at while it runs.
        while process.poll() is None:
            with suppress(psutil.NoSuchProcess):
                peak = max(peak, process.memory_info().rss)
                seconds = sum(process.cpu_times()[:2])
            time.sleep(_LOOK_S)
        if process.returncode:
            raise AssertionError(f"{' '.join(command)} ended with {process.returncode}")
        size = out.stat().st_size
    what = f"export of a month of {prompts:,} prompts as {format_}"
    return [
        Row.against(f"{what} ({size / prompts:.0f} B each)", prompts / seconds, "rows/s", "asked for", _ROWS_PER_S),
        Row.against(f"{what}, peak memory", peak / 1e6, "MB", "limit", _PEAK_MB),
    ]
