"""Months that are closed by order: a server does it, and another goes on when it is killed, to the same bytes."""

import signal
import subprocess
import sys

import pytest
from sqlalchemy import Engine, text

from rice_stream.channels.months import Month
from rice_stream.ledger.closing import CloseOrder
from rice_stream.ledger.closing_orders import order_closing
from rice_stream.proof.verification import verify
from rice_stream.reports.closings import closing_page, named_closing
from rice_stream.runtime.closing_chores import ClosingJob
from rice_stream.runtime.opening_api import open_own_store
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import writing
from rice_stream.store.scope import EVERYTHING
from tests.support.audited import SECRETS_KEY
from tests.support.closing import closing_of
from tests.support.databases import Databases
from tests.support.reports_store import Store, at, open_store
from tests.support.store_checks import assert_exact, rows_in

OCTOBER = CloseOrder("acme", Month.of("2026-10", "UTC"), accepted={"unattributed": "a trial", "coverage": "a trial"})
PROGRAM = """
import os, signal, sys
from rice_stream.ledger import closing
from rice_stream.runtime.closing_chores import ClosingJob
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.store.engine import open_engine

url, key, step = sys.argv[1:]
real = getattr(closing, step)

def dies(*arguments, **options):
    real(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(closing, step, dies)
settings = load_settings(None, {"RICE_DATABASE_URL": url, "RICE_SECRETS_KEY": key})
ClosingJob(settings, waited_s=60.0).work(open_engine(url))
"""


def settings_of(store: Store) -> Settings:
    """Those of a server of the store."""
    url = store.engine.url.render_as_string(hide_password=False)
    return load_settings(None, {"RICE_DATABASE_URL": url, "RICE_SECRETS_KEY": SECRETS_KEY})


def database_of_server(store: Store) -> Engine:
    """As a server gives it to its chores: by the API's role."""
    engine = open_own_store(settings_of(store))
    assert engine is not None
    return engine


@pytest.mark.parametrize("step", ["mark", "built_month", "save_state"])
def test_another_server_goes_on_when_one_is_killed(database: Databases, step: str) -> None:
    """Not before its lease has run out; nothing is done twice, and a late event stays late."""
    url = database.emptied()
    with open_store(url) as store:
        store.add(*(at(f"2026-10-{day:02d}T08:00:00Z") for day in range(1, 31)), at("2026-11-02T08:00:00Z"))
        ordered = order_closing(closing_of(store.engine), OCTOBER)
        command = [sys.executable, "-c", PROGRAM, url, SECRETS_KEY, step]
        killed = subprocess.run(command, capture_output=True, text=True, check=False)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        store.add(at("2026-10-31T08:00:00Z"))
        assert named_closing(store.engine, EVERYTHING, ordered.closing_id)["state"] == "running"
        other = ClosingJob(settings_of(store), waited_s=60.0)
        server = database_of_server(store)
        other.work(server)
        assert rows_in(store.engine)("period") == [] or rows_in(store.engine)("period")[0]["state"] == "closing"
        with writing(store.engine) as connection:
            connection.execute(text("UPDATE lease SET until_us = 0 WHERE name = 'close'"))
        other.work(server)
        server.dispose()
        done = named_closing(store.engine, EVERYTHING, ordered.closing_id)
        assert (done["state"], done["records"], done["records_expected"]) == ("done", 30, 30)
        [period] = rows_in(store.engine)("period")
        assert (period["state"], period["closed_by"]) == ("closed", str(ordered.author))
        actions = [row["action"] for row in rows_in(store.engine)("audit_entry") if row["subject_kind"] == "period"]
        assert actions == ["period.order", "period.mark", "period.close"]
        assert_exact(rows_in(store.engine))
        assert verify(store.engine)["ok"]


def test_the_same_order_twice_is_one_and_orders_are_done_in_their_order(store: Store) -> None:
    """One close with each look; one that is done may be ordered again, and changes nothing."""
    store.add(at("2026-10-05T08:00:00Z"), at("2026-09-05T08:00:00Z"), at("2026-11-02T08:00:00Z"))
    closing, job = closing_of(store.engine), ClosingJob(settings_of(store), waited_s=60.0)
    accepted = OCTOBER.accepted
    september = CloseOrder("acme", Month.of("2026-09", "UTC"), accepted=accepted)
    first, second = order_closing(closing, OCTOBER), order_closing(closing, september)
    assert order_closing(closing, OCTOBER) == first
    server = database_of_server(store)
    job.work(server)
    assert [row["state"] for row in closing_page(store.engine, EVERYTHING)["rows"]] == ["ordered", "done"]
    job.work(server)
    job.work(server)
    again = order_closing(closing, OCTOBER)
    assert again.closing_id not in (first.closing_id, second.closing_id)
    before = rows_in(store.engine)("period")
    job.work(server)
    server.dispose()
    assert rows_in(store.engine)("period") == before
    assert [row["state"] for row in closing_page(store.engine, EVERYTHING)["rows"]] == ["done"] * 3
