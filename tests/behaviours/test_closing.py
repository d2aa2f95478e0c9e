"""Closed months: what was reported of one stays, what comes late or is corrected is posted beside it, and a proof holds."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine

from rice_stream.channels.months import Month
from rice_stream.errors import NotFoundError, UsageError
from rice_stream.ledger.checklist import ChecklistLine
from rice_stream.ledger.closing import CloseOrder
from rice_stream.ledger.voiding import void_record
from rice_stream.proof.audit_verification import VerifiedTrail, verify_trail
from rice_stream.proof.period_verification import verify_months
from rice_stream.proof.verification import verify
from rice_stream.reports.month_proofs import month_proof
from rice_stream.reports.record_keys import find_key
from rice_stream.reports.totals import totals as answer_to
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.runtime.secret_box import FernetBox
from rice_stream.store import period_building, period_store
from rice_stream.store.engine import StoreUnavailableError, reading
from rice_stream.store.retention import drop_records_before
from rice_stream.store.scope import EVERYTHING, Scope
from rice_stream.store.scoped import API_ROLE, confined
from rice_stream.store.writers import open_writer
from rice_stream.transparency.month_trees import LEAF_HASHES_MAX
from rice_stream.transparency.proof_files import check_proof_file
from tests.simulation.store import STEPS, FaultyWriter
from tests.support.closing import close, closing_of
from tests.support.fakes import NOON_US, OPERATOR, chunk_of, fake_pipeline
from tests.support.outside_verifiers import by_go, by_script, go_program
from tests.support.reports_store import NOON, Store, at
from tests.support.store_checks import assert_exact, rows_in
from tests.support.store_running import FixedFaults
from tests.support.waiting import wait_until

GRAMS = 2.5
"""Of each event here."""
OCTOBER = {"start": datetime(2026, 10, 1, tzinfo=UTC), "end": datetime(2026, 11, 1, tzinfo=UTC)}


def filled(store: Store) -> Store:
    """Three prompts of October and one of November."""
    store.add(*(at(f"2026-{day}T08:00:00Z", team_id="search") for day in ("10-01", "10-15", "10-31", "11-02")))
    return store


def void(engine: Engine, event_id: str) -> dict[str, Any]:
    found = find_key(engine, EVERYTHING, event_id)
    return void_record(engine, found.key, found.tenant_id, event_id, reason="a load test", by=OPERATOR)


def october(engine: Engine, how: str) -> tuple[int, float]:
    """(prompts, grams) of October, as reported or as restated."""
    answer = answer_to(engine, EVERYTHING, TotalsQuery(by=["team"], amounts=how, **OCTOBER), NOON)  # type: ignore[arg-type]
    return answer["total"]["prompts"], answer["total"]["carbon_gco2e"]["mid"]


def asserted(store: Store, month: str = "2026-10") -> dict[str, Any]:
    [row] = store.rows("SELECT assertion FROM period WHERE month = :month", month=month)
    stated: dict[str, Any] = json.loads(row["assertion"])
    return stated


def problems(engine: Engine) -> list[str]:
    """What `audit verify` finds."""
    found: VerifiedTrail = verify_trail(engine)
    verify_months(engine, found)
    return found.problems


class TestClosing:
    """On every database."""

    def test_what_was_closed_is_asserted_and_signed(self, store: Store) -> None:
        """A soft close asserts it, a hard close signs the same; each is in the trail once, and a second time changes nothing."""
        engine = filled(store).engine
        soft = close(engine, "2026-10", soft=True)
        assert (soft.state, soft.records, soft.entries, soft.checkpoint_id) == ("soft_closed", 3, 0, None)
        hard = close(engine, "2026-10")
        assert (hard.state, hard.root, hard.records) == ("closed", soft.root, 3)
        assert hard.checkpoint_id is not None
        assert close(engine, "2026-10") == hard == close(engine, "2026-10", soft=True)
        stated = asserted(store)
        assert (stated["records"], stated["reported"]["prompts"]) == (3, 3)
        assert stated["reported"]["carbon_mid_ugco2e"] == stated["restated"]["carbon_mid_ugco2e"] == 3 * 2_500_000
        actions = [row["action"] for row in rows_in(engine)("audit_entry") if row["subject_kind"] == "period"]
        assert actions == ["period.mark", "period.soft_close", "period.close"]
        assert verify(engine)["ok"]
        assert problems(engine) == []

    def test_what_comes_late_is_counted_and_posted_beside_what_was_reported(self, store: Store) -> None:
        """Restated gains it, reported stays; it comes again without a trace; and other months go on as ever."""
        engine = filled(store).engine
        close(engine, "2026-10", soft=True)
        late = at("2026-10-20T08:00:00Z", team_id="ads", user_id="u-9")
        result = store.add(
            late, at("2026-11-03T08:00:00Z", team_id="ads"), at("2026-10-01T08:00:00Z", team_id="search")
        )
        assert (result.recorded, result.duplicates) == (2, 1)
        assert (october(engine, "reported"), october(engine, "restated")) == ((3, 3 * GRAMS), (4, 4 * GRAMS))
        [group] = rows_in(engine)("adjustment")
        assert (group["cause"], json.loads(group["detail"])) == ("late", {"closed_months": ["2026-10"]})
        [entry] = rows_in(engine)("adjustment_entry")
        assert (entry["counted"], entry["prompts"], entry["carbon_mid_ugco2e"]) == (0, 1, 2_500_000)
        for _ in range(2):
            assert store.add(late).duplicates == 1
        assert len(rows_in(engine)("adjustment")) == 1
        assert_exact(rows_in(engine))
        close(engine, "2026-10")
        assert asserted(store)["reported"]["prompts"] == 3
        assert verify(engine)["ok"]
        assert problems(engine) == []

    def test_corrections_after_the_close_name_the_month_and_leave_what_was_reported(self, store: Store) -> None:
        """Of an event that was closed, and of one that came late; those from before belong to what was closed."""
        engine = filled(store).engine
        void(engine, "2026-10-01T08:00:00Z")
        close(engine, "2026-10")
        store.add(at("2026-10-20T08:00:00Z"))
        for event_id in ("2026-10-15T08:00:00Z", "2026-10-20T08:00:00Z", "2026-11-02T08:00:00Z"):
            void(engine, event_id)
        named = [json.loads(row["detail"]).get("closed_months") for row in rows_in(engine)("adjustment")]
        assert named == [None, ["2026-10"], ["2026-10"], ["2026-10"], None]
        assert (october(engine, "reported"), october(engine, "restated")) == ((3, 3 * GRAMS), (1, GRAMS))
        stated = asserted(store)
        assert (stated["entries"], stated["reported"]["prompts"], stated["restated"]["prompts"]) == (1, 3, 2)
        assert verify(engine)["ok"]
        assert problems(engine) == []

    def test_a_month_without_a_prompt_can_be_closed(self, store: Store) -> None:
        """And what comes into it is late."""
        engine = filled(store).engine
        period = close(engine, "2026-09")
        assert (period.state, period.records) == ("closed", 0)
        store.add(at("2026-09-20T08:00:00Z"))
        assert [row["cause"] for row in rows_in(engine)("adjustment")] == ["late"]
        assert verify(engine)["ok"]
        assert problems(engine) == []

    def test_other_tenants_are_open_still(self, store: Store) -> None:
        """A month is a tenant's."""
        engine = filled(store).engine
        close(engine, "2026-10")
        store.add(at("2026-10-20T08:00:00Z", tenant_id="globex"))
        assert rows_in(engine)("adjustment") == []

    def test_another_time_zone_moves_nothing_that_was_closed(self, store: Store) -> None:
        """The month beside it begins where the closed one ends: no event lies in two, or in none."""
        engine = filled(store).engine
        august = close(engine, "2026-08", soft=True)
        september = close(engine, "2026-09", soft=True, time_zone="Pacific/Auckland")
        july = close(engine, "2026-07", soft=True, time_zone="Pacific/Auckland")
        assert (july.high_us, september.low_us) == (august.low_us, august.high_us)

    @pytest.mark.parametrize("cut", ["mark", "save_tree", "save_state"])
    @pytest.mark.parametrize("soft", [True, False])
    def test_a_close_that_was_cut_short_goes_on_to_the_same_bytes(
        self, store: Store, monkeypatch: pytest.MonkeyPatch, cut: str, *, soft: bool
    ) -> None:
        """After each step; late events that come meanwhile change nothing of it."""
        engine = filled(store).engine
        real = getattr(period_store, cut)

        def dies(*args: Any, **options: Any) -> Any:
            if cut == "mark":
                real(*args, **options)
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(f"rice_stream.ledger.closing.{cut}", dies)
            with pytest.raises(KeyboardInterrupt):
                close(engine, "2026-10", soft=soft)
        [row] = rows_in(engine)("period")
        assert row["state"] == "closing"
        store.add(at("2026-10-20T08:00:00Z", team_id="ads"))
        period = close(engine, "2026-10", soft=soft)
        assert (period.state, period.records) == ("soft_closed" if soft else "closed", 3)
        with reading(engine) as connection:
            built = period_building.built_month(connection, period)
        assert (built.tree.root_hash, built.assertion) == (period.root, period.assertion)
        assert verify(engine)["ok"]
        assert problems(engine) == []

    def test_a_month_is_closed_when_it_is_over_and_its_tenant_is_there(self, store: Store) -> None:
        """And where something can be signed."""
        engine = filled(store).engine
        with pytest.raises(UsageError, match="is not over before 2101-01-01"):
            close(engine, "2100-12")
        with pytest.raises(NotFoundError, match="tenant 'nobody'"):
            close(engine, "2026-10", "nobody")
        with pytest.raises(UsageError, match="RICE_SECRETS_KEY"):
            close(engine, "2026-10", box=FernetBox.parse(None))
        assert close(engine, "2026-10", soft=True, box=FernetBox.parse(None)).state == "soft_closed"

    def test_what_is_not_in_order_is_accepted_by_name_and_with_a_reason(self, store: Store) -> None:
        """Both are kept with the month, and in the trail."""
        engine = filled(store).engine
        lines = [
            ChecklistLine("quarantine", False, "3 items", "decide them"),
            ChecklistLine("coverage", True, "99 %", ""),
        ]
        closing = closing_of(engine, checks=lambda _bounds: lines)
        order = CloseOrder("acme", Month.of("2026-10", "UTC"))
        with pytest.raises(UsageError, match=r"quarantine: 3 items; decide them.*--accept"):
            closing.close(order)
        for accepted, match in (({"quarantine": " "}, "--reason"), ({"nothing": "x"}, "there is no nothing")):
            with pytest.raises(UsageError, match=match):
                closing.close(CloseOrder("acme", order.month, accepted=accepted))
        assert rows_in(engine)("period") == []
        period = closing.close(CloseOrder("acme", order.month, accepted={"quarantine": "known duplicates"}))
        assert [line["accepted"] for line in json.loads(period.checklist)] == ["known duplicates", None]


