"""200 open pages on one server process: its memory, and how long after a commit the last of them hears of it.

PostgreSQL with 20 tenants; 14 tokens, half for everything and half for a tenant each. The promise: under 200 MB.
"""

import asyncio
import statistics
import time
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine

from benchmarks.bench_api import reader_token, served
from benchmarks.harness import Row, resident_bytes, stack
from benchmarks.ledger import fill, tenant_id
from rice_stream.alerting.budgets import set_budgets
from rice_stream.budgets.parsing import parse_budget
from rice_stream.store.audit import Actor

VIEWERS = 200
TOKENS = 14
CHANGES = 10
PROMPTS = 50_000
TENANTS = 20
PROMISED_BYTES = 200_000_000
_BY = Actor("command line", "benchmark")


def run(scale: float = 1.0) -> list[dict[str, Any]]:
    """Memory without and with all viewers, and the delay of a change."""
    with stack() as (servers, engine):
        until = datetime.now(UTC)
        fill(engine, servers.database_url, int(PROMPTS * scale), tenants=TENANTS, days=30, until=until)
        tokens = [reader_token(engine, None if number % 2 else tenant_id(0)) for number in range(TOKENS)]
        with served(servers, engine) as (port, _, process):
            before: Any = process
            delays_ms, alone, crowded = asyncio.run(_watched(engine, port, tokens, before))
    return [
        row.as_dict()
        for row in (
            Row.against("memory with 200 viewers", crowded / 1e6, "MB", "promised", PROMISED_BYTES / 1e6),
            Row.against("memory of 200 viewers", (crowded - alone) / 1e6, "MB", "server alone", alone / 1e6),
            Row.against("commit to the last viewer, median", statistics.median(delays_ms), "ms", "looked at", 1_000),
            Row.against("commit to the last viewer, worst", max(delays_ms), "ms", "looked at", 1_000),
        )
    ]


async def _watched(engine: Engine, port: int, tokens: list[str], process: Any) -> tuple[list[float], int, int]:
    first = await _listen(port, tokens[0])
    await _next_change(first)
    alone = resident_bytes(process)
    viewers = [first, *[await _listen(port, tokens[number % TOKENS]) for number in range(1, VIEWERS)]]
    for viewer in viewers[1:]:
        await _next_change(viewer)
    delays_ms = []
    for number in range(CHANGES):
        heard = [asyncio.create_task(_next_change(viewer)) for viewer in viewers]
        budget = {"name": f"b{number}", "tenant_id": tenant_id(0), "limit_gco2e": 1.0, "period": "month"}
        await asyncio.to_thread(set_budgets, engine, [parse_budget(budget)], time.time_ns() // 1000, _BY)
        began = time.perf_counter()
        await asyncio.gather(*heard)
        delays_ms.append((time.perf_counter() - began) * 1000)
    crowded = resident_bytes(process)
    for _, writer in ((viewer, viewer[1]) for viewer in viewers):
        writer.close()
    return delays_ms, alone, crowded


_Viewer = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _listen(port: int, token: str) -> _Viewer:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /v1/stream HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n".encode("ascii"))
    status = await reader.readline()
    if b" 200 " not in status:
        raise AssertionError(status)
    return reader, writer


async def _next_change(viewer: _Viewer) -> None:
    while (line := await viewer[0].readline()) and not line.startswith(b"event: changed"):
        pass
    if not line:
        raise AssertionError("the stream has ended")
