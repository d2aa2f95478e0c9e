"""Partitions come and go while others read and write: nobody waits, and nothing is left half done."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from rice_stream.instants import epoch_us
from rice_stream.store import partition_ddl, postgres
from rice_stream.store.engine import StoreUnavailableError, open_engine
from rice_stream.store.event_key_columns import key_floor
from rice_stream.store.lock_waits import limit_statement
from rice_stream.store.partition_ddl import (
    detach_and_drop,
    drop_partitions_before,
    make_partitions,
    make_partitions_ahead,
)
from rice_stream.store.partitions import month_number, month_of, partition_name, partitions_there
from tests.support.databases import Databases, partitions
from tests.support.fakes import NOON_US, chunk_of, event
from tests.support.store_checks import assert_exact, expected_sums, rows_in, tenant_sums
from tests.support.store_running import new_pipeline, store
from tests.support.waiting import wait_until

OCTOBER = event(event_id="october", ended_at="2026-10-31T23:59:59Z", started_at=None)
NOVEMBER = event(event_id="november", ended_at="2026-11-01T00:00:00Z", started_at=None)
NOVEMBER_US = epoch_us(datetime(2026, 11, 1, tzinfo=UTC))


@pytest.fixture
def engine(postgresql: Databases) -> Iterator[Engine]:
    """Without data, and without partitions."""
    engine = open_engine(postgresql.migrated())
    yield engine
    engine.dispose()


@pytest.fixture(params=["SELECT count(*) FROM prompt_emission", "SELECT count(*) FROM prompt_record", "LOCK TABLE"])
def reader(engine: Engine, request: pytest.FixtureRequest) -> Iterator[Connection]:
    """Somebody whose transaction has read the records and goes on, as that of pg_dump does."""
    store(engine, chunk_of([OCTOBER]))
    with engine.connect() as connection:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        if request.param == "LOCK TABLE":
            connection.execute(text("LOCK TABLE prompt_record IN ACCESS SHARE MODE"))
        else:
            connection.execute(text(request.param))
        yield connection


def test_a_new_month_begins_while_somebody_reads(engine: Engine, reader: Connection) -> None:
    """At midnight of the 1st, with a reader that stays: the month's partition is made, its events and late ones of the month
    before are stored by two workers, and a report is answered."""
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(store, engine, chunk_of([NOVEMBER]))
        second = pool.submit(store, engine, chunk_of([{**OCTOBER, "event_id": "late"}], partition=1))
        assert (first.result(timeout=20).recorded, second.result(timeout=20).recorded) == (1, 1)
    assert events_in(engine, "prompt_emission") == ["late", "november", "october"]
    assert partitions(engine) == ["prompt_record_p202610", "prompt_record_p202611"]


def test_a_partition_that_was_attached_is_like_one_that_was_made_as_such(engine: Engine) -> None:
    """Columns, key and the index by event ids, all of them the parent's."""
    store(engine, chunk_of([NOVEMBER]))
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TABLE prompt_record_p202501 PARTITION OF prompt_record"
                " FOR VALUES FROM ('019418e4-0000-0000-0000-000000000000') TO ('0194a000-0000-0000-0000-000000000000')"
            )
        )
        shapes = [
            connection.execute(
                text(
                    "SELECT a.attname, a.atttypid, a.attnotnull, a.attstorage FROM pg_attribute a"
                    " WHERE a.attrelid = CAST(:name AS regclass) AND a.attnum > 0 ORDER BY a.attnum"
                ),
                {"name": name},
            ).all()
            for name in ("prompt_record_p202611", "prompt_record_p202501")
        ]
        assert shapes[0] == shapes[1]
        indexes = [
            connection.execute(
                text(
                    "SELECT replace(pg_get_indexdef(i.indexrelid), :name, ''), i.indisprimary, n.inhparent FROM pg_index i"
                    " LEFT JOIN pg_inherits n ON n.inhrelid = i.indexrelid WHERE i.indrelid = CAST(:name AS regclass)"
                    " ORDER BY 1"
                ),
                {"name": name},
            ).all()
            for name in ("prompt_record_p202611", "prompt_record_p202501")
        ]
    assert indexes[0] == indexes[1]
    assert len(indexes[0]) == 2
    assert all(parent is not None for *_, parent in indexes[0])


