"""What only a server can do for the store: writers at the same time, restarts."""

import gc
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.event import listens_for
from sqlalchemy.event import remove as remove_listener

from rice_stream.instants import epoch_us
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.proof.verification import verify
from rice_stream.sandbox.stack.postgres import PostgresServer
from rice_stream.store import dimensions, postgres
from rice_stream.store.engine import StoreUnavailableError, open_engine
from rice_stream.store.event_key_columns import key_floor
from rice_stream.store.lock_waits import end_hung_statement
from rice_stream.store.retention import drop_records_before
from rice_stream.store.watching import watch_user, watch_users
from rice_stream.store.writers import open_writer
from tests.support.databases import Databases, partitions
from tests.support.fakes import NOON_US, chunk_of, event, fake_pipeline
from tests.support.store_checks import assert_exact, expected_sums, rows_in, tenant_sums
from tests.support.store_running import new_pipeline, store
from tests.support.waiting import wait_until


@pytest.fixture
def engine(postgresql: Databases) -> Iterator[Engine]:
    """Without data, and without partitions."""
    engine = open_engine(postgresql.emptied())
    yield engine
    engine.dispose()


def test_each_month_has_a_partition_that_holds_its_records(engine: Engine) -> None:
    times = ["2025-12-31T23:59:59.999Z", "2026-01-01T00:00:00Z", "2026-01-31T23:59:59.999Z", "2026-02-01T00:00:00Z"]
    store(engine, chunk_of([event(event_id=f"e-{k}", ended_at=at, started_at=None) for k, at in enumerate(times)]))
    assert partitions(engine) == ["prompt_record_p202512", "prompt_record_p202601", "prompt_record_p202602"]
    with engine.connect() as connection:
        january = connection.execute(text("SELECT event_id FROM prompt_record_p202601 ORDER BY event_id")).scalars()
        assert list(january) == ["e-1", "e-2"]


