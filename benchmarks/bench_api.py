"""The API beside a bare `SELECT 1` route of the same server in the same run: latency, requests a second, streams.

500 tenants, prompts of 30 days, PostgreSQL; 16 connections, each asks again as soon as it is answered. Kinds of questions are
asked in turns of the bare route's, so that a machine that is busy is so for both. Ratios to the bare route in the same turn.
The ledger is made as `ledger` says; nothing is committed while questions are asked.
"""

import asyncio
import math
import os
import random
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from urllib.parse import quote

from sqlalchemy import Engine, text

from benchmarks.dashboard_views import of_pages
from benchmarks.harness import Row, resident_bytes, stack
from benchmarks.http_load import Question, ask, load
from benchmarks.ledger import WHILE_FILLING, event_id, fill, tenant_id
from benchmarks.policies import of_policies
from rice_stream.api.access.secrets import digest_of, new_token, prefix_of
from rice_stream.instants import epoch_us, rfc3339
from rice_stream.sandbox.stack.stack import LocalStack
from rice_stream.store.audit import Actor
from rice_stream.store.engine import reading
from rice_stream.store.http_tokens import HttpToken, create_token
from rice_stream.store.scope import EVERYTHING

PROMPTS = 1_000_000
TENANTS = 500
TURN_S = 3.0
TURNS = 3
TOTALS = "totals of a tenant"
LISTED = "explanations of listed prompts"
_HELD = (TOTALS, LISTED)
"""Of which is measured what row-level security costs."""
_DAYS = 30
_STREAMED = 1_000_000
_WINDOWS = ("1h", "24h", "7d", "30d", "mtd")
_BREAKDOWNS = ("tenant", "team", "model", "region", "team,model", "project")
_CURVES = ("tenant", "team", "model")
_LONG_TURN_S = 20.0
"""Of questions about one tenant's totals: with the minute that is asked for, what 16 connections plan once is as rare as in use.
And of those about all tenants, so that windows move on while it lasts."""
_SHORT_TURN_S, _SHORT_LONG_TURN_S = 1.5, 3.0
"""Of `make bench`."""
_LINKS = 5_000


def run(scale: float = 1.0) -> list[dict[str, object]]:
    """All rows over a million prompts, in turns that leave time for all other benchmarks."""
    return measured(int(PROMPTS * scale), _SHORT_TURN_S, _SHORT_LONG_TURN_S)


def run_10_million(scale: float = 1.0) -> list[dict[str, object]]:
    """All rows over ten million prompts."""
    return measured(int(10 * PROMPTS * scale), TURN_S, _LONG_TURN_S)


def measured(prompts: int, turn_s: float, long_s: float) -> list[dict[str, object]]:
    """Rows of latency and throughput by kind of question, and of the streams."""
    with stack(**WHILE_FILLING) as (servers, engine):
        until = datetime.now(UTC)
        fill(engine, servers.database_url, prompts, tenants=TENANTS, days=_DAYS, until=until)
        rows = asked_of(servers, engine, prompts, until, turn_s, long_s)
    return [row.as_dict() for row in rows]


def asked_of(
    servers: LocalStack, engine: Engine, prompts: int, until: datetime, turn_s: float, long_s: float = _LONG_TURN_S
) -> list[Row]:
    """The same of a ledger that is there; `long_s` is how long a turn is of what varies most."""
    with served(servers, engine) as (port, token, server):
        rows = [
            row
            for name, asked in questions(engine, prompts).items()
            for row in _said(beside_bare(name, asked, port, token, long_s if name == TOTALS else turn_s))
        ]
        rows += _said(of_policies(engine, {name: questions(engine, prompts)[name] for name in _HELD}, port, token))
        rows += _said(of_all_tenants(port, token, long_s))
        rows += _said(of_pages(_links(engine), _tenant, port, token))
    # A server that has done nothing else: its memory is that of the streams.
    with served(servers, engine) as (port, token, server):
        return rows + streamed(engine, prompts, until, port, token, server)


def _said(rows: list[Row]) -> list[Row]:
    """The rows, told as they come: a run of a quarter of an hour must not lose them all by its last step."""
    for row in rows:
        print(row.as_dict(), file=sys.stderr, flush=True)
    return rows


def _tenant(random_: random.Random, tenants: int = TENANTS) -> str:
    return f"tenant={tenant_id(random_.randrange(tenants))}"