class TestWriters:
    """Batches beside a close, and batches that fail, with a month that is closed."""

    def test_late_events_are_posted_once_whatever_fails(self, store: Store) -> None:
        """At any step of a batch, again and again, with repeats: each late record has one line, and no other one has."""
        engine = filled(store).engine
        close(engine, "2026-10")
        random = Random(5)
        faults = FixedFaults(random.choice([*STEPS, "late"]) for _ in range(50))
        pipeline = fake_pipeline(FaultyWriter(open_writer(engine), faults), engine)
        sent = [at(f"2026-{10 + number % 2}-{number % 28 + 1:02d}T12:00:{number % 60:02d}Z") for number in range(60)]
        for first in range(0, 60, 10):
            batch = pipeline.prepare([chunk_of(sent[max(0, first - 5) : first + 10], offset=1000 + first)], NOON_US)
            while True:
                try:
                    pipeline.commit(batch)
                    break
                except StoreUnavailableError:
                    continue
        entries = rows_in(engine)("adjustment_entry")
        assert len(entries) == len({entry["event_key"] for entry in entries}) == 30
        assert {entry["counted"] for entry in entries} == {0}
        assert verify(engine)["ok"]
        assert problems(engine) == []

    def test_every_record_is_in_what_was_closed_or_late(self, store: Store) -> None:
        """Batches commit while the month is closed: none falls between, none is both."""
        engine = filled(store).engine
        stop = threading.Event()

        def commits() -> None:
            with closing(open_writer(engine)) as writer:
                pipeline = fake_pipeline(writer, engine)
                number = 0
                while not stop.is_set():
                    number += 1
                    late = at(f"2026-10-{number % 28 + 1:02d}T12:00:00Z", event_id=f"n-{number}")
                    pipeline.process([chunk_of([late], partition=7, offset=number)], NOON_US)

        def wait_for(records: int) -> None:
            wait_until(lambda: len(rows_in(engine)("prompt_record")) >= records, 60, f"{records} records")

        beside = threading.Thread(target=commits)
        beside.start()
        try:
            wait_for(10)
            period = close(engine, "2026-10", soft=True)
            wait_for(len(rows_in(engine)("prompt_record")) + 5)
        finally:
            stop.set()
            beside.join()
        of_october = [
            row for row in rows_in(engine)("prompt_record") if period.low_us <= row["ended_at_us"] < period.high_us
        ]
        assert period.records is not None
        assert period.records + len(rows_in(engine)("adjustment_entry")) == len(of_october)
        assert close(engine, "2026-10").root == period.root
        assert verify(engine)["ok"]
        assert problems(engine) == []


