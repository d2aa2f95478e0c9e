"""What the store promises on every database: records, refusals, failures, names, watched users and retention."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from random import Random
from typing import Any, ClassVar, cast

import pytest
from sqlalchemy import Engine, text

from rice_stream.pipeline.chunks import Chunk
from rice_stream.quantities import TOKENS_MAX
from rice_stream.reference.types import PueFactor
from rice_stream.store import watching
from rice_stream.store.batch import Records
from rice_stream.store.engine import StoreUnavailableError, writing
from rice_stream.store.retention import drop_records_before
from rice_stream.store.watching import watch_user, watch_users
from rice_stream.store.writers import open_writer
from tests.simulation.store import STEPS, FaultyWriter
from tests.support.fakes import (
    NOON_US,
    FakeReference,
    chunk_of,
    event,
    fake_pipeline,
)
from tests.support.store_checks import assert_exact, expected_sums, rows_in, tenant_sums
from tests.support.store_running import FixedFaults, counts, new_pipeline, progress_of, store

NEW_YEAR_US = 1_798_761_600_000_000
"""2027-01-01T00:00:00Z in epoch microseconds."""


class PueDoublesAtNoon(FakeReference):
    """1.25 before, 2.5 from then on."""

    def resolve_pue(self, *args: Any, **kwargs: Any) -> PueFactor:
        before = super().resolve_pue(*args, **kwargs)
        return replace(before, pue=2 * before.pue) if args[2] >= NOON_US else before


class TestRecords:
    """Each event is one record, whatever is sent twice."""

    def test_totals_worked_by_hand(self, engine: Engine) -> None:
        """10 input and 5 output tokens weigh 20: 5 Wh IT, 6.25 Wh facility, 2.5 g; `big` weighs three times as much."""
        result = store(engine, chunk_of([event(), event(event_id="e-2", request_model="big")]))
        assert counts(result) == (2, 0, 0, 0)
        sums = tenant_sums(rows_in(engine))["acme"]
        assert sums["prompts"] == 2
        assert (sums["input_tokens"], sums["output_tokens"]) == (20, 10)
        assert sums["it_energy_uwh"] == 20_000_000
        assert sums["facility_energy_uwh"] == 25_000_000
        assert sums["carbon_low_ugco2e"] == 5_000_000
        assert sums["carbon_mid_ugco2e"] == 10_000_000
        assert sums["carbon_high_ugco2e"] == 20_000_000
        assert result.sums == sums

    def test_a_batch_that_comes_again_changes_nothing(self, engine: Engine) -> None:
        chunk = chunk_of([event(event_id=f"e-{k}") for k in range(50)])
        store(engine, chunk)
        before = tenant_sums(rows_in(engine))
        assert counts(store(engine, chunk)) == (0, 50, 0, 0)
        assert tenant_sums(rows_in(engine)) == before
        assert_exact(rows_in(engine))

    def test_a_batch_may_hold_new_and_known_events(self, engine: Engine) -> None:
        pipeline = new_pipeline(engine)
        for first in (0, 30, 45, 20, 0):  # ranges of 40 that overlap by 10, 25, 40 and 20
            pipeline.process([chunk_of([event(event_id=f"e-{k}") for k in range(first, first + 40)])], NOON_US)
        assert tenant_sums(rows_in(engine))["acme"]["prompts"] == 85
        assert_exact(rows_in(engine))

    def test_what_was_written_lately_is_looked_for_alone(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of a batch with ten events of the batch before; another process meets them by failing once, and then looks for all."""
        looked_for: list[int] = []

        def watched_pipeline() -> Any:
            writer = open_writer(engine)
            probe = writer._probe

            def counting(records: Records) -> Any:
                looked_for.append(len(records))
                return probe(records)

            monkeypatch.setattr(writer, "_probe", counting)
            return fake_pipeline(writer, engine)

        first, second = ([event(event_id=f"e-{k}") for k in range(start, start + 40)] for start in (0, 30))
        pipeline = watched_pipeline()
        pipeline.process([chunk_of(first)], NOON_US)
        assert counts(pipeline.process([chunk_of(second)], NOON_US)) == (30, 10, 0, 0)
        assert looked_for == [10]
        assert counts(pipeline.process([chunk_of([event(event_id="e-5", output_tokens=9)])], NOON_US)) == (0, 0, 1, 0)
        assert counts(watched_pipeline().process([chunk_of(second)], NOON_US)) == (0, 40, 0, 0)
        assert looked_for == [10, 1, 40]
        assert_exact(rows_in(engine))

    def test_an_event_repeated_within_a_batch_counts_once(self, engine: Engine) -> None:
        result = store(engine, chunk_of([event(), event(), event()]), chunk_of([event()], partition=1))
        assert counts(result) == (1, 3, 0, 0)
        assert progress_of(engine, 0)["duplicates"] == 2
        assert progress_of(engine, 1)["duplicates"] == 1
        assert_exact(rows_in(engine))

    def test_tenant_and_source_keep_equal_ids_apart(self, engine: Engine) -> None:
        events = [
            event(tenant_id="a-b", source="c"),
            event(tenant_id="a", source="b-c"),
            event(tenant_id="a", source=None),
            event(tenant_id="A", source=None),
        ]
        assert counts(store(engine, chunk_of(events))) == (4, 0, 0, 0)
        assert set(tenant_sums(rows_in(engine))) == {"a-b", "a", "A"}

    def test_the_same_event_with_other_content_is_a_conflict_and_the_first_stands(self, engine: Engine) -> None:
        store(engine, chunk_of([event()]))
        changed = [event(output_tokens=6), event(request_model="big"), event(user_id="u")]
        for offset, other in enumerate(changed, start=1):
            assert counts(store(engine, chunk_of([other], offset=offset))) == (0, 0, 1, 0)
        assert tenant_sums(rows_in(engine)) == expected_sums([event()])
        [first, *_] = conflicts = rows_in(engine)("conflict")
        assert [row["event_id"] for row in conflicts] == ["e-1"] * len(conflicts)
        assert json.loads(first["detail"])["output_tokens"] == 6
        assert progress_of(engine)["conflicts"] == 3

    def test_what_contradicts_is_told_by_the_store_and_not_by_the_order_within_a_batch(self, engine: Engine) -> None:
        """A contradiction before the event's own repeats in one batch does not make conflicts of these."""
        store(engine, chunk_of([event(), event(event_id="e-2")]))
        again = chunk_of(
            [event(output_tokens=6), event(), event(), event(output_tokens=7), event(event_id="e-2")], offset=2
        )
        assert counts(store(engine, again)) == (0, 3, 2, 0)
        assert {json.loads(row["detail"])["output_tokens"] for row in rows_in(engine)("conflict")} == {6, 7}
        assert tenant_sums(rows_in(engine)) == expected_sums([event(), event(event_id="e-2")])
        assert_exact(rows_in(engine))

    def test_a_conflict_that_comes_again_is_kept_once(self, engine: Engine) -> None:
        for _ in range(2):
            store(engine, chunk_of([event(), event(output_tokens=6), event(output_tokens=7), event(output_tokens=6)]))
        assert tenant_sums(rows_in(engine)) == expected_sums([event()])
        assert len(rows_in(engine)("conflict")) == 2
        assert_exact(rows_in(engine))

    def test_other_factors_do_not_make_an_event_another(self, engine: Engine) -> None:
        """After a change of tables the same event is a duplicate: it is estimated once, with the factors of then."""
        store(engine, chunk_of([event()]))
        changed = FakeReference()
        changed.version = "factors-2"
        again = new_pipeline(engine, reference=cast(Any, changed))
        assert counts(again.process([chunk_of([event()])], NOON_US)) == (0, 1, 0, 0)
        assert len(rows_in(engine)("factor_use")) == 2
        assert_exact(rows_in(engine))

    def test_every_pattern_of_nulls_comes_back_as_it_went_in(self, engine: Engine) -> None:
        """All 256 combinations of present and absent optional values, in one batch, in mixed order."""
        optional = {
            "user_id": "u",
            "api_key_id": "k",
            "started_at": "2026-11-22T11:59:59Z",
            "input_tokens": 40,
            "cache_read_input_tokens": 1,
            "cache_write_input_tokens": 2,
            "output_tokens": 30,
            "reasoning_output_tokens": 3,
        }
        events = []
        for k, present in enumerate(product((True, False), repeat=len(optional))):
            values = {n: v if p else None for (n, v), p in zip(optional.items(), present, strict=True)}
            events.append(event(event_id=f"e-{k}", **values))
        Random(7).shuffle(events)
        store(engine, chunk_of(events))
        records = {row["event_id"]: row for row in rows_in(engine)("prompt_record")}
        assert len(records) == 256
        for sent in events:
            record = records[sent["event_id"]]
            assert (record["user_key"] is None) == (sent["user_id"] is None)
            assert (record["api_key_key"] is None) == (sent["api_key_id"] is None)
            assert record["duration_us"] == (None if sent["started_at"] is None else 1_000_000)
            for name in optional:
                if name.endswith("_tokens"):
                    assert record[name] == sent[name], name
        assert tenant_sums(rows_in(engine)) == expected_sums(events)
        assert_exact(rows_in(engine))

    def test_the_largest_and_the_strangest_values_are_kept(self, engine: Engine) -> None:
        ids = ["😀" * 256, "tab\tnewline\nbackslash\\quote'\"", "\\N", "\\.", " ", "x" * 256, "ä\u2028\ufeff"]
        events = [
            event(
                event_id=event_id,
                tenant_id=event_id,
                user_id=event_id,
                input_tokens=TOKENS_MAX,
                output_tokens=TOKENS_MAX,
                started_at="2000-01-01T00:00:00Z",
            )
            for event_id in ids
        ]
        for _ in range(2):  # the second time they are looked up
            store(engine, chunk_of(events))
        assert sorted(row["event_id"] for row in rows_in(engine)("prompt_record")) == sorted(ids)
        assert {row["tenant_id"] for row in rows_in(engine)("tenant")} == set(ids)
        assert all(row["input_tokens"] == TOKENS_MAX for row in rows_in(engine)("prompt_record"))
        assert all(sums["carbon_high_ugco2e"] > 0 for sums in tenant_sums(rows_in(engine)).values())
        assert_exact(rows_in(engine))

    def test_an_empty_batch_and_one_of_refusals_only_are_stored_too(self, engine: Engine) -> None:
        assert counts(store(engine, chunk_of([b"nonsense", None]))) == (0, 0, 0, 2)
        assert progress_of(engine)["last_offset"] == 1
        assert counts(store(engine)) == (0, 0, 0, 0)

    def test_random_batches_leave_totals_exact(self, engine: Engine) -> None:
        """Overlapping batches of several tenants, teams, users, models and days by several workers in turn."""
        random = Random(11)
        sent = [
            event(
                event_id=f"e-{k}",
                tenant_id=random.choice("abc"),
                team_id=random.choice([None, "x", "y"]),
                user_id=random.choice([None, "u", "v"]),
                request_model=random.choice(["small", "big"]),
                ended_at=f"2026-{random.randint(1, 12):02d}-{random.randint(1, 28):02d}T{random.randint(0, 23):02d}:30:00Z",
                started_at=None,
                input_tokens=random.choice([None, 0, 5, 100]),
            )
            for k in range(400)
        ]
        workers = [new_pipeline(engine) for _ in range(3)]
        for k in range(12):
            part = random.sample(sent, 100)
            workers[k % 3].process([chunk_of(part[:60]), chunk_of(part[60:], partition=1)], NEW_YEAR_US)
        workers[0].process([chunk_of(sent)], NEW_YEAR_US)
        assert tenant_sums(rows_in(engine)) == expected_sums(sent)
        assert_exact(rows_in(engine))


