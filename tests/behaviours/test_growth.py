"""Nothing grows for ever on any database: what is settled goes, what waits stays, and everything that is asked is exact."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from rice_stream.alerting.judge import Judge
from rice_stream.budgets.parsing import parse_budget
from rice_stream.errors import UsageError
from rice_stream.instants import DAY_US, epoch_us, rfc3339
from rice_stream.pipeline.chunks import Chunk
from rice_stream.proof.rebuild import rebuild
from rice_stream.proof.verification import verify
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.store import in_parts, pruning
from rice_stream.store.budget_store import mark_delivered, save_budget
from rice_stream.store.dimensions import Dimensions
from rice_stream.store.engine import reading, writing
from rice_stream.store.minute_folding import fold_minutes
from rice_stream.store.quarantine import set_status
from rice_stream.store.retention import drop_records_before
from rice_stream.store.retention_state import retention_state
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.unused_names import MARKED_FOR_US, forget_unused_names
from rice_stream.store.watching import watch_user
from tests.support.channels_store import add_channel, add_delivery
from tests.support.fakes import NOON_US, OPERATOR, chunk_of
from tests.support.reports_store import NOON, Store, at, picked

LATER_US = NOON_US + 500 * DAY_US


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every drop takes several transactions."""
    monkeypatch.setattr(in_parts, "ROWS_AT_ONCE", 2)


class TestQuarantine:
    """What waits is kept until somebody settles it, or a setting says how long."""

    def test_what_is_settled_goes_and_what_is_held_stays(self, store: Store) -> None:
        store.add(*(f"nonsense {n}".encode() for n in range(7)))
        set_status(store.engine, [1, 2, 3], "dropped", NOON_US, OPERATOR)
        set_status(store.engine, [4], "replayed", LATER_US, OPERATOR)
        dropped = pruning.drop_quarantined(store.engine, settled_before_us=LATER_US, held_before_us=None)
        assert dropped == 3
        rows = store.rows("SELECT id, status FROM quarantine ORDER BY id")
        assert picked(rows, "id", "status") == [(4, "replayed"), (5, "held"), (6, "held"), (7, "held")]
        with reading(store.engine) as connection:
            assert retention_state(connection).quarantine_from_us == LATER_US
        assert verify(store.engine)["ok"]

    def test_nothing_to_drop_leaves_no_mark(self, store: Store) -> None:
        """`verify --against-topic` goes on asking for every row."""
        store.add(b"nonsense")
        assert pruning.drop_quarantined(store.engine, settled_before_us=LATER_US, held_before_us=None) == 0
        with reading(store.engine) as connection:
            assert retention_state(connection).quarantine_from_us == 0

    def test_with_the_setting_what_was_held_for_long_goes_too(self, store: Store) -> None:
        store.add(*(f"nonsense {n}".encode() for n in range(5)))
        store.add(b"younger", received_at_us=LATER_US)
        assert pruning.drop_quarantined(store.engine, settled_before_us=0, held_before_us=LATER_US) == 5
        assert len(store.rows("SELECT id FROM quarantine")) == 1
        assert store.add(b"nonsense 0", received_at_us=LATER_US).quarantined == 1, "delivered again, it is held again"
        assert verify(store.engine)["ok"]