def test_what_stays_when_retention_drops_a_closed_month(store: Store) -> None:
    """What was asserted and signed; a prompt of it cannot be proven any more, and an open month of then cannot be closed."""
    engine = filled(store).engine
    period = close(engine, "2026-10")
    assert drop_records_before(engine, datetime(2026, 11, 1, tzinfo=UTC))
    with pytest.raises(NotFoundError):
        month_proof(engine, EVERYTHING, "2026-10-15T08:00:00Z")
    with pytest.raises(UsageError, match="have been dropped"):
        close(engine, "2026-09", soft=True)
    assert close(engine, "2026-10") == period
    assert problems(engine) == []
    assert verify(engine)["ok"]
    store.execute("UPDATE period SET frontier = blocks")
    assert any("what is kept of its tree was changed" in problem for problem in problems(engine))


def test_two_who_close_at_once_close_it_once(store: Store) -> None:
    """One tree, one checkpoint, and each step in the trail once."""
    engine = filled(store).engine
    with ThreadPoolExecutor(2) as both:
        one, other = both.map(lambda _: close(engine, "2026-10"), range(2))
    assert (one.state, one.root, one.checkpoint_id) == ("closed", other.root, other.checkpoint_id)
    actions = [row["action"] for row in rows_in(engine)("audit_entry") if row["subject_kind"] == "period"]
    assert actions == ["period.mark", "period.close"]
    assert problems(engine) == []


