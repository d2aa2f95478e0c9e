"""What the database or the estimation chokes on is found, refused and told; everything else is stored, exactly once."""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from psycopg import errors

from rice_stream.errors import RiceError
from rice_stream.files.ingesting import FileCounts, ingest_file
from rice_stream.files.reading import open_file
from rice_stream.meter.amounts import INT64_MAX
from rice_stream.pipeline import culprits
from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.quarantine_replay import replay
from rice_stream.pipeline.refusal_limit import RefusalLimit
from rice_stream.proof.verification import verify
from rice_stream.quantities import TOKENS_MAX
from rice_stream.store.engine import StoreUnavailableError, batch_failure
from rice_stream.store.failures import NotStorableError, UnexpectedDatabaseError
from rice_stream.store.file_progress import FileProgressStore
from rice_stream.store.quarantine import Choice
from rice_stream.store.totals_tables import TOTALS_TABLES
from rice_stream.worker.batches import BatchLoop
from rice_stream.worker.health import Heartbeat, Telemetry
from rice_stream.worker.held_chunks import BatchTimes
from rice_stream.worker.intake import Intake, fetched_chunk
from rice_stream.worker.metrics import Metrics
from rice_stream.worker.partition_guard import PartitionGuard
from tests.support.databases import Databases
from tests.support.fakes import NOON_US, OPERATOR, chunk_of, event
from tests.support.reports_store import Store, open_store

SQLITE_TRIGGER = """
CREATE TRIGGER choosy BEFORE INSERT ON prompt_record WHEN NEW.event_id LIKE 'poison%'
BEGIN SELECT RAISE(ABORT, 'no such text in here'); END
"""
POSTGRESQL_FUNCTION = """
CREATE FUNCTION choosy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.event_id LIKE 'poison%' THEN RAISE EXCEPTION 'no such text in here' USING ERRCODE = '22023'; END IF;
  RETURN NEW;
END $$
"""
POSTGRESQL_TRIGGER = "CREATE TRIGGER choosy BEFORE INSERT ON prompt_record FOR EACH ROW EXECUTE FUNCTION choosy()"


@pytest.fixture
def choosy(database: Databases) -> Iterator[Store]:
    """A store that refuses records whose id begins with `poison`, for a reason that only it knows."""
    with open_store(database.migrated()) as store:
        if store.engine.dialect.name == "sqlite":
            store.execute(SQLITE_TRIGGER)
        else:
            store.execute(POSTGRESQL_FUNCTION)
            store.execute(POSTGRESQL_TRIGGER)
        yield store
        store.engine.dispose()


def work_off(store: Store, *chunks: Chunk, events_max: int = 1_000) -> list[int]:
    """Run the worker's batch loop on the chunks; returns the last offsets of those that were acknowledged."""
    acknowledged: list[int] = []

    async def run() -> None:
        intake = Intake(events_max=events_max)
        batches = BatchLoop(
            intake,
            store.pipeline,
            Telemetry(Metrics(), Heartbeat(timeout_s=60)),
            guard=PartitionGuard(ratio_max=1.0, records_min=1_000_000, clock=time.monotonic),
            set_aside=lambda _place, _seconds: None,
            times=BatchTimes(wait_s=lambda: 0.01, store_retry_s=1.0),
            on_commit=lambda _: None,
        )
        running = asyncio.create_task(batches.run())
        for chunk in chunks:
            last = chunk.records[-1].offset
            await intake.put(fetched_chunk(chunk, lambda last=last: acknowledged.append(last)))
        await intake.close()
        await running
        assert intake.size_bytes == 0

    asyncio.run(run())
    return acknowledged


def recorded(store: Store) -> list[str]:
    return sorted(row["event_id"] for row in store.rows("SELECT event_id FROM prompt_record"))


def held(store: Store) -> list[tuple[Any, ...]]:
    rows = store.rows('SELECT "offset", item, reason FROM quarantine ORDER BY "offset", item')
    return [tuple(row.values()) for row in rows]


def replay_all(store: Store, **patches: Any) -> dict[str, Any]:
    """Everything that is held, with these patches; nothing lies on Kafka any more."""
    return replay(
        store.engine,
        store.pipeline,
        Choice(),
        patches=patches,
        fetch=lambda *_: None,
        now_us=NOON_US + 60_000_000,
        by=OPERATOR,
    )


def ids(names: Sequence[str]) -> list[dict[str, Any]]:
    return [event(event_id=name) for name in names]