class TestQuarantine:
    """What is refused is held with its reason, once, and counted."""

    BAD: ClassVar[list[object]] = [b"not JSON", event(input_tokens=-1), None, b'[{"event_id":"a"},7]']

    def test_refusals_are_held_with_place_reason_and_redacted_payload(self, engine: Engine) -> None:
        store(engine, chunk_of([event(), *self.BAD], offset=10))
        rows = sorted(rows_in(engine)("quarantine"), key=lambda row: (row["offset"], row["item"]))
        assert [(row["offset"], row["item"], row["reason"]) for row in rows] == [
            (11, 0, "not_json"),
            (12, 0, "invalid_field"),
            (13, 0, "empty_value"),
            (14, 0, "missing_field"),
            (14, 1, "not_an_object"),
        ]
        assert {(row["topic"], row["partition"], row["status"], row["received_at_us"]) for row in rows} == {
            ("events", 0, "held", NOON_US)
        }
        assert json.loads(rows[1]["payload"])["input_tokens"] == -1
        assert progress_of(engine)["quarantined"] == 5

    def test_a_refusal_that_comes_again_is_held_once(self, engine: Engine) -> None:
        for _ in range(3):
            store(engine, chunk_of(self.BAD))
        assert len(rows_in(engine)("quarantine")) == 5

    def test_the_same_offset_of_a_topic_made_anew_is_another_refusal(self, engine: Engine) -> None:
        store(engine, chunk_of([b"one"]))
        store(engine, chunk_of([b"two"]))
        assert len(rows_in(engine)("quarantine")) == 2

    def test_progress_counts_every_event_and_every_hole(self, engine: Engine) -> None:
        """Offsets 5, 6 and 9 were read: 7 and 8 never were records."""
        records = [*chunk_of([event(), event()], offset=5).records, *chunk_of([b"bad"], offset=9).records]
        store(engine, Chunk("events", 0, records))
        row = progress_of(engine)
        assert (row["first_offset"], row["last_offset"], row["gaps"]) == (5, 9, 2)
        assert (row["events"], row["recorded"], row["duplicates"], row["quarantined"]) == (2, 1, 1, 1)
        store(engine, chunk_of([event(event_id="e-0")], offset=2))
        row = progress_of(engine)
        assert (row["first_offset"], row["last_offset"], row["recorded"]) == (2, 9, 2)


