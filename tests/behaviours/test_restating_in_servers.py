"""Restatements that are ordered over HTTP: a server does them in steps, another goes on when it is gone, and all add up."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

from rice_stream.errors import UsageError
from rice_stream.ledger import restating
from rice_stream.ledger.restatement_orders import order_restatement
from rice_stream.ledger.restating import Restating
from rice_stream.proof.verification import verify
from rice_stream.reports.moments import moment
from rice_stream.reports.restatements import named_restatement, restatement_page
from rice_stream.runtime.intensity_scopes import check_recorded_scope
from rice_stream.runtime.opening_api import open_own_store
from rice_stream.runtime.restating_chores import RestatingJob
from rice_stream.runtime.restating_orders import Restaters
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import writing
from rice_stream.store.restatement_store import RestatementState
from rice_stream.store.scope import EVERYTHING, Scope
from tests.behaviours.test_restating import filled
from tests.support.fakes import OPERATOR
from tests.support.reports_store import Store
from tests.support.store_checks import assert_exact, rows_in


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two records in a transaction."""
    monkeypatch.setattr(restating, "RECORDS_AT_ONCE", 2)


@pytest.fixture
def settings(store: Store) -> Settings:
    """Those of a server of the store."""
    return Settings(database_url=store.engine.url.render_as_string(hide_password=False))


def order(
    engine: Engine, settings: Settings, *, dry_run: bool = False, start: str = "2026-11-01", **changes: Any
) -> RestatementState:
    """Order November by the settings' method, or from another day on."""
    wanted: dict[str, Any] = {"tenant_id": None, "method_name": None, "reason": "better", **changes}
    restaters = Restaters(settings, engine)
    made = restaters.order(moment("--from", start), moment("--to", "2026-12-01"), dry_run=dry_run, **wanted)
    return order_restatement(engine, made, OPERATOR, by_server=True)[0]


def shown(engine: Engine, state: RestatementState) -> dict[str, Any]:
    """How it stands."""
    return named_restatement(engine, EVERYTHING, state.restatement_id)


def test_a_server_does_what_was_ordered_in_steps(store: Store, settings: Settings) -> None:
    """Each look does a little; what is posted is what the command line posts."""
    engine = filled(store).engine
    tried, ordered = order(engine, settings, dry_run=True), order(engine, settings)
    assert shown(engine, ordered)["state"] == "ordered"
    job = RestatingJob(settings, at_once_s=0.0)
    server = open_own_store(settings)  # as a server gives it to its chores: by the API's role
    assert server is not None
    looks = 0
    while shown(engine, ordered)["state"] != "done":
        job.work(server)
        looks += 1
        assert looks < 20
    assert looks > 4  # three steps of each, one at a time
    server.dispose()
    dry, done = shown(engine, tried), shown(engine, ordered)
    assert (dry["state"], dry["dry_run"], dry["records"], done["records"]) == ("done", True, 4, 4)
    own = ("restatement_id", "dry_run", "started_at", "finished_at")
    assert {name: dry[name] for name in dry if name not in own} == {
        name: done[name] for name in done if name not in own
    }
    assert {row["restatement_id"] for row in rows_in(engine)("adjustment")} == {ordered.restatement_id}
    assert order(engine, settings).restatement_id == ordered.restatement_id
    assert_exact(rows_in(engine))
    assert verify(engine)["ok"]


def test_another_server_goes_on_when_one_is_gone(store: Store, settings: Settings) -> None:
    """Not before its lease has run out; nothing is posted twice."""
    engine = filled(store).engine
    ordered = order(engine, settings)
    gone, other = (RestatingJob(settings, at_once_s=0.0) for _ in range(2))
    gone.work(engine)
    half = shown(engine, ordered)
    assert (half["state"], half["records"]) == ("running", 2)
    other.work(engine)
    assert shown(engine, ordered) == half
    with writing(engine) as connection:
        connection.execute(text("UPDATE lease SET until_us = 0 WHERE name = 'restate'"))
    for _ in range(4):
        other.work(engine)
    assert (shown(engine, ordered)["state"], shown(engine, ordered)["records"]) == ("done", 4)
    gone.work(engine)  # and comes back
    assert shown(engine, ordered)["records"] == 4
    assert_exact(rows_in(engine))
    assert verify(engine)["ok"]


PROGRAM = """
import os, signal, sys
from rice_stream.errors import UsageError
from rice_stream.ledger import restating
from rice_stream.runtime.intensity_scopes import check_recorded_scope
from rice_stream.runtime.opening_api import open_own_store
from rice_stream.runtime.restating_chores import RestatingJob
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.store.engine import open_engine

url, step, times = sys.argv[1:]
restating.RECORDS_AT_ONCE = 2
real, left = getattr(restating, step), int(times)

def dies(*arguments, **options):
    global left
    found = real(*arguments, **options)
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return found

setattr(restating, step, dies)
settings = load_settings(None, {"RICE_DATABASE_URL": url})
RestatingJob(settings, at_once_s=60.0).work(open_engine(url))
"""


@pytest.mark.parametrize(("step", "times"), [("post_ready", 2), ("save_progress", 1)])
def test_another_server_goes_on_when_one_is_killed(store: Store, settings: Settings, step: str, times: int) -> None:
    """kill -9 within a transaction and between two: what is posted is what one that nobody killed posts."""
    engine = filled(store).engine
    ordered = order(engine, settings)
    url = settings.database_url.get_secret_value()
    command = [sys.executable, "-c", PROGRAM, url, step, str(times)]
    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert shown(engine, ordered)["state"] in ("ordered", "running")
    with writing(engine) as connection:
        connection.execute(text("UPDATE lease SET until_us = 0 WHERE name = 'restate'"))
    RestatingJob(settings, at_once_s=60.0).work(engine)
    done = shown(engine, ordered)
    assert (done["state"], done["records"]) == ("done", 4)
    entries = rows_in(engine)("adjustment_entry")
    assert done["entries"] == len(entries) == len({(row["event_key"], row["carbon_mid_ugco2e"]) for row in entries})
    assert_exact(rows_in(engine))
    assert verify(engine)["ok"]


