"""Totals of tenants whose every prompt was corrected, beside the same questions before: what entries cost who asks.

A ledger as that of `bench_api`, a fifth of it with as many prompts a tenant; all of it is restated by another method in between,
by the command. Times of both are held against the bare route in their own turns, so that a machine that is busier for one of them
is no difference; processor time, of the server and of PostgreSQL together, also holds on a busy one. Every connection asks some
questions first that are not timed: what PostgreSQL plans once for each is as rare in use as it is in hours of asking.
"""

import asyncio
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from benchmarks.bench_api import PROMPTS, TENANTS, TOTALS, of_a_tenant, served
from benchmarks.bench_beside_reads import processor_s
from benchmarks.harness import Row, stack
from benchmarks.http_load import Question, load
from benchmarks.ledger import WHILE_FILLING, fill

_SHARE = 0.2
_TENANTS = int(TENANTS * _SHARE)
_DAYS = 30
_WARM_S, _BARE_S, _TURN_S = 2.0, 1.5, 3.0
_TURNS = 3
_RESTATED, _REPORTED = "as restated", "as reported"


def run(scale: float = 1.0) -> list[dict[str, object]]:
    """Median and 99th percentile with entries, and processor time a question, in relation to those without."""
    prompts = int(PROMPTS * _SHARE * scale)
    with stack(**WHILE_FILLING) as (servers, engine):
        assert servers.postgres is not None
        database = {"PostgreSQL": servers.postgres.pid}
        fill(engine, servers.database_url, prompts, tenants=_TENANTS, days=_DAYS, until=datetime.now(UTC))
        with served(servers, engine) as (port, token, server):
            before = _asked({_RESTATED: _question}, port, token, database | {"the server": server.pid})[_RESTATED]
        _restate({**os.environ, **servers.environment()})
        both = {_RESTATED: _question, _REPORTED: lambda r: f"{_question(r)}&as=reported"}
        with served(servers, engine) as (port, token, server):
            after = _asked(both, port, token, database | {"the server": server.pid})
    return [
        Row.against(
            f"{TOTALS} with entries, {how}, {what}", value, _UNITS[what], "without entries", before[what]
        ).as_dict()
        for how, found in after.items()
        for what, value in found.items()
    ]


_UNITS = {"p50": "times SELECT 1", "p99": "times SELECT 1", "processor time": "ms a question"}


def _question(random_: Random) -> str:
    return of_a_tenant(random_, _TENANTS)


def _asked(
    asked: Mapping[str, Question], port: int, token: str, pids: Mapping[str, int]
) -> dict[str, dict[str, float]]:
    """Of each kind of question its times in relation to those of the bare route, in turns, and its processor time (ms)."""
    times: dict[str, list[list[float]]] = {how: [] for how in asked}
    used_s = dict.fromkeys(asked, 0.0)
    bare: list[list[float]] = []
    for turn in range(_TURNS):
        bare.append(asyncio.run(load(lambda _: "/bare", port, token, _BARE_S, turn)))
        for how, question in asked.items():
            if not turn:
                asyncio.run(load(question, port, token, _WARM_S, -1))
            began_s = sum(processor_s(pids).values())
            times[how].append(asyncio.run(load(question, port, token, _TURN_S, turn)))
            used_s[how] += sum(processor_s(pids).values()) - began_s
    return {
        how: {
            "p50": _median(several, 0.5) / _median(bare, 0.5),
            "p99": _median(several, 0.99) / _median(bare, 0.99),
            "processor time": 1_000 * used_s[how] / sum(map(len, several)),
        }
        for how, several in times.items()
    }


def _median(turns: list[list[float]], share: float) -> float:
    """Of the turns' times at this place in their order."""
    return statistics.median(sorted(times)[int(share * (len(times) - 1))] for times in turns)


def _restate(environment: dict[str, str]) -> None:
    command = [str(Path(sys.executable).with_name("rice-stream")), "restate", "--from=2020-01-01", "--to=2100-01-01"]
    arguments = ["--method=rice-paper", "--reason=benchmark", "--json"]
    subprocess.run([*command, *arguments], env=environment, stdout=subprocess.DEVNULL, check=True)