def test_partitions_are_made_ahead_once_however_many_workers_begin_at_once(engine: Engine) -> None:
    with ThreadPoolExecutor(4) as pool:
        for made in [pool.submit(make_partitions_ahead, engine) for _ in range(4)]:
            made.result(timeout=60)
    this_month = month_of(datetime.now(UTC))
    assert partitions(engine) == [partition_name(this_month + ahead) for ahead in range(3)]


def test_partitions_ahead_are_those_of_the_databases_months_beside_a_reader(engine: Engine, reader: Connection) -> None:
    make_partitions_ahead(engine)
    this_month = month_of(datetime.now(UTC))
    assert {partition_name(this_month + ahead) for ahead in range(3)} <= set(partitions(engine))


def test_any_times_of_the_past_make_one_more_partition_and_few_locks(engine: Engine) -> None:
    """One record with an event in every month from 2000 on: looking an event up by its id stays a small query."""
    months = [f"{year}-{month:02d}" for year in range(2000, 2023) for month in range(1, 13)]
    events = [event(event_id=month, ended_at=f"{month}-15T00:00:00Z", started_at=None) for month in months]
    assert store(engine, chunk_of([events, NOVEMBER])).recorded == len(months) + 1
    assert partitions(engine) == ["prompt_record_before_20230101", "prompt_record_p202611"]
    with engine.connect() as connection:
        connection.execute(text("SELECT * FROM prompt_emission WHERE event_id = 'november'"))
        held = connection.scalar(text("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()"))
    assert held is not None
    assert held < 40
    assert_exact(rows_in(engine))