class TestFailures:
    """A transaction happens as a whole or not at all."""

    CHUNK = chunk_of([event(), event(event_id="e-2", user_id="u"), event(output_tokens=9), b"bad"])

    @pytest.mark.parametrize("step", STEPS)
    @pytest.mark.parametrize("known", [False, True], ids=["all new", "some known"])
    def test_a_failure_at_any_step_leaves_all_or_nothing(self, engine: Engine, step: str, known: bool) -> None:
        """Nothing up to the commit; everything after it, though the worker does not know. Trying again ends exact."""
        watch_user(engine, "acme", "u")
        if known:
            store(engine, chunk_of([event()], partition=1))
        before = {table: rows_in(engine)(table) for table in ("prompt_record", "minute_total", "quarantine")}
        pipeline = fake_pipeline(FaultyWriter(open_writer(engine), FixedFaults([step])), engine)
        batch = pipeline.prepare([self.CHUNK], NOON_US)
        with pytest.raises(StoreUnavailableError):
            pipeline.commit(batch)
        assert_exact(rows_in(engine))
        if step != "committed":
            assert {table: rows_in(engine)(table) for table in before} == before
        pipeline.commit(batch)
        assert_exact(rows_in(engine))
        assert tenant_sums(rows_in(engine)) == expected_sums([event(), event(event_id="e-2")])
        assert len(rows_in(engine)("quarantine")) == 1
        assert len(rows_in(engine)("conflict")) == 1

    def test_a_worker_that_fails_again_and_again_ends_exact(self, engine: Engine) -> None:
        random = Random(3)
        faults = FixedFaults(random.choice(STEPS) for _ in range(60))
        pipeline = fake_pipeline(FaultyWriter(open_writer(engine), faults), engine)
        sent = [event(event_id=f"e-{k}", tenant_id=random.choice("ab")) for k in range(60)]
        for first in range(0, 60, 10):
            batch = pipeline.prepare([chunk_of(sent[max(0, first - 5) : first + 10])], NOON_US)
            while True:
                try:
                    pipeline.commit(batch)
                    break
                except StoreUnavailableError:
                    continue
        assert tenant_sums(rows_in(engine)) == expected_sums(sent)
        assert_exact(rows_in(engine))