class TestDatabase:
    """On both databases."""

    def test_one_record_that_the_database_refuses_costs_its_neighbours_nothing(self, choosy: Store) -> None:
        good = [f"e-{k}" for k in range(20)]
        names = [*good[:7], "poison-a", *good[7:19], "poison-b", good[19]]
        chunks = [chunk_of(ids(names[:11])), chunk_of(ids(names[11:]), offset=11)]
        assert work_off(choosy, *chunks) == [10, 21]
        assert recorded(choosy) == sorted(good)
        assert held(choosy) == [(7, 0, "not_storable"), (20, 0, "not_storable")]
        assert verify(choosy.engine)["ok"]
        (progress,) = choosy.rows("SELECT events, recorded, quarantined, gaps, last_offset FROM kafka_progress")
        assert tuple(progress.values()) == (20, 20, 2, 0, 21)
        detail = choosy.rows("SELECT detail FROM quarantine")[0]["detail"]
        assert "no such text" not in detail, "the database's words may quote the payload"
        assert "22023" in detail or "SQLITE_CONSTRAINT_TRIGGER" in detail

    def test_only_the_culprits_of_a_record_of_many_events_are_refused(self, choosy: Store) -> None:
        """Also where the record is cut into several transactions; when it comes again, nothing changes."""
        names = [f"e-{k}" for k in range(25)]
        mixed = [*names[:13], "poison", *names[13:]]
        value = "\n".join(json.dumps(one) for one in ids(mixed)).encode()
        for _ in range(2):
            assert work_off(choosy, chunk_of([value, event(event_id="after")]), events_max=10) == [1]
            assert recorded(choosy) == sorted([*names, "after"])
            assert held(choosy) == [(0, 13, "not_storable")]
            assert verify(choosy.engine)["ok"]

    def test_ingest_refuses_the_culprits_of_a_file_and_stores_the_rest(self, choosy: Store, tmp_path: Path) -> None:
        """The counts say so, the limit on refused records counts each record once, and a second run changes nothing."""
        names = [f"e-{k}" for k in range(20)]
        mixed = [*names[:7], "poison-a", *names[7:], "poison-b"]
        path = tmp_path / "events.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in ids(mixed)))
        for recorded_now in (20, 0):
            counts = FileCounts()
            limit = RefusalLimit(ratio_max=2 / 22, records_min=22)
            with open_file(path) as file:
                list(ingest_file(FileProgressStore(choosy.engine), choosy.pipeline, file, counts, limit))
            assert (counts.records, counts.quarantined, counts.events) == (recorded_now, 2, 22)
            assert recorded(choosy) == sorted(names)
            assert held(choosy) == [(7, 0, "not_storable"), (21, 0, "not_storable")]
            assert verify(choosy.engine)["ok"]

    def test_replay_keeps_the_culprits_held_and_takes_up_the_rest(self, choosy: Store) -> None:
        """Each row says what became of it; the culprits have their new reason."""
        names = ["e-0", "poison-a", "e-1", "e-2", "poison-b"]
        choosy.add(*(event(event_id=name, tenant_id=...) for name in names))
        answer = replay_all(choosy, tenant_id="acme")
        assert [row["outcome"] for row in answer["rows"]] == ["replayed", "held", "replayed", "replayed", "held"]
        assert (answer["recorded"], answer["replayed"], answer["held"]) == (3, 3, 2)
        rows = choosy.rows("SELECT status, reason FROM quarantine ORDER BY id")
        assert [row["status"] for row in rows] == ["replayed", "held", "replayed", "replayed", "held"]
        assert [row["reason"] for row in rows if row["status"] == "held"] == ["not_storable"] * 2
        assert recorded(choosy) == ["e-0", "e-1", "e-2"]
        assert verify(choosy.engine)["ok"]
        assert replay_all(choosy, tenant_id="acme")["held"] == 2
        if choosy.engine.dialect.name == "sqlite":
            choosy.execute("DROP TRIGGER choosy")
        else:
            choosy.execute("DROP TRIGGER choosy ON prompt_record")
        assert replay_all(choosy, tenant_id="acme")["recorded"] == 2


@pytest.mark.services
def test_an_amount_that_overflows_is_refused_and_named(postgresql: Databases) -> None:
    """SQLSTATE 22003, wherever it comes from; other events of the same batch are stored."""
    with open_store(postgresql.migrated()) as store:
        store.execute(POSTGRESQL_FUNCTION.replace("22023", "22003"))
        store.execute(POSTGRESQL_TRIGGER)
        assert work_off(store, chunk_of(ids(["first", "poison", "last"]))) == [2]
        assert recorded(store) == ["first", "last"]
        assert held(store) == [(1, 0, "amount_overflow")]
        store.engine.dispose()


