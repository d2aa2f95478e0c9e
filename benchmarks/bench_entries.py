"""Totals of tenants whose every prompt was corrected, beside the same questions before: what entries cost who asks.

A ledger as that of `bench_api`; all of it is restated by another method in between, by the command. Times of both are held against
the bare route in their own turns, so that a machine that is busier for one of them is no difference.
"""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.bench_api import PROMPTS, TENANTS, TOTALS, beside_bare, questions, served
from benchmarks.harness import Row, stack
from benchmarks.http_load import Question
from benchmarks.ledger import WHILE_FILLING, fill

_DAYS = 30
_TURN_S = 20.0


def run(scale: float = 1.0) -> list[dict[str, object]]:
    """Median and 99th percentile with entries, in relation to those without."""
    prompts = int(PROMPTS * scale)
    with stack(**WHILE_FILLING) as (servers, engine):
        fill(engine, servers.database_url, prompts, tenants=TENANTS, days=_DAYS, until=datetime.now(UTC))
        question = questions(engine, prompts)[TOTALS]
        with served(servers, engine) as (port, token, _server):
            before = _of_bare(question, port, token)
        _restate({**os.environ, **servers.environment()})
        with served(servers, engine) as (port, token, _server):
            after = {
                "as restated": _of_bare(question, port, token),
                "as reported": _of_bare(lambda r: f"{question(r)}&as=reported", port, token),
            }
    return [
        Row.against(
            f"{TOTALS} with entries, {how}, {what}", ratio, "times SELECT 1", "without entries", before[what]
        ).as_dict()
        for how, found in after.items()
        for what, ratio in found.items()
    ]


def _of_bare(question: Question, port: int, token: str) -> dict[str, float]:
    """Times in relation to those of the bare route."""
    rows = beside_bare(TOTALS, question, port, token, _TURN_S)
    return {what: row.ratio for row in rows for what in ("p50", "p99") if row.name.endswith(what)}


def _restate(environment: dict[str, str]) -> None:
    command = [str(Path(sys.executable).with_name("rice-stream")), "restate", "--from=2020-01-01", "--to=2100-01-01"]
    arguments = ["--method=rice-paper", "--reason=benchmark", "--json"]
    subprocess.run([*command, *arguments], env=environment, stdout=subprocess.DEVNULL, check=True)