class TestNames:
    """Names become small numbers, the same for everybody, for ever."""

    def test_workers_agree_on_the_keys_of_names(self, engine: Engine) -> None:
        first, second = new_pipeline(engine), new_pipeline(engine)
        first.process([chunk_of([event(user_id="u", team_id="x")])], NOON_US)
        second.process([chunk_of([event(event_id="e-2", user_id="v", team_id="y")])], NOON_US)
        first.process([chunk_of([event(event_id="e-3", user_id="v", team_id="y")])], NOON_US)
        records = {row["event_id"]: row for row in rows_in(engine)("prompt_record")}
        for name in ("tenant_key", "attribution_key", "user_key", "factor_key"):
            assert records["e-2"][name] == records["e-3"][name]
        assert records["e-1"]["user_key"] != records["e-2"]["user_key"]
        assert records["e-1"]["attribution_key"] != records["e-2"]["attribution_key"]
        assert len(rows_in(engine)("tenant")) == 1

    def test_thousands_of_new_names_in_one_batch(self, engine: Engine) -> None:
        """More than a statement takes parameters."""
        events = [event(event_id=f"e-{k}", tenant_id=f"t-{k % 900}", user_id=f"u-{k}") for k in range(2500)]
        assert store(engine, chunk_of(events)).recorded == 2500
        users = Counter(row["tenant_key"] for row in rows_in(engine)("principal"))
        assert sorted(users.values()) == [2] * 200 + [3] * 700
        assert_exact(rows_in(engine))

    def test_factors_hold_as_of_the_time_of_the_event(self, engine: Engine) -> None:
        """A PUE that doubles at noon holds for events that end at noon or later, in whatever order they come."""
        pipeline = new_pipeline(engine, reference=cast(Any, PueDoublesAtNoon([NOON_US])))
        times = ["2026-11-22T12:00:00Z", "2026-11-22T11:59:59.999999Z", "2026-11-22T12:00:01Z"]
        events = [event(event_id=f"e-{k}", ended_at=at, started_at=None) for k, at in enumerate(times)]
        pipeline.process([chunk_of(events)], NOON_US)
        energy = {row["event_id"]: row["facility_energy_uwh"] for row in rows_in(engine)("prompt_record")}
        assert energy == {"e-0": 12_500_000, "e-1": 6_250_000, "e-2": 12_500_000}
        assert_exact(rows_in(engine))


