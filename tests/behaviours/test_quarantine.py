"""The quarantine: nothing refused is lost, and nothing taken up again is counted twice."""

import hashlib
from types import SimpleNamespace
from typing import Any

import pytest

from rice_stream.errors import UsageError
from rice_stream.events import records as records_module
from rice_stream.events.records import RawRecord, Refused
from rice_stream.pipeline.patches import parse_patches
from rice_stream.pipeline.quarantine_replay import Fetch, replay
from rice_stream.pipeline.refusal_limit import RefusalLimit
from rice_stream.proof.verification import verify
from rice_stream.reports import quarantine
from rice_stream.store.quarantine import Choice, drop
from rice_stream.store.retention import drop_records_before
from rice_stream.store.scope import EVERYTHING
from tests.support.fakes import NOON_US, OPERATOR, chunk_of, value_of
from tests.support.reports_store import NOON, Store, at, picked

ANY_ITEM = Choice()
LATER_US = NOON_US + 60_000_000


def nothing_on_kafka(_topic: str, _partition: int, _offset: int) -> None:
    """No record is there any more: stored payloads have to do."""


def replayed(
    store: Store, choice: Choice = ANY_ITEM, fetch: Fetch = nothing_on_kafka, **patches: Any
) -> dict[str, Any]:
    """Replay with patches given as keywords."""
    return replay(store.engine, store.pipeline, choice, patches=patches, fetch=fetch, now_us=LATER_US, by=OPERATOR)


def outcome(answer: dict[str, Any]) -> dict[str, int]:
    return {name: answer[name] for name in ("replayed", "held", "recorded", "duplicates", "conflicts")}


def statuses(store: Store) -> list[str]:
    return [row["status"] for row in store.rows("SELECT status FROM quarantine ORDER BY id")]