def _days(first: date, days: int) -> str:
    return f"&from={first}&to={first + timedelta(days=days)}"


def _of_any_days(random_: random.Random) -> str:
    """Up to a week that is over."""
    days = random_.randrange(1, 8)
    return _days(datetime.now(UTC).date() - timedelta(days=random_.randrange(days, _DAYS)), days)


def _window(random_: random.Random) -> str:
    return f"&window={random_.choice(_WINDOWS)}"


def _curve(window: str, names: str) -> str:
    """By the hour for up to a day, by the day for more."""
    return f"&window={window}&by={names}&bucket={'hour' if window in {'1h', '24h'} else 'day'}"


def of_a_tenant(random_: random.Random, tenants: int = TENANTS) -> str:
    """Sums by any names over a window or some days; a fifth curves; a tenth by user, for which there are no totals."""
    drawn = random_.random()
    if drawn < 0.1:
        what = "&by=user&window=1h"
    elif drawn < 0.3:
        what = _curve(random_.choice(_WINDOWS), random_.choice(_CURVES))
    else:
        stretch = _window(random_) if drawn < 0.75 else _of_any_days(random_)
        what = f"&by={random_.choice(_BREAKDOWNS)}{stretch}"
    return f"/v1/totals?limit=1000{what}&{_tenant(random_, tenants)}"


def questions(engine: Engine, prompts: int) -> dict[str, Question]:
    """What is asked, by what it is called; each question is of another tenant or prompt."""
    links = _links(engine)
    return {
        TOTALS: of_a_tenant,
        "rolling totals of a tenant": lambda r: f"/v1/rolling-totals?{_tenant(r)}",
        "pages of prompts": lambda r: f"/v1/prompts?limit=50&{_tenant(r)}",
        LISTED: lambda r: r.choice(links),
        # Of the 30 days, and of the last one: how long it has been there makes no difference to how an id is found.
        "explanations by event id alone": lambda r: f"/v1/prompts/{event_id(r.randrange(prompts))}/explain",
        "explanations by event id alone, of the last day": lambda r: (
            f"/v1/prompts/{event_id(r.randrange(prompts - prompts // _DAYS, prompts))}/explain"
        ),
        "budgets of a tenant": lambda r: f"/v1/budgets?{_tenant(r)}",
    }


def _links(engine: Engine) -> list[str]:
    """To explanations, as a page of prompts has them: with tenant and time."""
    some = text(
        "SELECT r.event_id, t.tenant_id, r.ended_at_us FROM prompt_record r TABLESAMPLE SYSTEM (1)"
        " JOIN tenant t ON t.tenant_key = r.tenant_key ORDER BY random() LIMIT :links"
    )
    with reading(engine) as connection:
        return [
            f"/v1/prompts/{name}/explain?tenant={tenant}&ended_at={quote(rfc3339(ended_at_us))}"
            for name, tenant, ended_at_us in connection.execute(some, {"links": _LINKS})
        ]


def of_all_tenants(port: int, token: str, turn_s: float) -> list[Row]:
    """Questions about all tenants, as dashboards ask them: any window and the weeks that are over, by any names, the ten largest
    and all, and curves. Each was asked once before, as by whoever looked at the same page; how long that took is a row."""
    today = datetime.now(UTC).date()
    weeks = [_days(today - timedelta(days=today.weekday() + 7 * back), 7) for back in range(1, 4)]
    stretches = [*(f"&window={window}" for window in _WINDOWS), *weeks]
    whats = [
        *(f"&by={names}{stretch}" for names in _BREAKDOWNS for stretch in stretches),
        *(f"&top=10&by={names}{stretch}" for names in ("tenant", "model") for stretch in stretches),
        *(f"&top=10{_curve(window, names)}" for names in _CURVES for window in _WINDOWS),
    ]
    paths = [f"/v1/totals?limit=1000{what}" for what in whats]
    times = asyncio.run(_first_time(paths, port, token))
    rows = beside_bare("totals of all tenants", lambda r: r.choice(paths), port, token, turn_s)
    name = f"totals of all tenants, each of {len(paths)} for the first time"
    refused = sum(map(math.isinf, times)) / len(times)
    return [
        *rows,
        Row.against(f"{name}, median", 1_000 * min(statistics.median(times), 60.0), "ms", "limit", 2_000.0),
        Row.against(f"{name}, slowest", 1_000 * min(max(times), 60.0), "ms", "limit", 10_000.0),
        Row.against(f"{name}, refused", refused, "share", "all", 1.0),
    ]