@pytest.mark.parametrize("kept", [0, LEAF_HASHES_MAX])
def test_prompts_of_a_month_of_several_blocks_are_proven(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kept: int
) -> None:
    """Where an event's leaves lie in two blocks too, and whether hashes of all leaves are kept or not; by others' programs too."""
    monkeypatch.setattr("rice_stream.transparency.month_trees.LEAF_HASHES_MAX", kept)
    engine = store.engine
    first = datetime(2026, 10, 3, tzinfo=UTC)
    moments = [(first + timedelta(seconds=number)).isoformat() for number in range(2_300)]
    store.add(*map(at, moments))
    for number in (0, 1_021, 1_022, 2_043):
        void(engine, moments[number])
    period = close(engine, "2026-10")
    assert (period.records, period.entries) == (2_300, 4)
    for number in (0, 1, 1_020, 1_021, 1_022, 1_023, 2_043, 2_044, 2_299):
        proof = month_proof(engine, EVERYTHING, moments[number])
        corrected = number in (0, 1_021, 1_022, 2_043)
        assert len(proof["trees"][0]["leaves"]) == (3 if corrected else 2)
        assert check_proof_file(proof).as_json() == {"ok": True, "entries": 0, "months": 1, "problems": []}
        keys = {json.loads(leaf["leaf"]).get("event_key") for leaf in proof["trees"][0]["leaves"]}
        assert len(keys) == 2, "of the event, and none of what is asserted"
    file = tmp_path / "proof.json"
    file.write_text(json.dumps(proof))
    assert by_script(file, proof["keys"]) == "2 leaves of 1 trees are proven\n"
    program = go_program(tmp_path)
    if program is not None:
        assert by_go(program, file, proof["keys"]) == "2 leaves are proven\n"
    proof["trees"][0]["leaves"][0]["leaf"] = proof["trees"][0]["leaves"][0]["leaf"].replace("2500000", "2500001")
    assert check_proof_file(proof).problems
    assert problems(engine) == []
    store.execute("UPDATE prompt_record SET water_ul = 9 WHERE event_id = :event_id", event_id=moments[1_500])
    where = "leaf 1503 is another one" if kept else "one of the 1024 leaves from 1024 on is another one"
    assert any(where in problem for problem in problems(engine)), problems(engine)