class TestConflictsAndAlerts:
    """History that nobody has to act on."""

    def test_old_contradictions_go_and_the_records_stand(self, store: Store) -> None:
        store.add(at("2026-11-22T11:00:00Z"))
        store.add(*(at("2026-11-22T11:00:00Z", output_tokens=n) for n in range(10, 15)))
        store.add(at("2026-11-22T11:00:00Z", output_tokens=99), received_at_us=LATER_US)
        assert pruning.drop_conflicts(store.engine, LATER_US) == 5
        assert len(store.rows("SELECT id FROM conflict")) == 1
        assert verify(store.engine)["ok"]

    def test_delivered_alerts_go_but_the_latest_of_each_budget(self, store: Store) -> None:
        budget = parse_budget({"name": "b", "tenant_id": "acme", "limit_gco2e": 1, "period": "rolling-24h"})
        with writing(store.engine) as connection:
            save_budget(connection, budget, NOON_US)
        store.add(at("2026-11-22T11:59:00Z"))
        Judge(store.engine).judge_all(NOON)
        Judge(store.engine).judge_all(NOON + timedelta(days=3))
        rows = store.rows("SELECT id, sequence FROM alert ORDER BY sequence")
        assert len(rows) == 6
        assert pruning.drop_alerts(store.engine, LATER_US, LATER_US) == 0, "what is not delivered is not dropped"
        with writing(store.engine) as connection:
            mark_delivered(connection, [row["id"] for row in rows if row["sequence"] != 2], NOON_US)
        assert pruning.drop_alerts(store.engine, LATER_US, LATER_US) == 4
        assert picked(store.rows("SELECT sequence FROM alert ORDER BY sequence"), "sequence") == [(2,), (6,)]

    def test_deliveries_go_when_they_have_ended(self, store: Store) -> None:
        """Those that arrived and those that were given up; what is open stays, however old."""
        channel_id = add_channel(store.engine, "ops")
        for state in ("done", "dead", "failed", "held", "due", "sending"):
            ended_at_us = NOON_US if state in ("done", "dead") else None
            add_delivery(store.engine, channel_id, state, state=state, ended_at_us=ended_at_us)
        add_delivery(store.engine, channel_id, "late", state="done", ended_at_us=LATER_US)
        assert pruning.drop_deliveries(store.engine, NOON_US, LATER_US) == 0
        assert pruning.drop_deliveries(store.engine, LATER_US, LATER_US) == 2
        left = store.rows("SELECT cause FROM delivery ORDER BY id")
        assert picked(left, "cause") == [("failed",), ("held",), ("due",), ("sending",), ("late",)]

    def test_what_is_open_stays_with_who_was_told_of_it_however_old(self, store: Store) -> None:
        """Reminders go to those who were told, and so does that it is over."""
        budget = parse_budget({"name": "b", "tenant_id": "acme", "limit_gco2e": 1, "period": "rolling-24h"})
        with writing(store.engine) as connection:
            save_budget(connection, budget, NOON_US)
        store.add(at("2026-11-22T11:59:00Z"))
        Judge(store.engine).judge_all(NOON)
        opened = [row["id"] for row in store.rows("SELECT id FROM alert ORDER BY sequence")]
        with writing(store.engine) as connection:
            mark_delivered(connection, opened, NOON_US)
        channel_id = add_channel(store.engine, "ops")
        for each in opened:
            add_delivery(store.engine, channel_id, each, state="done", ended_at_us=NOON_US, alert_id=each)
        assert len(opened) == 3
        assert pruning.drop_deliveries(store.engine, LATER_US, LATER_US) == 0
        assert pruning.drop_alerts(store.engine, LATER_US, LATER_US) == 0
        Judge(store.engine).judge_all(NOON + timedelta(days=3))
        assert pruning.drop_deliveries(store.engine, LATER_US, LATER_US) == 3
        assert pruning.drop_alerts(store.engine, LATER_US, LATER_US) == 3


class TestFiles:
    """Files that are older than any record are forgotten; what they held stays accounted for."""

    def test_their_counts_go_into_one_row(self, store: Store) -> None:
        old_us = epoch_us(datetime(2026, 8, 2, tzinfo=UTC))
        for number in range(5):
            chunk = chunk_of([at("2026-08-01T11:00:00Z", event_id=f"e-{number}"), b"nonsense"])
            store.pipeline.process([Chunk(f"file:{number}.jsonl", 7, chunk.records)], old_us)
        young = chunk_of([at("2026-11-22T11:00:00Z")])
        store.pipeline.process([Chunk("file:young.jsonl", 7, young.records)], NOON_US)
        store.execute(
            'INSERT INTO ingested_file (topic, "partition", digest, records, events, quarantined, ignored)'
            ' SELECT topic, "partition", :digest, 1, 1, 1, 0 FROM kafka_progress',
            digest=b"0" * 16,
        )
        assert pruning.forget_files(store.engine) == 0, "without a horizon, each of them can be read again"
        drop_records_before(store.engine, NOON)
        assert pruning.forget_files(store.engine) == 5
        assert pruning.forget_files(store.engine) == 0
        rows = store.rows("SELECT topic, events, recorded, quarantined FROM kafka_progress ORDER BY topic")
        assert picked(rows, "topic", "events", "recorded", "quarantined") == [
            ("file:young.jsonl", 1, 1, 0),
            (pruning.FORGOTTEN_FILES, 5, 5, 5),
        ]
        assert picked(store.rows("SELECT topic FROM ingested_file"), "topic") == [("file:young.jsonl",)]
        assert verify(store.engine)["ok"]