class TestQuarantine:
    """On every database."""

    def test_list_has_the_latest_first_and_counts_by_reason(self, store: Store) -> None:
        """Filters by reason, topic and status; the count is of all, the rows up to the limit."""
        store.add(at("2026-11-22T11:00:00Z", tenant_id=...), b"}", b"{", at("2026-11-22T11:00:00Z"))
        answer = quarantine.quarantined(store.engine, EVERYTHING, ANY_ITEM, limit=2)
        assert picked(answer["rows"], "topic", "partition", "offset", "item", "reason", "status") == [
            ("events", 0, 2, 0, "not_json", "held"),
            ("events", 0, 1, 0, "not_json", "held"),
        ]
        assert (answer["total"], answer["by_reason"]) == (3, {"missing_field": 1, "not_json": 2})
        assert answer["rows"][0]["received_at"] == "2026-11-22T12:00:00Z"
        assert quarantine.quarantined(store.engine, EVERYTHING, Choice(reason="missing_field"))["total"] == 1
        assert quarantine.quarantined(store.engine, EVERYTHING, Choice(topic="elsewhere"))["total"] == 0
        assert quarantine.quarantined(store.engine, EVERYTHING, ANY_ITEM, status="dropped")["total"] == 0

    def test_show_has_what_was_kept_and_never_text(self, store: Store) -> None:
        """Known fields stay, anything else is only named."""
        store.add({**at("2026-11-22T11:00:00Z", input_tokens=-1), "messages": ["secret words"]})
        [row] = quarantine.quarantined(store.engine, EVERYTHING, ANY_ITEM)["rows"]
        shown = quarantine.show(store.engine, EVERYTHING, row["id"])
        assert shown["payload"].startswith("{")
        assert '"input_tokens":-1' in shown["payload"]
        assert "secret" not in str(shown)
        with pytest.raises(UsageError, match="nothing in quarantine with the id 999"):
            quarantine.show(store.engine, EVERYTHING, 999)

    def test_a_patched_item_is_recorded_once_and_counted_once(self, store: Store) -> None:
        """The missing tenant is given; totals, records and progress agree; the same event from Kafka is a duplicate."""
        store.add(at("2026-11-22T11:00:00Z", event_id="e", tenant_id=...))
        assert outcome(replayed(store, tenant_id="acme")) == {
            "replayed": 1,
            "held": 0,
            "recorded": 1,
            "duplicates": 0,
            "conflicts": 0,
        }
        assert store.rows("SELECT tenant_id, event_id, input_tokens FROM prompt_emission") == [
            {"tenant_id": "acme", "event_id": "e", "input_tokens": 10}
        ]
        [row] = quarantine.quarantined(store.engine, EVERYTHING, ANY_ITEM, status="replayed")["rows"]
        assert row["resolved_at"] == "2026-11-22T12:01:00Z"
        assert store.add(at("2026-11-22T11:00:00Z", event_id="e")).duplicates == 1
        assert verify(store.engine)["ok"]

    def test_replaying_again_changes_nothing(self, store: Store) -> None:
        """A crash after the record's commit leaves the row held: taken up again, it is a duplicate."""
        store.add(at("2026-11-22T11:00:00Z", tenant_id=...))
        replayed(store, tenant_id="acme")
        store.execute("UPDATE quarantine SET status = 'held'")
        assert outcome(replayed(store, tenant_id="acme"))["duplicates"] == 1
        assert statuses(store) == ["replayed"]
        assert len(store.rows("SELECT * FROM prompt_record")) == 1
        assert verify(store.engine)["ok"]

    def test_what_is_still_no_event_stays_held_with_its_new_reason(self, store: Store) -> None:
        """One patch of two that are needed."""
        store.add(at("2026-11-22T11:00:00Z", tenant_id=..., input_tokens="ten"))
        answer = replayed(store, tenant_id="acme")
        assert (outcome(answer)["held"], answer["rows"][0]["outcome"]) == (1, "held")
        [row] = quarantine.quarantined(store.engine, EVERYTHING, ANY_ITEM)["rows"]
        assert row["reason"] == "invalid_field"
        assert row["detail"].startswith("input_tokens")
        assert outcome(replayed(store, tenant_id="acme", input_tokens=7))["recorded"] == 1
        assert store.rows("SELECT COUNT(*) AS n FROM quarantine") == [{"n": 1}]

    def test_the_original_is_preferred_where_kafka_still_has_it(self, store: Store) -> None:
        """A sender's record that this version reads now (here: the stored digest is of a good one) is taken whole."""
        good = at("2026-11-22T11:00:00Z", user_id="u-17")
        store.add(value_of(good)[:-1])
        asked: list[tuple[str, int, int]] = []

        def fetch(topic: str, partition: int, offset: int) -> RawRecord:
            asked.append((topic, partition, offset))
            return RawRecord(topic, partition, offset, value_of(good))

        assert outcome(replayed(store, fetch=fetch))["held"] == 1
        # That was another record than the refused one (the topic was made anew), so it was not touched.
        assert store.rows("SELECT * FROM prompt_record") == []
        digest = Refused(RawRecord("", 0, 0, value_of(good)), 0, "", "", "").digest
        store.execute("UPDATE quarantine SET digest = :digest", digest=digest)
        assert outcome(replayed(store, fetch=fetch))["recorded"] == 1
        assert asked == [("events", 0, 0)] * 2

    def test_only_the_refused_item_of_a_record_is_taken_up(self, store: Store) -> None:
        """An array of three, the middle one refused: its neighbours are recorded already and stay as they are."""
        items = [at("2026-11-22T11:00:00Z", event_id=f"e{n}") for n in range(3)]
        items[1]["team_id"] = 7
        record = value_of(items)
        store.add(record)

        def fetch(topic: str, partition: int, offset: int) -> RawRecord:
            return RawRecord(topic, partition, offset, record)

        assert outcome(replayed(store, fetch=fetch))["held"] == 1
        assert outcome(replayed(store, fetch=fetch, team_id="search"))["recorded"] == 1
        events = store.rows("SELECT event_id FROM prompt_record ORDER BY event_id")
        assert [row["event_id"] for row in events] == ["e0", "e1", "e2"]
        assert verify(store.engine)["ok"]

    def test_a_value_that_was_not_kept_has_to_be_given(self, store: Store) -> None:
        """A team name that was too long is not stored: the placeholder never becomes a team."""
        store.add(at("2026-11-22T11:00:00Z", team_id="t" * 300))
        answer = replayed(store)
        assert answer["rows"][0]["detail"] == "team_id: its value was not kept; give it with --set team_id=..."
        assert outcome(replayed(store, team_id="search"))["recorded"] == 1

    def test_patches_reach_into_a_cloudevents_envelope(self, store: Store) -> None:
        """The event is the envelope's data."""
        data = at("2026-11-22T11:00:00Z", input_tokens=-5)
        store.add({"specversion": "1.0", "type": "t", "id": "x", "source": "/s", "data": data})
        assert outcome(replayed(store, input_tokens=5))["recorded"] == 1

    def test_bytes_that_are_no_object_cannot_be_patched_and_stay(self, store: Store) -> None:
        """Only their size was kept; the reason stays and says so."""
        store.add(b"\x00\xff nonsense")
        answer = replayed(store, tenant_id="acme")
        assert outcome(answer)["held"] == 1
        assert "no longer on Kafka" in answer["rows"][0]["detail"]

    def test_one_that_contradicts_a_record_is_kept_as_a_conflict(self, store: Store) -> None:
        """The first record stands."""
        store.add(at("2026-11-22T11:00:00Z", event_id="e"))
        store.add(at("2026-11-22T11:00:00Z", event_id="e", input_tokens=-1))
        assert outcome(replayed(store, input_tokens=99))["conflicts"] == 1
        assert store.rows("SELECT input_tokens FROM prompt_record") == [{"input_tokens": 10}]
        assert verify(store.engine)["ok"]

    def test_drop_puts_aside_and_what_is_settled_cannot_be_chosen_by_id(self, store: Store) -> None:
        """By id, by reason; a dropped one is neither listed nor replayed, and stays in the table."""
        store.add(b"}", b"{", at("2026-11-22T11:00:00Z", tenant_id=...))
        [first] = store.rows('SELECT id FROM quarantine WHERE "offset" = 0')
        dropped = quarantine.dropped(
            store.engine, EVERYTHING, drop(store.engine, Choice(ids=(first["id"],)), LATER_US, OPERATOR)
        )
        assert picked(dropped["rows"], "offset", "status") == [(0, "dropped")]
        assert len(drop(store.engine, Choice(reason="not_json"), LATER_US, OPERATOR)) == 1
        assert statuses(store) == ["dropped", "dropped", "held"]
        with pytest.raises(UsageError, match=f"no longer held: {first['id']} "):
            replayed(store, Choice(ids=(first["id"],)))
        with pytest.raises(UsageError, match="not in quarantine: 12345"):
            drop(store.engine, Choice(ids=(12345,)), LATER_US, OPERATOR)
        assert outcome(replayed(store, tenant_id="acme"))["replayed"] == 1

    def test_what_retention_refuses_stays_held(self, store: Store) -> None:
        """An event from before the horizon might have been counted already: no patch but its time helps."""
        store.add(at("2026-08-01T11:00:00Z", tenant_id=...), at("2026-11-22T11:00:00Z", tenant_id=...))
        drop_records_before(store.engine, NOON)
        answer = replayed(store, tenant_id="acme")
        assert picked(answer["rows"], "offset", "outcome", "reason") == [
            (0, "held", "older_than_retention"),
            (1, "replayed", "missing_field"),
        ]
        assert statuses(store) == ["held", "replayed"]
        assert verify(store.engine)["ok"]

    def test_many_are_taken_up_in_one_go(self, store: Store) -> None:
        """More than one batch of them, good and bad; every row says what became of it."""
        payloads = [at("2026-11-22T11:00:00Z", event_id=f"e{n}", tenant_id=...) for n in range(550)]
        store.add(*payloads, b"nonsense")
        answer = replayed(store, tenant_id="acme")
        assert outcome(answer) == {"replayed": 550, "held": 1, "recorded": 550, "duplicates": 0, "conflicts": 0}
        assert len(answer["rows"]) == 551
        verdict = verify(store.engine)
        assert (verdict["ok"], verdict["records"], verdict["gaps"]) == (True, 550, [])

    def test_a_record_of_bad_items_between_good_ones_stops_nothing_and_is_bounded(self, store: Store) -> None:
        """A thousand refused items in one record: the good records are stored, 100 rows are held and one for 900 more."""
        good = [at("2026-11-22T11:00:00Z", event_id=f"e{n}") for n in range(4)]
        values = [*good[:2], [0] * 1_000, *good[2:]]
        batch = store.pipeline.prepare([chunk_of(values)], NOON_US)
        RefusalLimit(ratio_max=0.5, records_min=1).check(batch)
        result = store.pipeline.commit(batch)
        assert (result.recorded, result.quarantined) == (4, 1_000)
        assert len(store.rows("SELECT * FROM prompt_record")) == 4
        assert store.rows("SELECT events, quarantined FROM kafka_progress") == [{"events": 4, "quarantined": 1_000}]
        rows = store.rows('SELECT "offset", item, reason, detail FROM quarantine ORDER BY item')
        assert [row["item"] for row in rows] == list(range(101))
        assert {(row["offset"], row["reason"]) for row in rows[:100]} == {(2, "not_an_object")}
        assert tuple(rows[100].values()) == (
            2,
            100,
            "further_items",
            "900 more of the record's items were refused, from item 100 on",
        )
        again = store.pipeline.process([chunk_of(values)], NOON_US)
        assert (again.recorded, again.duplicates, again.quarantined) == (0, 4, 1_000)
        assert store.rows("SELECT COUNT(*) AS n FROM quarantine") == [{"n": 101}]
        assert verify(store.engine)["ok"]

    def test_a_record_is_hashed_once_however_many_of_its_items_are_refused(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """So a record costs what its size is, not its size times its items."""
        hashed: list[int] = []

        def counting(value: bytes, **options: Any) -> Any:
            hashed.append(len(value))
            return hashlib.blake2b(value, **options)

        monkeypatch.setattr(records_module, "hashlib", SimpleNamespace(blake2b=counting))
        values = [value_of([0] * 10_000), value_of([None] * 300), b"}", b"{"]
        store.add(*values)
        assert sorted(hashed) == sorted(map(len, values))

    def test_the_row_for_further_items_is_taken_up_from_the_record_on_kafka(self, store: Store) -> None:
        """Not lost by replaying the others, held while the record is gone or items are wrong, settled by the last one."""
        wrong = [at("2026-11-22T11:00:00Z", event_id=f"e{n}", tenant_id=...) for n in range(230)]
        good = [at("2026-11-22T11:00:00Z", event_id=f"e{n}") for n in range(230, 233)]
        record = value_of([*wrong, *good, 17])
        assert store.add(record).quarantined == 231

        def fetch(topic: str, partition: int, offset: int) -> RawRecord:
            return RawRecord(topic, partition, offset, record)

        assert outcome(replayed(store, Choice(reason="missing_field"), tenant_id="acme"))["recorded"] == 100
        held = quarantine.quarantined(store.engine, EVERYTHING, ANY_ITEM)
        assert held["by_reason"] == {"further_items": 1}
        for _ in range(2):
            gone = replayed(store, tenant_id="acme")
            assert outcome(gone)["held"] == 1
            assert gone["rows"][0]["detail"] == (
                "131 more of the record's items were refused, from item 100 on (the record is no longer on Kafka)"
            )
        unchanged = replayed(store, fetch=fetch)
        assert outcome(unchanged) == {"replayed": 0, "held": 1, "recorded": 0, "duplicates": 3, "conflicts": 0}
        assert unchanged["rows"][0]["detail"].startswith("131 more of")
        patched = replayed(store, fetch=fetch, tenant_id="acme")
        assert outcome(patched) == {"replayed": 0, "held": 1, "recorded": 130, "duplicates": 0, "conflicts": 0}
        assert (patched["rows"][0]["reason"], patched["rows"][0]["detail"][:9]) == ("further_items", "1 more of")
        assert len(store.rows("SELECT * FROM prompt_record")) == 233
        assert len(drop(store.engine, ANY_ITEM, LATER_US, OPERATOR)) == 1
        assert verify(store.engine)["ok"]

    def test_further_items_that_this_version_reads_are_recorded_and_their_row_is_settled(self, store: Store) -> None:
        """The record as a whole is taken up as if delivered again: what is counted already stays as it is."""
        items = [at("2026-11-22T11:00:00Z", event_id=f"e{n}") for n in range(150)]
        store.add([{**item, "tenant_id": 7} for item in items[:140]] + items[140:])
        record = value_of(items)
        digest = Refused(RawRecord("", 0, 0, record), 0, "", "", "").digest
        store.execute("UPDATE quarantine SET digest = :digest", digest=digest)

        def fetch(topic: str, partition: int, offset: int) -> RawRecord:
            return RawRecord(topic, partition, offset, record)

        answer = replayed(store, Choice(reason="further_items"), fetch=fetch)
        assert outcome(answer) == {"replayed": 1, "held": 0, "recorded": 140, "duplicates": 10, "conflicts": 0}
        assert outcome(replayed(store, fetch=fetch)) == {
            "replayed": 100,
            "held": 0,
            "recorded": 0,
            "duplicates": 100,
            "conflicts": 0,
        }
        assert len(store.rows("SELECT * FROM prompt_record")) == 150
        assert verify(store.engine)["ok"]

    def test_patches_are_read_by_the_kind_of_their_field(self, store: Store) -> None:
        """Text stays text, numbers become numbers, null is null; what makes no sense is a usage error."""
        assert parse_patches(
            ["user_id=17", "input_tokens=17", "pue=1.2", "gateway_cache_hit=true", "team_id=null"]
        ) == {
            "user_id": "17",
            "input_tokens": 17,
            "pue": 1.2,
            "gateway_cache_hit": True,
            "team_id": None,
        }
        assert parse_patches(["source=a=b"]) == {"source": "a=b"}
        for wrong, message in (
            ("tenant", "write field=value"),
            ("tennant_id=x", "there is no such field"),
            ("input_tokens=many", "must be a number"),
        ):
            with pytest.raises(UsageError, match=message):
                parse_patches([wrong])
        assert statuses(store) == []
