"""`restate` killed again and again, and asked for again: the same bytes of totals and entries as of a run that nobody killed.

RESTATE_RECORDS and RESTATE_KILLS make it larger (`python -m tests.drill restate`).
"""

import os
import random
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from rice_stream.proof.verification import verify
from rice_stream.store.engine import open_engine
from rice_stream.store.totals_tables import TOTALS_TABLES
from rice_stream.store.watching import watch_user
from tests.support.databases import Databases
from tests.support.reports_store import at, open_store
from tests.support.store_checks import assert_exact, rows_in

RECORDS = int(os.environ.get("RESTATE_RECORDS", "600"))
KILLS = int(os.environ.get("RESTATE_KILLS", "3"))
STEPS = 60
AT_ONCE = RECORDS // STEPS
FIRST = datetime(2026, 11, 1, tzinfo=UTC)
WAITED_S = 600.0
OWN = ("adjustment_key", "recorded_us")
"""Columns of entries that say when they were posted and as which group."""
pytestmark = pytest.mark.services


def fill(url: str) -> None:
    """Prompts of two tenants over three weeks, one user watched."""
    draws = random.Random(7)
    with open_store(url) as store:
        watch_user(store.engine, "acme", "u-1")
        for first in range(0, RECORDS, 2_000):
            store.add(
                *(
                    at(
                        (FIRST + timedelta(days=20) * number / RECORDS).isoformat(),
                        event_id=f"e-{number}",
                        tenant_id=draws.choice(["acme", "globex"]),
                        team_id=draws.choice(["red", "blue", ...]),
                        user_id=draws.choice(["u-1", "u-2"]),
                        input_tokens=draws.randrange(1, 5_000),
                        output_tokens=draws.randrange(1, 900),
                    )
                    for number in range(first, min(first + 2_000, RECORDS))
                )
            )


def restate(url: str, *, killed_at: int = 0) -> bool:
    """Run the command; whether it came to its end."""
    arguments = ["--from=2026-11-01", "--to=2026-12-01", "--method=rice-paper", "--reason=another method", "--json"]
    run = subprocess.run(
        [sys.executable, "-m", "tests.support.restating_program", str(AT_ONCE), str(killed_at), *arguments],
        env={**os.environ, "RICE_DATABASE_URL": url},
        capture_output=True,
        timeout=WAITED_S,
        check=False,
    )
    assert run.returncode in (0, -signal.SIGKILL), run.stderr.decode()
    return run.returncode == 0


def _said(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("team_id", "project_id", "source", "cost_centre"))


def content(engine: Engine) -> dict[str, Any]:
    """All totals, and all that was posted, but for when."""
    rows = rows_in(engine)
    # Keys are given in the order of who came first; what they stand for is the same.
    names: dict[str, dict[Any, Any]] = {
        "factor_key": {row["factor_key"]: row["digest"] for row in rows("factor_use")},
        "attribution_key": {row["attribution_key"]: _said(row) for row in rows("attribution")},
        "user_key": {row["principal_key"]: row["name"] for row in rows("principal")},
    }
    tables = [*(table.name for table in TOTALS_TABLES), "adjustment_entry"]
    found = {
        table: sorted(
            repr(
                {
                    name: names[name].get(value, value) if name in names else value
                    for name, value in row.items()
                    if name not in OWN
                }
            )
            for row in rows(table)
        )
        for table in tables
    }
    found["groups"] = sorted(
        repr((row["digest"], row["cause"], row["contra_carbon_mid_ugco2e"])) for row in rows("adjustment")
    )
    [run] = rows("restatement")
    return {**found, "run": {name: run[name] for name in ("restatement_id", "state", "records", "entries", "by_cause")}}


def test_a_run_that_is_killed_again_and_again_ends_with_the_same_bytes(database: Databases) -> None:
    """Wherever it is killed; and `verify` finds nothing."""
    urls = [database.migrated(), database.migrated()]
    assert urls[0] != urls[1]
    for url in urls:
        fill(url)
    whole, killed = (open_engine(url) for url in urls)
    try:
        assert restate(urls[0])
        draws = random.Random(11)
        for _ in range(KILLS):
            # At least six calls are watched for each step.
            assert not restate(urls[1], killed_at=draws.randrange(1, 6 * STEPS // (KILLS + 1)))
        assert restate(urls[1])
        assert content(killed) == content(whole)
        assert content(killed)["run"]["records"] == RECORDS
        assert_exact(rows_in(killed))
        assert verify(killed)["ok"]
    finally:
        whole.dispose()
        killed.dispose()
