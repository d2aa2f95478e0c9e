"""Voiding: a wrong event leaves every total, its record and what was reported of it stay, and nothing happens twice."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, text

from rice_stream.errors import NotFoundError, UsageError
from rice_stream.ledger.voiding import void_record
from rice_stream.proof.rebuild import rebuild
from rice_stream.proof.verification import verify
from rice_stream.reports.record_keys import find_key
from rice_stream.reports.totals import totals as answer_to
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.store.engine import writing
from rice_stream.store.migrate import migrate
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.totals_tables import TOTALS_TABLES
from rice_stream.store.watching import watch_user
from tests.support.fakes import OPERATOR
from tests.support.places import ROOT
from tests.support.reports_store import NOON, Store, at
from tests.support.store_checks import assert_exact, rows_in

LATER = datetime(2100, 1, 1, tzinfo=UTC)


def void(engine: Engine, event_id: str, reason: str = "sent by a load test") -> dict[str, Any]:
    """Void the event of an id."""
    found = find_key(engine, EVERYTHING, event_id)
    return void_record(engine, found.key, found.tenant_id, event_id, reason=reason, by=OPERATOR)


def carbon(engine: Engine, **asked: Any) -> dict[Any, tuple[int, float]]:
    """(prompts, grams) by the names asked for."""
    answer = answer_to(engine, EVERYTHING, TotalsQuery(**asked), NOON)
    by = answer["by"]
    rows = answer["rows"]
    assert sum(row["prompts"] for row in rows) == answer["total"]["prompts"]
    return {tuple(row[name] for name in by): (row["prompts"], row["carbon_gco2e"]["mid"]) for row in rows}


def filled(store: Store) -> Store:
    """Three prompts of 2.5 g each, of two teams; one of a watched user."""
    watch_user(store.engine, "acme", "u-1")
    store.add(
        at("2026-11-20T23:59:59.9Z", user_id="u-1", team_id="search"),
        at("2026-11-21T00:00:00Z", user_id="u-2", team_id="search"),
        at("2026-11-22T11:00:20.5Z", user_id="u-1", team_id="ads"),
    )
    return store


class TestVoiding:
    """On every database."""

    def test_a_voided_event_leaves_every_total_and_stays_in_what_was_reported(self, store: Store) -> None:
        """By whatever it is broken down, over whatever stretch, also one whose edge cuts its quarter hour."""
        engine = filled(store).engine
        answer = void(engine, "2026-11-22T11:00:20.5Z")
        assert answer["posted"]
        assert answer["amounts"]["prompts"] == -1
        assert answer["amounts"]["carbon_gco2e"] == {"low": -1.25, "mid": -2.5, "high": -5.0}
        for by, of_it in (("team", "ads"), ("user", "u-1"), ("model", None), ("basis", None), ("tenant", None)):
            restated, reported = (carbon(engine, by=[by], amounts=how) for how in ("restated", "reported"))
            assert sum(grams for _, grams in restated.values()) == 5.0, by
            assert sum(grams for _, grams in reported.values()) == 7.5, by
            if of_it is not None:
                before, after = reported[(of_it,)], restated.get((of_it,), (0, 0.0))
                assert (before[0] - after[0], before[1] - after[1]) == (1, 2.5)
        for start, end, grams in (
            ("2026-11-22T11:00:20.5Z", "2026-11-22T11:00:20.6Z", 2.5),
            ("2026-11-22T11:00:20.6Z", "2026-11-22T11:01:00Z", 0.0),
            ("2026-11-22T11:00:00Z", "2026-11-22T11:01:00Z", 2.5),
        ):
            bounds = {"start": datetime.fromisoformat(start), "end": datetime.fromisoformat(end)}
            assert sum(each for _, each in carbon(engine, amounts="reported", **bounds).values()) == grams
            assert sum(each for _, each in carbon(engine, **bounds).values()) == 0.0
        assert_exact(rows_in(engine))
        assert verify(engine)["ok"]

    def test_totals_of_the_version_before_learn_what_was_reported(self, store: Store) -> None:
        """From the entries, also where a row that nothing was left of had been taken away."""
        engine = filled(store).engine
        void(engine, "2026-11-22T11:00:20.5Z")
        as_it_is = [carbon(engine, by=[by], amounts="reported") for by in ("team", "model", "tenant")]
        [own] = (ROOT / "migrations" / "versions").glob("*_totals_tell_what_was_reported.py")
        migrate(engine, f"{int(own.name[:4]) - 1:04}")
        with writing(engine) as connection:
            connection.execute(text("DELETE FROM slot_total WHERE prompts = 0"))
        migrate(engine)
        assert [carbon(engine, by=[by], amounts="reported") for by in ("team", "model", "tenant")] == as_it_is
        assert_exact(rows_in(engine))
        assert verify(engine)["ok"]

    @pytest.mark.parametrize("table", [table.name for table in TOTALS_TABLES if table.tells_reported])
    def test_a_changed_share_of_corrections_is_found_and_put_right(self, store: Store, table: str) -> None:
        """As any other number of a total."""
        engine = filled(store).engine
        void(engine, "2026-11-22T11:00:20.5Z")
        with writing(engine) as connection:
            changed = f"UPDATE {table} SET corrected_water_ul = 5 WHERE corrected_prompts < 0"
            rows = connection.execute(text(changed)).rowcount
        found = verify(engine)
        named = [(each["table"], each["measure"], each["stored"], each["recomputed"]) for each in found["differences"]]
        assert named == [(table, "corrected_water_ul", 5, 0)] * rows != []
        rebuild(engine, by=OPERATOR)
        assert verify(engine)["ok"]
        assert_exact(rows_in(engine))

    def test_what_was_known_before_the_correction_can_be_asked_for(self, store: Store) -> None:
        """As of an instant before it, the event counts; as of one before it was recorded, it is not there."""
        engine = filled(store).engine
        [recorded] = {row["recorded_us"] for row in rows_in(engine)("prompt_record")}
        void(engine, "2026-11-22T11:00:20.5Z")
        [group] = rows_in(engine)("adjustment")
        between = datetime.fromtimestamp((recorded + group["recorded_us"]) / 2e6, UTC)
        before = datetime.fromtimestamp(recorded / 1e6 - 1, UTC)
        for how in ("restated", "reported"):
            for by in ("team", "user", "tenant"):
                assert sum(each for _, each in carbon(engine, by=[by], amounts=how, as_of=between).values()) == 7.5
                assert carbon(engine, by=[by], amounts=how, as_of=before) == {}
        assert sum(each for _, each in carbon(engine, as_of=LATER).values()) == 5.0
        assert sum(each for _, each in carbon(engine, amounts="reported", as_of=LATER).values()) == 7.5

    def test_a_second_time_changes_nothing(self, store: Store) -> None:
        """And is answered as the first."""
        engine = filled(store).engine
        first = void(engine, "2026-11-21T00:00:00Z", "first")
        second = void(engine, "2026-11-21T00:00:00Z", "second")
        assert second == {**first, "posted": False}
        assert len(rows_in(engine)("adjustment")) == len(rows_in(engine)("adjustment_entry")) == 1
        assert sum(row["action"] == "record.void" for row in rows_in(engine)("audit_entry")) == 1
        assert_exact(rows_in(engine))

    def test_two_at_once_post_one_correction(self, store: Store) -> None:
        """Whoever comes second finds it there."""
        engine = filled(store).engine
        answers: list[dict[str, Any]] = []
        both = [threading.Thread(target=lambda: answers.append(void(engine, "2026-11-21T00:00:00Z"))) for _ in range(2)]
        for each in both:
            each.start()
        for each in both:
            each.join()
        assert sorted(answer["posted"] for answer in answers) == [False, True]
        assert_exact(rows_in(engine))

    def test_the_event_that_comes_again_is_a_duplicate_still(self, store: Store) -> None:
        """Its record is there: it does not come back into the totals."""
        engine = filled(store).engine
        void(engine, "2026-11-21T00:00:00Z")
        result = store.add(at("2026-11-21T00:00:00Z", user_id="u-2", team_id="search"))
        assert (result.recorded, result.duplicates) == (0, 1)
        assert_exact(rows_in(engine))

    def test_rebuilt_totals_hold_the_corrections(self, store: Store) -> None:
        """What is put right is what records and entries add up to; and an entry that was changed is found."""
        engine = filled(store).engine
        void(engine, "2026-11-22T11:00:20.5Z")
        store.execute("UPDATE slot_total SET prompts = prompts + 1")
        store.execute("DELETE FROM minute_total")
        assert not verify(engine)["ok"]
        assert rebuild(engine, by=OPERATOR)["ok"]
        assert verify(engine)["ok"]
        assert_exact(rows_in(engine))
        store.execute("UPDATE adjustment_entry SET carbon_mid_ugco2e = carbon_mid_ugco2e + 1")
        found = verify(engine)
        assert "adjustment" in {each["table"] for each in found["differences"]}
        store.execute("UPDATE adjustment_entry SET carbon_mid_ugco2e = carbon_mid_ugco2e - 1")
        store.execute("DELETE FROM adjustment")
        assert [each["table"] for each in verify(engine)["differences"]] == ["adjustment_entry"]

    def test_a_user_who_is_watched_later_has_totals_without_it(self, store: Store) -> None:
        """The past is added up from records and entries alike."""
        engine = filled(store).engine
        void(engine, "2026-11-21T00:00:00Z")
        watch_user(engine, "acme", "u-2")
        assert verify(engine)["ok"]

    @pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
    def test_a_correction_says_why(self, store: Store, reason: str) -> None:
        """Nothing is posted without a reason."""
        with pytest.raises(UsageError, match="--reason"):
            void(filled(store).engine, "2026-11-21T00:00:00Z", reason)
        assert rows_in(store.engine)("adjustment") == []

    def test_an_event_that_is_not_there_is_named(self, store: Store) -> None:
        """As everywhere."""
        with pytest.raises(NotFoundError, match="nobody-sent-this"):
            void(filled(store).engine, "nobody-sent-this")