def test_a_proof_is_for_who_sees_the_whole_tenant(store: Store) -> None:
    """Another tenant's is not there, and who sees some teams only is told why."""
    engine = filled(store).engine
    close(engine, "2026-10")
    limited = confined(engine, role=API_ROLE if engine.dialect.name == "postgresql" else None)
    proof = month_proof(limited, Scope(frozenset({"acme"})), "2026-10-15T08:00:00Z")
    assert check_proof_file(proof).as_json() == {"ok": True, "entries": 0, "months": 1, "problems": []}
    for scope in (Scope(frozenset({"globex"})), Scope(frozenset({"acme"}), frozenset({"search"}))):
        with pytest.raises(NotFoundError):
            month_proof(limited, scope, "2026-10-15T08:00:00Z")


_TAMPERED = {
    "UPDATE prompt_record SET carbon_mid_ugco2e = 7 WHERE event_id LIKE '2026-10-15%'": (
        "leaf 2 is another one than was closed (event 2026-10-15T08:00:00Z); 1 leaves differ"
    ),
    "DELETE FROM prompt_record WHERE event_id LIKE '2026-10-31%'": "closed with 4 records and entries, and has 3",
    "UPDATE adjustment_entry SET carbon_mid_ugco2e = carbon_mid_ugco2e - 1": (
        "restated carbon_mid_ugco2e that was asserted is 5000000, and is 4999999"
    ),
    "UPDATE day_total SET prompts = prompts + 1": "day_total is not what its records add up to: prompts",
    "UPDATE period SET records = 2": "its row says otherwise of records",
    "UPDATE period SET assertion = replace(assertion, 'records', 'recordz')": "its row says otherwise of records",
    "UPDATE period SET high_us = high_us - 86400000000": "its row says otherwise of high_us",
    "UPDATE period SET root = frontier": "its root is not the one of checkpoint",
    "UPDATE period SET checkpoint_id = 99": "its checkpoint is missing",
    "DELETE FROM period": "the audit trail says that it was closed, and its row is missing",
    "UPDATE checkpoint SET size = 7 WHERE kind = 'month'": "its root is not the one of checkpoint",
}


@pytest.mark.parametrize("statement", _TAMPERED)
def test_whatever_is_changed_of_a_closed_month_is_found_and_named(store: Store, statement: str) -> None:
    """A record, an entry, a total, the month itself, or its checkpoint."""
    engine = filled(store).engine
    void(engine, "2026-10-01T08:00:00Z")
    close(engine, "2026-10")
    assert problems(engine) == []
    assert store.execute(statement)
    found = problems(engine)
    assert any(_TAMPERED[statement] in problem for problem in found), "\n".join(found)
    assert any("2026-10 of acme" in problem for problem in found), found


@pytest.mark.parametrize(
    ("time_zone", "month", "hours"),
    [
        ("America/New_York", "2026-03", 31 * 24 - 1),
        ("America/New_York", "2025-11", 30 * 24 + 1),
        ("Australia/Lord_Howe", "2026-04", 30 * 24 + 0.5),
        ("Asia/Kathmandu", "2024-02", 29 * 24),
        ("Pacific/Apia", "2011-12", 30 * 24),
    ],
)
def test_months_are_those_of_the_tenants_time_zone(store: Store, time_zone: str, month: str, hours: float) -> None:
    """Over changes of the clocks, leap days, and a day that never was: what ends in one is late in it, to the microsecond."""
    bounds = Month.of(month, time_zone)
    assert (bounds.end - bounds.start).total_seconds() == hours * 3600
    ends = [bounds.start.timestamp() - 1, bounds.start.timestamp(), bounds.end.timestamp() - 1, bounds.end.timestamp()]
    store.add(*(at(datetime.fromtimestamp(end, UTC).isoformat()) for end in ends))
    period = close(store.engine, month, time_zone=time_zone)
    assert period.records == 2
    store.add(*(at(datetime.fromtimestamp(end, UTC).isoformat(), event_id=f"late-{end}") for end in ends))
    entries = rows_in(store.engine)("adjustment_entry")
    assert sorted(entry["ended_at_us"] for entry in entries) == [round(end * 1e6) for end in ends[1:3]]
    assert verify(store.engine)["ok"]