def test_an_event_that_a_total_has_no_room_for_is_held_alone(store: Store) -> None:
    """The total stays what it is, and others of the same batch and day are added to it."""
    store.add(event(event_id="before"))
    room = 1_000_000_000
    for table in TOTALS_TABLES:
        store.execute(f"UPDATE {table.name} SET carbon_high_ugco2e = {INT64_MAX - room}")
    nonsense = event(event_id="nonsense", input_tokens=TOKENS_MAX)
    assert work_off(store, chunk_of([*ids(["first"]), nonsense, *ids(["last"])], offset=1)) == [3]
    assert recorded(store) == ["before", "first", "last"]
    assert held(store) == [(2, 0, "amount_overflow")]
    [total] = store.rows("SELECT carbon_high_ugco2e AS n FROM day_total")
    high = store.rows("SELECT SUM(carbon_high_ugco2e) AS n FROM prompt_record WHERE event_id <> 'before'")[0]["n"]
    assert total == {"n": INT64_MAX - room + high}


def test_a_record_that_estimation_chokes_on_is_refused_alone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the failure is, it is the record's that causes it; what was half learnt then is learnt again."""
    from tests.support.fakes import FakeMethod

    real = FakeMethod.estimate

    def estimate(self: FakeMethod, coefficients: Any, requests: Any) -> Any:
        if (requests.input_tokens == 666).any():
            raise ZeroDivisionError("a number nobody thought of")
        return real(self, coefficients, requests)

    monkeypatch.setattr(FakeMethod, "estimate", estimate)
    values = [event(event_id=f"e-{k}", tenant_id=f"t-{k}") for k in range(9)]
    values.insert(4, event(event_id="bad", input_tokens=666))
    assert work_off(store, chunk_of(values)) == [9]
    assert len(recorded(store)) == 9
    assert held(store) == [(4, 0, "internal_error")]
    assert "ZeroDivisionError" in store.rows("SELECT detail FROM quarantine")[0]["detail"]
    assert verify(store.engine)["ok"]
    store.execute("DELETE FROM quarantine")
    store.add(event(event_id="worse", input_tokens=666, tenant_id=...), event(event_id="fine", tenant_id=...))
    assert [row["outcome"] for row in replay_all(store, tenant_id="acme")["rows"]] == ["held", "replayed"]
    assert store.rows("SELECT reason FROM quarantine WHERE status = 'held'") == [{"reason": "internal_error"}]


def test_many_culprits_cost_bounded_work_and_lose_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past a number of them, what still fails is held as it is: every item is stored or held."""
    from tests.support.fakes import FakeMethod

    monkeypatch.setattr(culprits, "CULPRITS_MAX", 5)
    real = FakeMethod.estimate

    def estimate(self: FakeMethod, coefficients: Any, requests: Any) -> Any:
        if (requests.input_tokens == 666).any():
            raise ZeroDivisionError
        return real(self, coefficients, requests)

    monkeypatch.setattr(FakeMethod, "estimate", estimate)
    values = [event(event_id=f"e-{k}", input_tokens=666 if k % 4 == 3 else 10) for k in range(64)]
    assert work_off(store, chunk_of(values)) == [63]
    stored, refused = recorded(store), held(store)
    assert len(stored) + len(refused) == 64
    assert 5 <= len(refused) <= 64 - 10
    assert verify(store.engine)["ok"]


@pytest.mark.parametrize(
    ("state", "raised"),
    [
        ("08006", StoreUnavailableError), ("25006", StoreUnavailableError), ("25P03", StoreUnavailableError),
        ("40001", StoreUnavailableError), ("40P01", StoreUnavailableError), ("53100", StoreUnavailableError),
        ("55P03", StoreUnavailableError), ("57P01", StoreUnavailableError), ("0A000", StoreUnavailableError),
        ("22003", NotStorableError), ("22021", NotStorableError), ("23514", NotStorableError),
        ("54000", NotStorableError), ("P0001", NotStorableError), ("XX000", NotStorableError),
        ("42P01", UnexpectedDatabaseError), ("42501", UnexpectedDatabaseError), ("42703", UnexpectedDatabaseError),
    ],
)  # fmt: skip
def test_the_sqlstate_decides_what_is_tried_again(state: str, raised: type[RiceError]) -> None:
    """A read-only standby after a fail-over, a full disk, another session's lock: the same batch may succeed later."""
    error = cast(Any, errors.lookup(state))("the server's words")
    failure = batch_failure("the batch was not taken", error)
    assert type(failure) is raised
    if raised is UnexpectedDatabaseError:
        assert "rice-stream migrate" in str(failure)
        assert "\n" not in str(failure)
    assert type(batch_failure("x", psycopg.OperationalError("connection refused"))) is StoreUnavailableError


def test_a_missing_table_stops_with_one_clear_sentence(database: Databases) -> None:
    """No endless retry, no traceback, nothing in quarantine."""
    with open_store(database.migrated()) as store:
        store.add(event(event_id="first"))
        store.execute("ALTER TABLE kafka_progress RENAME TO elsewhere")
        with pytest.raises(UnexpectedDatabaseError, match="rice-stream migrate"):
            work_off(store, chunk_of([event(event_id="second")], offset=1))
        assert held(store) == []
        store.engine.dispose()