class TestUsers:
    """Totals of watched users: complete from the first record on, whenever the watch began."""

    def test_a_watched_user_has_totals_of_the_past_and_of_what_follows(self, engine: Engine) -> None:
        pipeline = new_pipeline(engine)
        for half in range(2):
            events = [event(event_id=f"e-{half}-{k}", user_id="uvw"[k % 3]) for k in range(9)]
            pipeline.process([chunk_of(events)], NOON_US)
            watch_user(engine, "acme", "u")
        totals = rows_in(engine)("user_slot_total")
        assert [row["prompts"] for row in totals] == [6]
        assert_exact(rows_in(engine))

    def test_a_user_may_be_watched_before_the_first_event(self, engine: Engine) -> None:
        watch_user(engine, "acme", "u")
        watch_user(engine, "acme", "u")
        store(engine, chunk_of([event(user_id="u"), event(event_id="e-2", user_id="v")]))
        assert [row["prompts"] for row in rows_in(engine)("user_slot_total")] == [1]
        assert_exact(rows_in(engine))

    def test_a_user_whom_another_process_watches_meanwhile_is_left_to_it(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Both began with the same file of budgets: at the first look nobody was watched."""
        watch_user(engine, "acme", "u")
        store(engine, chunk_of([event(user_id="u")]))
        looks = iter([set[tuple[str, str]]()])
        look = watching._watched
        monkeypatch.setattr(watching, "_watched", lambda connection: next(looks, look(connection)))
        watch_user(engine, "acme", "u")
        assert next(looks, None) is None
        assert [row["prompts"] for row in rows_in(engine)("user_slot_total")] == [1]
        assert_exact(rows_in(engine))

    def test_watching_a_watched_user_again_does_not_wait_for_a_batch(self, engine: Engine) -> None:
        """Every start of a worker sets its file of budgets again: it asks without a lock, in the midst of a batch."""
        watch_users(engine, [("acme", "u"), ("globex", "v")])
        with ThreadPoolExecutor(1) as pool, writing(engine) as batch:
            if engine.dialect.name == "postgresql":
                batch.execute(text("LOCK TABLE watched_user IN ROW SHARE MODE"))  # as every batch does
            pool.submit(watch_users, engine, [("globex", "v"), ("acme", "u")]).result(timeout=10)


class TestRetention:
    """Old records go, their totals stay, and what is gone is not counted again."""

    def test_dropped_months_keep_their_totals_and_refuse_what_comes_again(self, engine: Engine) -> None:
        old = event(event_id="old", ended_at="2026-08-31T23:59:59Z", started_at=None)
        kept = event(event_id="kept", ended_at="2026-09-01T00:00:00Z", started_at=None)
        store(engine, chunk_of([old, kept]))
        before = tenant_sums(rows_in(engine))
        assert drop_records_before(engine, datetime(2026, 9, 30, tzinfo=UTC)) == 1
        assert drop_records_before(engine, datetime(2026, 9, 30, tzinfo=UTC)) == 0, "once is enough"
        assert [row["event_id"] for row in rows_in(engine)("prompt_record")] == ["kept"]
        assert tenant_sums(rows_in(engine)) == before
        result = store(engine, chunk_of([old, kept], offset=2))
        assert (counts(result), result.older_than_retention) == ((0, 1, 0, 0), 1)
        assert tenant_sums(rows_in(engine)) == before
        assert rows_in(engine)("quarantine") == []
