"""Closing a month of a tenant: processor time of its parts, of this process and of PostgreSQL; and that of a proof and its check.

What is measured is processor time, which does not depend on who else uses the machine. The limits are those of a month of ten
million prompts on two cores.
"""

import base64
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, text

from benchmarks.harness import Row, stack
from benchmarks.ledger import WHILE_FILLING, event_id, fill, tenant_id
from rice_stream.channels.months import Month
from rice_stream.ledger.closing import CloseOrder, Closing
from rice_stream.proof.month_verification import month_differences
from rice_stream.reports.month_proofs import month_proof
from rice_stream.runtime.secret_box import FernetBox
from rice_stream.store.audit import Actor
from rice_stream.store.engine import reading
from rice_stream.store.period_leaves import MonthBounds
from rice_stream.store.period_store import calendar_bounds
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.snapshot import snapshot
from rice_stream.transparency.proof_files import check_proof_file

PROMPTS = 500_000
_OF_LIMIT = 10_000_000
_CLOSE_S, _PROOF_MS, _CHECK_MS = 300.0, 50.0, 1_000.0
_PROOFS = 20
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def run(scale: float = 1.0) -> list[dict[str, object]]:
    """Of a month of half a million prompts."""
    return measured(int(PROMPTS * scale))


def run_10_million(scale: float = 1.0) -> list[dict[str, object]]:
    """Of one of ten million."""
    return measured(int(20 * PROMPTS * scale))


def measured(prompts: int) -> list[dict[str, object]]:
    """Seconds of processor time of a close, to be compared with the limit in proportion; milliseconds of a proof and a check."""
    with stack(**WHILE_FILLING) as (servers, engine):
        fill(engine, servers.database_url, prompts, tenants=1, days=31, until=datetime(2026, 11, 1, tzinfo=UTC))
        month = Month.of("2026-10", "UTC")
        box = FernetBox.parse(base64.b64encode(bytes(32)).decode())
        closing = Closing(engine, box, lambda _bounds: [], Actor("command line", "benchmark"), "benchmark")
        limit_s = _CLOSE_S * prompts / _OF_LIMIT
        reconciled_s = _cpu_s(engine, lambda: _reconcile(engine, month))
        closed_s = _cpu_s(engine, lambda: closing.close(CloseOrder(tenant_id(0), month)))
        proofs = [event_id(prompts * number // _PROOFS) for number in range(_PROOFS)]
        proven_s = _cpu_s(engine, lambda: [month_proof(engine, EVERYTHING, each) for each in proofs])
        file = month_proof(engine, EVERYTHING, proofs[0])
        checked_s = _cpu_s(engine, lambda: [check_proof_file(file) for _ in proofs])
    what = f"of a month of {prompts:,} prompts (processor time)"
    return [
        Row.against(f"reconciliation {what}", reconciled_s, "s", "limit of the whole close", limit_s).as_dict(),
        Row.against(
            f"marking, tree and signature {what}", closed_s, "s", "limit of the whole close", limit_s
        ).as_dict(),
        Row.against(f"a proof {what}", 1e3 * proven_s / _PROOFS, "ms", "limit", _PROOF_MS).as_dict(),
        Row.against(f"a check of one {what}", 1e3 * checked_s / _PROOFS, "ms", "limit", _CHECK_MS).as_dict(),
    ]


def _reconcile(engine: Engine, month: Month) -> None:
    with snapshot(engine, EVERYTHING) as connection:
        tenant_key = connection.scalar(text("SELECT MIN(tenant_key) FROM prompt_record")) or 0
        low_us, high_us = calendar_bounds(connection, tenant_key, month)
        assert month_differences(connection, MonthBounds(tenant_key, low_us, high_us, 0)).total == 0


def _cpu_s(engine: Engine, work: Callable[[], object]) -> float:
    """Processor time of this process and of the database's, whose connections it may open and close."""
    with reading(engine) as connection:
        backend: int = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    server = int(_stat(backend)[1])
    before_s = _server_s(server), time.process_time()
    work()
    return _server_s(server) - before_s[0] + time.process_time() - before_s[1]


def _server_s(server: int) -> float:
    ticks = sum(map(int, _stat(server)[11:15]))
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                fields = _stat(int(path.name))
            except OSError:
                continue
            if int(fields[1]) == server:
                ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS_PER_S


def _stat(pid: int) -> list[str]:
    """From the state on, which is the third field of /proc/PID/stat."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