class TestMinutes:
    """Old minutes are quarter hours; whatever is asked of them is as exact as before, or refused."""

    def filled(self, store: Store) -> None:
        """Two tenants, one half an hour off UTC; minutes of September and of the last days."""
        moments = ["2026-08-31T23:59:30Z", "2026-09-01T00:00:00Z", "2026-09-15T12:00:00Z", "2026-09-15T12:07:00Z"]
        moments += ["2026-09-15T12:14:59Z", "2026-09-15T12:15:00Z", "2026-09-30T23:52:00Z", "2026-11-22T11:07:00Z"]
        for tenant in ("acme", "kolkata"):
            store.add(
                *(at(moment, event_id=moment, tenant_id=tenant, output_tokens=k) for k, moment in enumerate(moments))
            )
        store.set_time_zone("kolkata", "Asia/Kolkata")

    def asked(self, store: Store) -> list[Any]:
        """Reports over every kind of stretch, and budgets over old periods."""
        day = datetime(2026, 9, 15, tzinfo=UTC)
        queries: list[dict[str, Any]] = [
            {"by": ["tenant"]},
            {"by": ["tenant", "day"]},
            {"by": ["tenant", "hour"]},
            {"by": ["tenant", "team", "day"]},
            {"by": ["tenant"], "start": day + timedelta(hours=12), "end": day + timedelta(hours=12, minutes=15)},
            {"by": ["tenant"], "start": day + timedelta(hours=12, minutes=7), "end": day + timedelta(hours=13)},
            {"by": ["tenant"], "start": day + timedelta(hours=12, minutes=7, seconds=1)},
            {"by": ["tenant"], "window": "30d"},
        ]
        return [totals(store.engine, EVERYTHING, TotalsQuery(**{"by": (), **query}), NOON)["rows"] for query in queries]

    def test_every_answer_is_the_same_before_and_after(self, store: Store) -> None:
        self.filled(store)
        before = self.asked(store)
        views = store.rows("SELECT * FROM rolling_totals ORDER BY tenant_id, window_name")
        assert fold_minutes(store.engine, NOON_US)
        assert not fold_minutes(store.engine, NOON_US + DAY_US), "once a month"
        rows = store.rows("SELECT minute_start_s AS m, prompts FROM minute_total WHERE tenant_key = 1 ORDER BY 1")
        assert [(rfc3339(row["m"] * 1_000_000), row["prompts"]) for row in rows] == [
            ("2026-08-31T23:45:00Z", 1),
            ("2026-09-01T00:00:00Z", 1),
            ("2026-09-15T12:00:00Z", 3),
            ("2026-09-15T12:15:00Z", 1),
            ("2026-09-30T23:45:00Z", 1),
            ("2026-11-22T11:07:00Z", 1),
        ]
        assert self.asked(store) == before
        assert store.rows("SELECT * FROM rolling_totals ORDER BY tenant_id, window_name") == views
        assert verify(store.engine)["ok"]

    def test_late_events_and_a_second_fold_change_nothing_but_what_they_add(self, store: Store) -> None:
        self.filled(store)
        fold_minutes(store.engine, NOON_US)
        assert store.add(at("2026-09-15T12:09:00Z")).recorded == 1
        assert verify(store.engine)["ok"]
        assert fold_minutes(store.engine, NOON_US + 40 * DAY_US)
        rows = store.rows("SELECT prompts FROM minute_total WHERE tenant_key = 1 AND minute_start_s = 1789473600")
        assert rows == [{"prompts": 4}]
        assert verify(store.engine)["ok"]

    def test_verify_still_compares_them(self, store: Store) -> None:
        """By the quarter hour: a folded row that is wrong, missing or too many is a difference."""
        self.filled(store)
        fold_minutes(store.engine, NOON_US)
        store.execute(
            "UPDATE minute_total SET prompts = prompts + 1 WHERE minute_start_s = 1789473600 AND tenant_key = 1"
        )
        [difference] = verify(store.engine)["differences"]
        assert (difference["table"], difference["stored"], difference["recomputed"]) == ("minute_total", 4, 3)
        store.execute("DELETE FROM minute_total WHERE minute_start_s = 1789473600 AND tenant_key = 1")
        [difference] = verify(store.engine)["differences"]
        assert (difference["problem"], difference["stored"], difference["recomputed"]) == ("missing", None, 3)

    def test_rebuild_puts_them_right_as_quarter_hours(self, store: Store) -> None:
        """Nothing is to do where nothing is wrong; what is wrong is mended, late minutes among them or not."""
        self.filled(store)
        fold_minutes(store.engine, NOON_US)
        assert rebuild(store.engine, by=OPERATOR)["differences_before"] == 0
        store.add(at("2026-09-15T12:09:00Z"))
        store.execute(
            "UPDATE minute_total SET prompts = prompts + 1 WHERE minute_start_s = 1789473600 AND tenant_key = 1"
        )
        store.execute("DELETE FROM minute_total WHERE minute_start_s = 1789474500")
        answer = rebuild(store.engine, by=OPERATOR)
        assert (answer["ok"], answer["rows_rebuilt"]) == (True, 3)
        assert verify(store.engine)["ok"]
        rows = store.rows("SELECT prompts FROM minute_total WHERE tenant_key = 1 AND minute_start_s = 1789473600")
        assert rows == [{"prompts": 4}]

    def test_a_stretch_within_a_quarter_hour_needs_its_records(self, store: Store) -> None:
        """Where they are gone it is refused, as it is for users: no answer is too small without saying so."""
        self.filled(store)
        fold_minutes(store.engine, NOON_US)
        drop_records_before(store.engine, NOON)
        start = datetime(2026, 9, 15, 12, 7, tzinfo=UTC)
        with pytest.raises(UsageError, match="no longer"):
            totals(store.engine, EVERYTHING, TotalsQuery(by=("tenant",), start=start), NOON)
        whole = totals(store.engine, EVERYTHING, TotalsQuery(by=("tenant",), start=start.replace(minute=0)), NOON)
        assert [row["prompts"] for row in whole["rows"]] == [6, 6]
        assert verify(store.engine)["ok"]