async def _first_time(paths: list[str], port: int, token: str) -> list[float]:
    """Seconds that each takes, one after the other."""
    times: list[float] = []
    for path in paths:
        await ask(lambda _, path=path: path, port, token, 0.0, random.Random(0), times)  # type: ignore[misc]
    return times


def beside_bare(name: str, question: Question, port: int, token: str, turn_s: float) -> list[Row]:
    """Median and 99th percentile of a kind of question, and its requests a second, against the bare route."""
    bare: list[list[float]] = []
    asked: list[list[float]] = []
    bare_s = min(turn_s, TURN_S)
    for turn in range(TURNS):
        bare.append(asyncio.run(load(lambda _: "/bare", port, token, bare_s, turn)))
        asked.append(asyncio.run(load(question, port, token, turn_s, turn)))
    rows = []
    for what, figure in (("p50", _p50), ("p99", _p99)):
        ours, theirs = (statistics.median(map(figure, several)) for several in (asked, bare))
        rows.append(Row.against(f"{name}, {what}", 1_000 * min(ours, 60.0), "ms", f"SELECT 1, {what}", 1_000 * theirs))
    refused = statistics.median(sum(map(math.isinf, times)) / len(times) for times in asked)
    rows.append(Row.against(f"{name}, refused", refused, "share", "all", 1.0))
    per_s = [
        statistics.median(sum(map(math.isfinite, times)) / seconds for times in several)
        for several, seconds in ((asked, turn_s), (bare, bare_s))
    ]
    return [*rows, Row.against(f"{name}, answered", per_s[0], "requests/s", "SELECT 1", per_s[1])]


def _p50(times: list[float]) -> float:
    return statistics.median(times)


def _p99(times: list[float]) -> float:
    return sorted(times)[int(0.99 * (len(times) - 1))]


def streamed(
    engine: Engine, prompts: int, until: datetime, port: int, token: str, server: subprocess.Popen[str]
) -> list[Row]:
    """Rows a second of the latest million prompts as files, and the memory that the server needs for it."""
    since = until - timedelta(days=_DAYS) * min(1.0, _STREAMED / prompts)
    counted = text("SELECT COUNT(*) FROM prompt_record WHERE ended_at_us >= :since_us")
    with reading(engine) as connection:
        count: int = connection.execute(counted, {"since_us": epoch_us(since)}).scalar_one()
    rows = []
    for form, wanted in (("csv", 50_000), ("parquet", 100_000)):
        began = time.perf_counter()
        path = f"/v1/prompts?format={form}&from={since:%Y-%m-%dT%H:%M:%S.%fZ}"
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=3_600) as answer:  # noqa: S310
            while answer.read(1 << 20):
                pass
        rate = count / (time.perf_counter() - began)
        rows.append(Row.against(f"prompts as {form}", rate, "rows/s", "asked for", wanted))
    rows.append(Row.against("server's peak memory", resident_bytes(server, "VmHWM") / 1e6, "MB", "limit", 200.0))
    return rows


def reader_token(engine: Engine, tenant: str | None = None) -> str:
    """A new token that reads of one tenant or of all, as fast as it can."""
    token = new_token("reader")
    made = HttpToken(
        id=0,
        name=f"benchmark {prefix_of(token)}",
        role="reader",
        prefix=prefix_of(token),
        digest=digest_of(token),
        tenants=None if tenant is None else frozenset({tenant}),
        teams=frozenset(),
        requests_per_s=1_000_000.0,
        concurrency=256,
        created_at_us=time.time_ns() // 1000,
        expires_at_us=None,
    )
    create_token(engine, made, EVERYTHING, by=Actor("command line", "benchmark"))
    return token


@contextmanager
def served(servers: LocalStack, engine: Engine) -> Iterator[tuple[int, str, subprocess.Popen[str]]]:
    """A server with a token for everything; its port."""
    token = reader_token(engine)
    environment = {**os.environ, **servers.environment()}
    command = [sys.executable, "-m", "benchmarks.api_server"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline()), token, process
        finally:
            process.terminate()