def test_monthly_partitions_of_an_earlier_version_go_on(engine: Engine) -> None:
    """Before 2023 too: what lies between them and after them gets a partition for the whole gap."""
    make_partitions(engine, [month_number(2026, 11)])
    low, high = (key_floor(epoch_us(datetime(2019, month, 1, tzinfo=UTC)) // 1000) for month in (5, 6))
    with engine.begin() as connection:
        bounds = f"FOR VALUES FROM ('{low}') TO ('{high}')"
        connection.execute(text(f"CREATE TABLE prompt_record_p201905 PARTITION OF prompt_record {bounds}"))
    days = ["2019-05-01", "2019-05-31", "2019-04-30", "2019-06-01", "2022-12-31", "2023-01-01"]
    store(engine, chunk_of([event(event_id=day, ended_at=f"{day}T12:00:00Z", started_at=None) for day in days]))
    assert partitions(engine) == [
        "prompt_record_before_20190501",
        "prompt_record_before_20230101",
        "prompt_record_p201905",
        "prompt_record_p202301",
        "prompt_record_p202611",
    ]
    assert drop_partitions_before(engine, NOVEMBER_US) == 4
    assert partitions(engine) == ["prompt_record_p202611"]


def test_a_batch_waits_for_a_lock_in_bounded_time_and_is_stored_later(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert limit_statement() in postgres._BEGIN
    monkeypatch.setattr(postgres, "_BEGIN", postgres._BEGIN.replace(limit_statement(), limit_statement(0.2)))
    pipeline = new_pipeline(engine)
    batch = pipeline.prepare([chunk_of([NOVEMBER])], NOON_US)
    with engine.connect() as connection:
        connection.execute(text("LOCK TABLE watched_user IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(StoreUnavailableError, match="lock timeout"):
            pipeline.commit(batch)
    assert pipeline.commit(batch).recorded == 1


def test_months_before_the_given_one_are_never_made(engine: Engine) -> None:
    make_partitions(engine, [month_number(2026, 1), month_number(2026, 2)], from_month=month_number(2026, 2))
    assert partitions(engine) == ["prompt_record_p202602"]


def test_who_holds_the_table_for_a_change_of_his_own_makes_a_new_month_fail_in_bounded_time(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the same batch is stored once that has ended: a lock that is not given in time may be tried again."""
    monkeypatch.setattr(partition_ddl, "DDL_LOCK_WAIT_S", 0.1)
    monkeypatch.setattr(partition_ddl, "_PAUSE_S", 0.01)
    store(engine, chunk_of([OCTOBER]))
    pipeline = new_pipeline(engine)
    batch = pipeline.prepare([chunk_of([NOVEMBER])], NOON_US)
    with engine.connect() as connection:
        connection.execute(text("LOCK TABLE prompt_record IN SHARE UPDATE EXCLUSIVE MODE"))  # as ANALYZE does
        with pytest.raises(StoreUnavailableError, match="lock timeout"):
            pipeline.commit(batch)
        assert store(engine, chunk_of([{**OCTOBER, "event_id": "late"}], partition=1)).recorded == 1
    assert pipeline.commit(batch).recorded == 1
    assert_exact(rows_in(engine))


def test_a_table_of_that_name_that_is_no_partition_is_named(engine: Engine) -> None:
    """Somebody has detached a month to keep it: it is neither overwritten nor attached behind his back."""
    store(engine, chunk_of([OCTOBER]))
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE prompt_record DETACH PARTITION prompt_record_p202610"))
    with pytest.raises(StoreUnavailableError, match="the table prompt_record_p202610 is there and is no partition"):
        store(engine, chunk_of([{**OCTOBER, "event_id": "late"}]))
    assert drop_partitions_before(engine, NOVEMBER_US) == 0
    assert events_in(engine, "prompt_record_p202610") == ["october"]


def test_partitions_before_a_horizon_go_and_nothing_else(engine: Engine) -> None:
    store(engine, chunk_of([OCTOBER, NOVEMBER]))
    assert drop_partitions_before(engine, NOVEMBER_US) == 1
    assert partitions(engine) == ["prompt_record_p202611"]
    assert drop_partitions_before(engine, NOVEMBER_US) == 0


def test_of_the_time_before_the_months_only_what_is_older_goes(engine: Engine) -> None:
    """One partition holds all of that time; what a horizon within it leaves is kept."""
    old = [event(event_id=str(year), ended_at=f"{year}-06-01T00:00:00Z", started_at=None) for year in (2005, 2021)]
    store(engine, chunk_of([*old, NOVEMBER]))
    assert partitions(engine) == ["prompt_record_before_20230101", "prompt_record_p202611"]
    assert drop_partitions_before(engine, epoch_us(datetime(2021, 1, 1, tzinfo=UTC))) == 0
    assert {row["event_id"] for row in rows_in(engine)("prompt_record")} == {"2021", "november"}
    assert drop_partitions_before(engine, epoch_us(datetime(2023, 1, 1, tzinfo=UTC))) == 1
    assert partitions(engine) == ["prompt_record_p202611"]


def test_dropping_waits_for_a_reader_and_holds_nobody_up(
    engine: Engine, reader: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it waits, batches of both months and reports go on; it gives up in bounded time, says who reads, and the next try
    finishes what it began."""
    monkeypatch.setattr(partition_ddl, "DETACH_WAIT_S", 3)
    store(engine, chunk_of([NOVEMBER]))
    with ThreadPoolExecutor(2) as pool:
        dropping = pool.submit(drop_partitions_before, engine, NOVEMBER_US)
        wait_until(lambda: dropping.done() or is_pending(engine), 20, "the partition to be half detached")
        assert not dropping.done()
        writing = pool.submit(store, engine, chunk_of([{**NOVEMBER, "event_id": "e-2"}, NOVEMBER], partition=1))
        assert writing.result(timeout=60).recorded == 1
        assert events_in(engine, "prompt_emission") == ["e-2", "november"]
        assert not dropping.done()
        with pytest.raises(StoreUnavailableError, match=r"prompt_record_p202610 is not dropped yet.*pid \d+"):
            dropping.result(timeout=30)
    assert store(engine, chunk_of([{**NOVEMBER, "event_id": "e-3"}], partition=2)).recorded == 1
    reader.rollback()
    assert drop_partitions_before(engine, NOVEMBER_US) == 1
    assert partitions(engine) == ["prompt_record_p202611"]
    assert tenant_sums(rows_in(engine)) == expected_sums(
        [OCTOBER, NOVEMBER, {**NOVEMBER, "event_id": "e-2"}, {**NOVEMBER, "event_id": "e-3"}]
    )


def events_in(engine: Engine, table: str) -> list[str]:
    """The ids of the events in a table or view."""
    with engine.connect() as connection:
        return sorted(connection.execute(text(f"SELECT event_id FROM {table}")).scalars())


def is_pending(engine: Engine) -> bool:
    """Whether a partition is half detached."""
    with engine.connect() as connection:
        return any(partition.is_being_detached for partition in partitions_there(connection))


def test_a_crash_between_detaching_and_dropping_is_finished_by_the_next_try(engine: Engine) -> None:
    store(engine, chunk_of([OCTOBER, NOVEMBER]))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        partition_ddl._detach(connection, "prompt_record_p202610")
    assert drop_partitions_before(engine, NOVEMBER_US) == 1
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT to_regclass('prompt_record_p202610')")) is None


def test_two_workers_that_drop_at_once_do_it_once(engine: Engine) -> None:
    """One of them drops, or both in turn; the other's detaching is never finished behind its back."""
    months = [f"2026-{month:02d}-15T00:00:00Z" for month in range(1, 11)]
    store(engine, chunk_of([*(event(event_id=at, ended_at=at, started_at=None) for at in months), NOVEMBER]))
    with ThreadPoolExecutor(3) as pool:
        dropped = [pool.submit(drop_partitions_before, engine, NOVEMBER_US) for _ in range(3)]
        assert sum(one.result(timeout=120) for one in dropped) == 10
    assert partitions(engine) == ["prompt_record_p202611"]


def test_a_month_that_somebody_else_has_half_detached_is_named(engine: Engine) -> None:
    """A batch with records of it says what to do; others go on."""
    store(engine, chunk_of([OCTOBER, NOVEMBER]))
    with engine.connect() as reading, engine.connect() as other:
        reading.execute(text("SELECT count(*) FROM prompt_record"))
        other = other.execution_options(isolation_level="AUTOCOMMIT")
        other.execute(text("SET lock_timeout = '100ms'"))
        with pytest.raises(OperationalError, match="lock timeout"):
            other.execute(text("ALTER TABLE prompt_record DETACH PARTITION prompt_record_p202610 CONCURRENTLY"))
    with pytest.raises(StoreUnavailableError, match=r"prompt_record_p202610 is half detached .* FINALIZE"):
        store(engine, chunk_of([{**OCTOBER, "event_id": "late"}]))
    assert store(engine, chunk_of([{**NOVEMBER, "event_id": "e-2"}])).recorded == 1


def test_a_table_of_others_is_never_dropped(engine: Engine) -> None:
    with pytest.raises(AssertionError, match="watched_user is no partition"):
        detach_and_drop(engine, "watched_user")


def test_the_filters_of_a_new_month_are_made_once_its_pages_are_full(engine: Engine) -> None:
    """Before, each record of the first pages would go into their filter by itself."""
    make_partitions(engine, [month_number(2026, 11)])
    store(engine, chunk_of([NOVEMBER]))
    made = text("SELECT brin_summarize_new_values('prompt_record_p202611_event_id_idx')")
    with engine.begin() as connection:
        assert connection.scalar(made) == 1, "of the first pages there was none"
        assert connection.scalar(made) == 0
        found = connection.execute(text("SELECT event_id FROM prompt_record WHERE event_id = 'november'")).scalars()
        assert list(found) == ["november"]