def test_two_that_do_the_same_at_the_same_time_post_it_once(store: Store, settings: Settings) -> None:
    """Each step is one of them's; the other goes on after it."""
    engine = filled(store).engine
    ordered = order(engine, settings)
    restaters = Restaters(settings, engine)
    runs = [
        Restating(engine, restaters.estimator(None), restaters.defaults, ordered.order, OPERATOR, ordered)
        for _ in range(2)
    ]
    steps: list[Iterator[int]] = [run.steps() for run in runs]
    while [records for each in steps if (records := next(each, None))]:
        pass  # both, one after the other
    done = shown(engine, ordered)
    assert (done["state"], done["records"]) == ("done", 4)
    assert done["entries"] == len(rows_in(engine)("adjustment_entry"))
    assert [run.state.records for run in runs] == [4, 4]
    assert_exact(rows_in(engine))


def test_what_would_be_done_otherwise_by_now_fails_and_says_why(store: Store, settings: Settings) -> None:
    """The settings of the server are not those that it was ordered with."""
    engine = filled(store).engine
    ordered = order(engine, settings)
    RestatingJob(settings.model_copy(update={"pue": 1.9})).work(engine)
    failed = shown(engine, ordered)
    assert failed["state"] == "failed"
    assert "have changed since" in failed["problem"]
    assert rows_in(engine)("adjustment") == []
    assert order(engine, settings).restatement_id != ordered.restatement_id


@pytest.mark.parametrize("changes", [{"pue": 1.9}, {"serving_profile": "batch1"}, {"default_output_tokens": 7}])
def test_an_order_is_known_by_all_that_estimates_are_made_by(
    store: Store, settings: Settings, changes: dict[str, Any]
) -> None:
    """A change of settings alone is another restatement, and not answered as done before."""
    engine = filled(store).engine
    first = order(engine, settings)
    other = settings.model_copy(update=changes)
    assert order(engine, settings).restatement_id == first.restatement_id
    assert order(engine, other).restatement_id != first.restatement_id


def test_restatements_are_listed_for_who_may_see_them(store: Store, settings: Settings) -> None:
    """Latest first, in pages; those of all tenants for who sees everything."""
    engine = filled(store).engine
    whole, own = order(engine, settings), order(engine, settings, tenant_id="acme")
    rows = restatement_page(engine, EVERYTHING)["rows"]
    assert [row["restatement_id"] for row in rows] == [own.restatement_id, whole.restatement_id]
    of_acme = restatement_page(engine, Scope(frozenset({"acme"})))["rows"]
    assert [row["restatement_id"] for row in of_acme] == [own.restatement_id]
    assert len(restatement_page(engine, EVERYTHING, tenant="acme")["rows"]) == 2
    assert [row["tenant"] for row in restatement_page(engine, EVERYTHING, tenant="globex")["rows"]] == [None]
    first = restatement_page(engine, EVERYTHING, limit=1)
    assert [row["restatement_id"] for row in first["rows"]] == [own.restatement_id]
    rest = restatement_page(engine, EVERYTHING, after=first["next"], limit=1)
    assert ([row["restatement_id"] for row in rest["rows"]], rest["next"]) == ([whole.restatement_id], None)


def test_several_small_changes_are_material_together(store: Store, settings: Settings) -> None:
    """The second is held against what was reported, not against what the first one has made of it."""
    engine = filled(store).engine
    base = settings.model_copy(update={"default_output_tokens": 1})
    for place, pue in enumerate((1.30, 1.34)):
        changed = base.model_copy(update={"pue": pue})
        ordered = order(engine, changed)
        RestatingJob(changed).work(engine)
        done = shown(engine, ordered)
        assert done["state"] == "done"
        if place:
            assert done["difference_gco2e"] < abs(done["after_gco2e"] - done["reported_gco2e"])
            expected = 100 * abs(done["after_gco2e"] - done["reported_gco2e"]) / done["reported_gco2e"]
            assert done["materiality_percent"] == pytest.approx(expected)


def test_scopes_of_intensities_are_never_mixed(store: Store, settings: Settings) -> None:
    """What would leave prompts of both in the totals is refused; all of a ledger can go over to the other scope, and back."""
    engine = filled(store).engine
    direct = settings.model_copy(update={"rci_scope": "direct"})
    check_recorded_scope(settings, engine)
    for told, other, said in ((direct, "lifecycle", "direct"), (settings, "direct", "lifecycle")):
        with pytest.raises(UsageError, match=f"RICE_RCI_SCOPE: {said}, but what is recorded was estimated by {other}"):
            check_recorded_scope(told, engine)
        for start, tenant in (("2026-11-01", None), ("2026-10-01", "acme")):
            with pytest.raises(UsageError, match=f"RICE_RCI_SCOPE: {said}, but prompts that are not restated here"):
                order(engine, told, start=start, tenant_id=tenant)
        ordered = order(engine, told, start="2026-10-01")
        RestatingJob(told, at_once_s=60.0).work(engine)
        assert (shown(engine, ordered)["state"], shown(engine, ordered)["records"]) == ("done", 5)
        check_recorded_scope(told, engine)
    assert_exact(rows_in(engine))