class TestNames:
    """Names of users go with their last record, and never while anything refers to them."""

    def names(self, store: Store) -> list[str]:
        """Those that are there."""
        return [row["name"] for row in store.rows("SELECT name FROM principal ORDER BY name")]

    def filled(self, store: Store) -> None:
        """Users of dropped records, of kept ones, with a budget, and in a contradiction."""
        store.add(
            *(at("2026-09-15T12:00:00Z", event_id=user, user_id=user) for user in ("old", "back", "watched")),
            at("2026-11-22T11:00:00Z", user_id="here", api_key_id="key"),
        )
        store.add(at("2026-11-22T11:00:00Z", user_id="contradicts", api_key_id="key"))
        store.add(at("2026-11-22T11:00:01Z", user_id="last"))
        watch_user(store.engine, "acme", "watched")
        drop_records_before(store.engine, NOON)

    def test_they_are_marked_and_go_two_days_later(self, store: Store) -> None:
        self.filled(store)
        assert forget_unused_names(store.engine, NOON_US) == 0
        assert store.add(at("2026-11-22T11:30:00Z", user_id="back")).recorded == 1
        assert forget_unused_names(store.engine, NOON_US + MARKED_FOR_US - 1) == 0
        assert forget_unused_names(store.engine, NOON_US + MARKED_FOR_US) == 1
        assert self.names(store) == ["back", "contradicts", "here", "key", "last", "watched"]
        assert store.rows("SELECT COUNT(*) AS n FROM principal WHERE unused_since_us IS NOT NULL") == [{"n": 0}]
        assert verify(store.engine)["ok"]

    def test_one_that_is_looked_up_meanwhile_stays(self, store: Store) -> None:
        """Its batch may be on its way still."""
        self.filled(store)
        forget_unused_names(store.engine, NOON_US)
        before = Dimensions(store.engine).principals("user", [(1, "old")])
        forget_unused_names(store.engine, NOON_US + MARKED_FOR_US)
        assert "old" in self.names(store)
        assert Dimensions(store.engine).principals("user", [(1, "old")]) == before

    def test_a_worker_that_had_it_at_hand_for_weeks_learns_it_again(self, store: Store) -> None:
        """Keys are kept for a day: the name that went comes back under a new key, and the record has its name."""
        self.filled(store)
        forget_unused_names(store.engine, NOON_US)
        forget_unused_names(store.engine, NOON_US + MARKED_FOR_US)
        assert "old" not in self.names(store)
        late_us = NOON_US + 2 * DAY_US
        assert store.add(at(rfc3339(late_us), user_id="old"), received_at_us=late_us).recorded == 1
        rows = store.rows("SELECT user_id FROM prompt_emission WHERE ended_at > '2026-11-23'")
        assert rows == [{"user_id": "old"}]

    def test_a_key_is_never_given_to_another_name(self, store: Store) -> None:
        """The highest stays, though nothing refers to it."""
        store.add(at("2026-09-15T12:00:00Z", user_id="only"))
        store.add(at("2026-11-22T11:00:00Z"))
        drop_records_before(store.engine, NOON)
        forget_unused_names(store.engine, NOON_US)
        forget_unused_names(store.engine, NOON_US + MARKED_FOR_US)
        key = Dimensions(store.engine).principals("user", [(1, "next")])[1, "next"]
        assert key == 2


def test_all_of_it_at_once_leaves_a_ledger_that_verifies(engine: Engine) -> None:
    """Nothing there, nothing to do."""
    assert pruning.drop_quarantined(engine, settled_before_us=LATER_US, held_before_us=LATER_US) == 0
    assert pruning.drop_conflicts(engine, LATER_US) == pruning.drop_alerts(engine, LATER_US, LATER_US) == 0
    assert pruning.forget_files(engine) == forget_unused_names(engine, LATER_US) == 0
    assert fold_minutes(engine, LATER_US)
    assert verify(engine)["ok"]
