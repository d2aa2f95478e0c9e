"""A close that is killed (kill -9) at any step goes on when it is asked for again, to the same bytes, with nothing done twice."""

import signal
import subprocess
import sys

import pytest

from rice_stream.proof.audit_verification import verify_trail
from rice_stream.proof.period_verification import verify_months
from rice_stream.proof.verification import verify
from rice_stream.store.period_building import built_month
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.snapshot import snapshot
from tests.support.closing import close
from tests.support.databases import Databases
from tests.support.reports_store import at, open_store
from tests.support.store_checks import assert_exact, rows_in

PROGRAM = """
import os, signal, sys
from rice_stream.ledger import closing
from rice_stream.store.engine import open_engine
from tests.support.closing import close

url, step = sys.argv[1:]
real = getattr(closing, step)

def dies(*arguments, **options):
    real(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(closing, step, dies)
close(open_engine(url), "2026-10")
"""
STEPS = ("mark", "built_month", "save_tree", "sign_month", "save_state", "record")
"""Functions of `ledger.closing` after which it is killed: the last four are parts of a transaction that never commits."""


@pytest.mark.parametrize("step", STEPS)
def test_a_close_that_is_killed_goes_on(database: Databases, step: str) -> None:
    """Late events come between; the trail has each step once."""
    url = database.emptied()
    with open_store(url) as store:
        store.add(*(at(f"2026-10-{day:02d}T08:00:00Z") for day in range(1, 31)))
        killed = subprocess.run([sys.executable, "-c", PROGRAM, url, step], capture_output=True, text=True, check=False)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        store.add(at("2026-10-31T08:00:00Z"))
        period = close(store.engine, "2026-10")
        assert (period.state, period.records) == ("closed", 30)
        with snapshot(store.engine, EVERYTHING) as connection:
            again = built_month(connection, period)
        assert (again.tree.root_hash, again.assertion) == (period.root, period.assertion)
        actions = [row["action"] for row in rows_in(store.engine)("audit_entry") if row["subject_kind"] == "period"]
        assert actions == ["period.mark", "period.close"]
        assert [row["kind"] for row in rows_in(store.engine)("checkpoint")] == ["month"]
        assert_exact(rows_in(store.engine))
        assert verify(store.engine)["ok"]
        found = verify_trail(store.engine)
        verify_months(store.engine, found)
        assert found.problems == []