def test_retention_drops_months_and_no_other_table_that_is_attached_to_the_records(engine: Engine) -> None:
    """An operator's archive is a partition too, and its name comes before those of the months."""
    store(engine, chunk_of([event(event_id="e-1", ended_at="2025-12-31T12:00:00Z", started_at=None), event()]))
    with engine.begin() as connection:
        low, high = (key_floor(epoch_us(datetime(year, 1, 1, tzinfo=UTC)) // 1000) for year in (2001, 2002))
        bounds = f"FOR VALUES FROM ('{low}') TO ('{high}')"
        connection.execute(text(f"CREATE TABLE prompt_record_archive PARTITION OF prompt_record {bounds}"))
    assert drop_records_before(engine, datetime(2026, 11, 22, tzinfo=UTC)) == 1
    assert partitions(engine) == ["prompt_record_archive", "prompt_record_p202611"]


def test_event_keys_order_as_events_do_in_time(engine: Engine) -> None:
    """Index locality: the key begins with the time, whatever the order in which events came."""
    times = [f"2026-11-22T12:00:{second:02d}.{millisecond:03d}Z" for second in range(10) for millisecond in range(10)]
    Random(5).shuffle(times)
    store(engine, chunk_of([event(event_id=at, ended_at=at, started_at=None) for at in times]))
    with engine.connect() as connection:
        by_key = list(connection.execute(text("SELECT event_id FROM prompt_record ORDER BY event_key")).scalars())
    assert by_key == sorted(times)


@contextmanager
def hung_after(engine: Engine, statement: str) -> Iterator[threading.Event]:
    """Who has run this statement on the engine asks for nothing more until the block is left; set once it stands there."""
    stands, goes_on = threading.Event(), threading.Event()

    def wait(_c: Any, _cursor: Any, said: str, *_rest: Any) -> None:
        if statement in said:
            stands.set()
            assert goes_on.wait(60)

    listens_for(engine, "after_cursor_execute")(wait)
    try:
        yield stands
    finally:
        goes_on.set()
        remove_listener(engine, "after_cursor_execute", wait)


def test_a_worker_that_hangs_while_it_gives_out_keys_holds_up_nobody_for_long(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its session is ended by the server, and the lock goes with it; when it goes on it is told to come again."""
    monkeypatch.setattr(dimensions, "_END_HUNG", end_hung_statement(0.5))
    hung, other = open_engine(engine.url.render_as_string(hide_password=False)), engine
    with ThreadPoolExecutor(1) as thread:
        with hung_after(hung, "pg_advisory_xact_lock") as stands:
            waits = thread.submit(dimensions.Dimensions(hung).tenants, ["acme"])
            assert stands.wait(30)
            assert list(dimensions.Dimensions(other).tenants(["acme", "globex"])) == ["acme", "globex"]
        with pytest.raises(StoreUnavailableError):
            waits.result()
    assert dimensions.Dimensions(hung).tenants(["acme"]) == dimensions.Dimensions(other).tenants(["acme"])
    hung.dispose()


def test_a_worker_that_hangs_amid_a_batch_holds_up_nobody_for_long(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has its partitions now stores the same batch; it counts once."""
    monkeypatch.setattr(postgres, "_BEGIN", postgres._BEGIN.replace(end_hung_statement(), end_hung_statement(0.5)))
    chunk = chunk_of([event(event_id=f"e-{k}") for k in range(50)])
    store(engine, chunk_of([event(event_id="before")]))
    stands, goes_on, of_first = threading.Event(), threading.Event(), postgres.PostgresWriter._save_progress

    def hang(writer: Any, *arguments: Any) -> None:
        if not stands.is_set():
            stands.set()
            assert goes_on.wait(60)
        of_first(writer, *arguments)

    monkeypatch.setattr(postgres.PostgresWriter, "_save_progress", hang)
    first, second = new_pipeline(engine), new_pipeline(engine)
    with ThreadPoolExecutor(1) as thread:
        waits = thread.submit(first.process, [chunk], NOON_US)
        try:
            assert stands.wait(30)
            assert second.process([chunk], NOON_US).recorded == 50
        finally:
            goes_on.set()
        with pytest.raises(StoreUnavailableError):
            waits.result()
    assert first.process([chunk], NOON_US).recorded == 0
    assert verify(engine)["ok"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_writers_at_the_same_time_with_the_same_events_end_exact(engine: Engine, seed: int) -> None:
    """Four workers store overlapping batches (months, tenants, refusals and conflicts mixed) all at once: each event
    counts once, nobody waits for ever. A batch that lost a race is tried again, as the worker does."""
    random = Random(seed)
    sent = [
        event(
            event_id=f"e-{k}",
            tenant_id=random.choice(["a", "b", "c"]),
            user_id=random.choice([None, "u", "v"]),
            ended_at=f"2026-{random.randint(9, 11):02d}-15T12:00:00Z",
            started_at=None,
        )
        for k in range(2_000)
    ]
    bad: list[object] = [f"not JSON {k}".encode() for k in range(50)]
    watch_user(engine, "a", "u")
    start = threading.Barrier(4)

    def work(number: int) -> None:
        choose = Random(seed * 10 + number)
        writer = open_writer(engine)
        pipeline = fake_pipeline(writer, engine)
        start.wait(30)
        for _ in range(8):
            # Both partitions in any order, as after rebalances.
            chunks = [chunk_of([*choose.sample(sent, 300), *bad], partition=p) for p in choose.sample([0, 1], 2)]
            commit_until_stored(pipeline, chunks)
        writer.close()

    with ThreadPoolExecutor(4) as pool:
        for finished in [pool.submit(work, number) for number in range(4)]:
            finished.result(timeout=120)
    store(engine, chunk_of(sent, partition=2))
    assert tenant_sums(rows_in(engine)) == expected_sums(sent)
    assert_exact(rows_in(engine))


def commit_until_stored(pipeline: Pipeline, chunks: list[Any], tries: int = 20) -> int:
    """As `BatchLoop` does it; returns how many tries it took."""
    batch = pipeline.prepare(chunks, NOON_US)
    for number in range(1, tries + 1):
        try:
            pipeline.commit(batch)
        except StoreUnavailableError:
            continue
        return number
    raise AssertionError(f"not stored after {tries} tries")


@pytest.mark.parametrize("with_events", [True, False], ids=["events and refusals", "refusals only"])
def test_writers_that_take_the_same_keys_do_not_deadlock(engine: Engine, with_events: bool) -> None:
    """The same rows of every table, with the partitions in opposite orders: both store at the first try."""
    events = [event(event_id=f"e-{k}", tenant_id=f"t-{k % 40}", user_id=f"u-{k % 7}") for k in range(400)]
    start = threading.Barrier(2)

    def work(number: int) -> list[int]:
        writer = open_writer(engine)
        pipeline = fake_pipeline(writer, engine)
        tries = []
        for part in range(10):
            bad: list[object] = [f"not JSON {part} {k}".encode() for k in range(300)]
            payloads = [*events[part * 40 : part * 40 + 40], *bad] if with_events else bad
            chunks = [chunk_of(payloads, partition=p, offset=part * 400) for p in (0, 1)]
            start.wait(30)
            tries.append(commit_until_stored(pipeline, chunks[:: 1 if number else -1]))
        writer.close()
        return tries

    with ThreadPoolExecutor(2) as pool:
        results = [finished.result(timeout=120) for finished in [pool.submit(work, number) for number in (0, 1)]]
    assert results == [[1] * 10, [1] * 10]
    assert len(rows_in(engine)("quarantine")) == 6_000
    assert tenant_sums(rows_in(engine)) == (expected_sums(events) if with_events else {})
    assert_exact(rows_in(engine))


def test_a_user_watched_in_the_midst_of_batches_has_complete_totals(engine: Engine) -> None:
    stop = threading.Event()
    sent: list[dict[str, Any]] = []

    def work() -> None:
        writer = open_writer(engine)
        pipeline = fake_pipeline(writer, engine)
        for k in range(60):
            events = [event(event_id=f"e-{k}-{j}", user_id=f"u-{j % 5}") for j in range(40)]
            pipeline.process([chunk_of(events, offset=40 * k)], NOON_US)
            sent.extend(events)
            if stop.is_set() and k > 40:
                break
        writer.close()

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        for number in range(5):
            wait_until(lambda n=number: working.done() or len(sent) >= 400 * n, 60, "batches to be stored")  # type: ignore[misc]
            watch_user(engine, "acme", f"u-{number}")
        stop.set()
        working.result(timeout=120)
    assert len(rows_in(engine)("watched_user")) == 5
    assert tenant_sums(rows_in(engine)) == expected_sums(sent)
    assert_exact(rows_in(engine))


def test_new_users_of_a_file_of_budgets_hold_batches_back_once(engine: Engine) -> None:
    """One lock for all of them, with everybody's past; none for those that are watched already."""
    users = [f"u-{number}" for number in range(5)]
    store(engine, chunk_of([event(event_id=user, user_id=user) for user in users]))
    locks: list[str] = []

    @listens_for(engine, "before_cursor_execute")
    def keep_locks(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        locks.extend([statement] if statement.startswith("LOCK TABLE watched_user") else [])

    watch_users(engine, [("acme", user) for user in users])
    assert len(locks) == 1
    watch_users(engine, [("acme", user) for user in users[:3]])
    assert len(locks) == 1
    assert len(rows_in(engine)("user_slot_total")) == 5
    assert_exact(rows_in(engine))


def test_batches_commit_while_the_past_of_a_user_is_added_up(engine: Engine) -> None:
    """The scan of a large ledger's records keeps nobody waiting; what is committed meanwhile counts once."""
    store(engine, chunk_of([event(event_id=f"e-{k}", user_id="u") for k in range(3)]))
    committed: list[int] = []

    @listens_for(engine, "before_cursor_execute")
    def commit_meanwhile(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "FROM prompt_record" in statement and not committed:
            committed.append(1)
            with ThreadPoolExecutor(1) as pool:
                later = chunk_of([event(event_id=f"later-{k}", user_id="u") for k in range(4)], offset=3)
                pool.submit(store, engine, later).result(timeout=20)

    watch_user(engine, "acme", "u")
    assert committed
    assert sum(row["prompts"] for row in rows_in(engine)("user_slot_total")) == 7
    assert_exact(rows_in(engine))


def test_a_user_whose_past_was_not_added_up_to_the_end_is_begun_afresh(engine: Engine) -> None:
    """The worker died in between: nothing of the first try is left, and `verify` did not mind it meanwhile."""
    store(engine, chunk_of([event(event_id=f"e-{k}", user_id="u") for k in range(3)]))

    class DiedError(Exception):
        pass

    @listens_for(engine, "before_cursor_execute")
    def die(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("UPDATE watched_user"):
            raise DiedError

    with pytest.raises(DiedError):
        watch_user(engine, "acme", "u")
    remove_listener(engine, "before_cursor_execute", die)
    store(engine, chunk_of([event(event_id="later", user_id="u")], offset=3))
    assert verify(engine)["ok"]
    watch_user(engine, "acme", "u")
    assert sum(row["prompts"] for row in rows_in(engine)("user_slot_total")) == 4
    assert_exact(rows_in(engine))


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_after_a_restart_of_the_server_the_same_batch_is_stored(
    engine: Engine, postgres: PostgresServer, how: str
) -> None:
    """While the server is away a batch fails as unavailable; then the same writer goes on by itself."""
    writer = open_writer(engine)
    pipeline = fake_pipeline(writer, engine)
    pipeline.process([chunk_of([event()])], NOON_US)
    batch = pipeline.prepare([chunk_of([event(), event(event_id="e-2")], offset=1)], NOON_US)
    getattr(postgres, how)()
    with pytest.raises(StoreUnavailableError):
        pipeline.commit(batch)
    with pytest.raises(StoreUnavailableError):
        pipeline.prepare([chunk_of([event(tenant_id="never seen")])], NOON_US)
    postgres.start()
    assert pipeline.commit(batch).recorded == 1
    assert tenant_sums(rows_in(engine)) == expected_sums([event(), event(event_id="e-2")])
    assert_exact(rows_in(engine))
    writer.close()


def test_a_server_that_dies_within_the_transaction_leaves_nothing(engine: Engine, postgres: PostgresServer) -> None:
    """The connection is cut after the records were copied and before the commit."""
    writer = open_writer(engine)
    pipeline = fake_pipeline(writer, engine)
    batch = pipeline.prepare([chunk_of([event()])], NOON_US)
    cut = cut_connections(engine)
    original = writer._save_progress

    def cut_then_save(rows: list[dict[str, Any]], committed_at_us: int) -> None:
        cut()
        original(rows, committed_at_us)

    writer._save_progress = cut_then_save  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailableError):
        pipeline.commit(batch)
    assert rows_in(engine)("prompt_record") == []
    assert rows_in(engine)("minute_total") == []
    writer._save_progress = original  # type: ignore[method-assign]
    assert pipeline.commit(batch).recorded == 1
    assert_exact(rows_in(engine))
    writer.close()


def cut_connections(engine: Engine) -> Callable[[], None]:
    """Ends every other connection to this database, as an administrator or a fail-over does."""

    def cut() -> None:
        with engine.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )

    return cut


def test_a_partition_that_was_dropped_behind_the_writers_back_is_made_again(engine: Engine) -> None:
    writer = open_writer(engine)
    pipeline = fake_pipeline(writer, engine)
    pipeline.process([chunk_of([event()])], NOON_US)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE prompt_record_p202611"))
    assert commit_until_stored(pipeline, [chunk_of([event(event_id="e-2")])]) <= 2
    assert [row["event_id"] for row in rows_in(engine)("prompt_record")] == ["e-2"]
    writer.close()


def test_a_writer_leaves_no_connection_of_its_own_in_the_pool(engine: Engine) -> None:
    """It works in another transaction mode: whoever got its connection next would have no transactions at all."""
    for close in (True, False):
        writer = open_writer(engine)
        fake_pipeline(writer, engine).process([chunk_of([event()])], NOON_US)
        if close:
            writer.close()
        del writer
        gc.collect()
        connections = [engine.connect() for _ in range(4)]
        modes = {connection.connection.driver_connection.autocommit for connection in connections}  # type: ignore[union-attr]
        for connection in connections:
            connection.close()
        assert modes == {False}


def test_a_new_pipeline_on_a_full_store_goes_on(engine: Engine) -> None:
    store(engine, chunk_of([event()]))
    assert new_pipeline(engine).process([chunk_of([event(event_id="e-2")])], NOON_US).recorded == 1


def test_an_event_is_found_by_its_id_without_reading_all_records(engine: Engine) -> None:
    """`explain` asks the view for an event id; the planner can answer from the index of every partition."""
    store(engine, chunk_of([event()]))
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plan = connection.exec_driver_sql("EXPLAIN SELECT * FROM prompt_emission WHERE event_id = 'e-1'").scalars()
        assert "Bitmap Index Scan on prompt_record_p" in "\n".join(plan)
