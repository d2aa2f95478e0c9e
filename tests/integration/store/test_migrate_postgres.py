"""Migrating a PostgreSQL that others use: readers with grants, views on top of ours, long transactions, workers."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, inspect, text

from rice_stream.errors import UsageError
from rice_stream.store import migrate as migrating
from rice_stream.store.calendars import set_time_zone
from rice_stream.store.dimensions import lock_keys
from rice_stream.store.engine import StoreUnavailableError, open_engine
from rice_stream.store.migrate import migrate
from rice_stream.store.revisions import SchemaChangedError, current_revision, head_revision
from tests.support.databases import Databases
from tests.support.fakes import NOON_US, OPERATOR, chunk_of, event
from tests.support.store_checks import rows_in
from tests.support.store_running import new_pipeline
from tests.support.waiting import wait_until


@pytest.fixture
def engine(postgresql: Databases) -> Iterator[Engine]:
    """A migrated database of its own."""
    engine = open_engine(postgresql.migrated())
    yield engine
    engine.dispose()


@pytest.fixture
def empty(postgresql: Databases) -> Iterator[Engine]:
    """A database in which nothing is."""
    engine = open_engine(postgresql.empty())
    yield engine
    engine.dispose()


@pytest.fixture
def reader(engine: Engine) -> Iterator[str]:
    """A role of somebody's BI tool, without any privileges."""
    name = f"bi_{secrets.token_hex(4)}"
    run(engine, f"CREATE ROLE {name}")
    yield name
    run(engine, f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")


def run(engine: Engine, *statements: str) -> None:
    """In one transaction."""
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def may(engine: Engine, role: str, privilege: str, view: str, column: str | None = None) -> bool:
    """Whether a role has a privilege on a view, or on one of its columns."""
    function, what = ("has_column_privilege", ":view, :column") if column else ("has_table_privilege", ":view")
    query = text(f"SELECT {function}(:role, {what}, :privilege)")
    with engine.connect() as connection:
        values = {"role": role, "view": view, "privilege": privilege} | ({"column": column} if column else {})
        return bool(connection.scalar(query, values))


def waiting_for_a_lock(engine: Engine) -> bool:
    """Whether anybody in this database waits for a lock."""
    query = (
        "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE NOT l.granted AND a.datname = current_database()"
    )
    with engine.connect() as connection:
        return bool(connection.scalar(text(query)))


def test_grants_outlive_a_migration_with_nothing_to_do(engine: Engine, reader: str) -> None:
    run(engine, f"GRANT SELECT ON prompt_emission, rolling_totals TO {reader}")
    assert migrate(engine) == (head_revision(), head_revision())
    assert may(engine, reader, "SELECT", "prompt_emission")
    assert may(engine, reader, "SELECT", "rolling_totals")


def test_grants_outlive_a_change_that_only_adds_columns(engine: Engine, reader: str) -> None:
    run(
        engine,
        "DROP VIEW hourly_totals",
        "CREATE VIEW hourly_totals AS SELECT tenant_id FROM tenant",
        f"GRANT SELECT ON hourly_totals TO {reader}",
    )
    migrate(engine)
    assert may(engine, reader, "SELECT", "hourly_totals", "facility_energy_wh")


@pytest.mark.parametrize("how", ["another column", "a table that a step drops"])
def test_owner_and_grants_are_given_back_to_a_view_that_had_to_be_dropped(
    engine: Engine, reader: str, how: str
) -> None:
    """Those on columns too, as far as there are such columns still; and what was taken from a role stays taken."""
    other = f"{reader}_other"
    from_table = "tenant"
    if how == "a table that a step drops":
        migrate(engine, "0003")
        from_table = "user_slot_total"
    run(
        engine,
        f"CREATE ROLE {other}",
        "DROP VIEW IF EXISTS hourly_totals",
        f"CREATE VIEW hourly_totals AS SELECT tenant_key AS gone, tenant_key AS prompts FROM {from_table}",
        f"GRANT CREATE ON SCHEMA public TO {reader}",
        f"ALTER VIEW hourly_totals OWNER TO {reader}",
        f"GRANT SELECT ON hourly_totals TO {other} WITH GRANT OPTION",
        "GRANT SELECT (prompts, gone) ON hourly_totals TO PUBLIC",
        f"ALTER DEFAULT PRIVILEGES GRANT DELETE ON TABLES TO {other}",
    )
    try:
        migrate(engine)
        assert "gone" not in {column["name"] for column in inspect(engine).get_columns("hourly_totals")}
        with engine.connect() as connection:
            query = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'hourly_totals'"
            assert connection.scalar(text(query)) == reader
        assert may(engine, other, "SELECT WITH GRANT OPTION", "hourly_totals")
        assert not may(engine, other, "DELETE", "hourly_totals")
        assert may(engine, "public", "SELECT", "hourly_totals", "prompts")
        assert not may(engine, "public", "SELECT", "hourly_totals", "tenant_id")
    finally:
        run(engine, f"DROP OWNED BY {other} CASCADE", f"DROP ROLE {other}")


@pytest.mark.parametrize("kind", ["VIEW", "MATERIALIZED VIEW"])
def test_a_view_on_top_that_is_in_the_way_is_named_and_nothing_is_done(engine: Engine, kind: str) -> None:
    run(
        engine,
        "DROP VIEW hourly_totals",
        "CREATE VIEW hourly_totals AS SELECT tenant_key AS gone FROM tenant",
        f"CREATE {kind} theirs AS SELECT gone FROM hourly_totals",
    )
    with pytest.raises(UsageError, match="view theirs depends on view hourly_totals"):
        migrate(engine)
    assert [column["name"] for column in inspect(engine).get_columns("hourly_totals")] == ["gone"]


def test_a_view_on_top_is_named_when_one_goes_back_to_an_older_schema(engine: Engine) -> None:
    run(engine, "CREATE VIEW theirs AS SELECT prompts FROM rolling_totals")
    with pytest.raises(UsageError, match="view theirs depends on view rolling_totals"):
        migrate(engine, "0003")
    assert current_revision(engine) == head_revision()
    run(engine, "SELECT prompts FROM theirs")


@pytest.mark.parametrize("on", ["user_slot_total", "hourly_totals"])
def test_a_view_on_what_a_step_drops_is_named_and_nothing_is_done(engine: Engine, on: str) -> None:
    """On a table of ours, or on a view of ours that reads it."""
    migrate(engine, "0003")
    run(engine, "CREATE VIEW hourly_totals AS SELECT tenant_key FROM user_slot_total")
    run(engine, f"CREATE VIEW theirs AS SELECT tenant_key FROM {on}")
    with pytest.raises(UsageError, match="view theirs depends on"):
        migrate(engine)
    assert current_revision(engine) == "0003"
    run(engine, "SELECT tenant_key FROM theirs")


def test_two_that_migrate_an_empty_database_at_once_both_succeed(empty: Engine) -> None:
    """As when several containers start: one does the work, the other finds it done."""
    with ThreadPoolExecutor(2) as pool:
        results = [done.result(timeout=120) for done in [pool.submit(migrate, empty) for _ in range(2)]]
    assert sorted(results, key=str) == [(head_revision(), head_revision()), (None, head_revision())]


def test_a_long_reader_makes_a_step_give_up_and_nothing_is_done(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody else would wait behind the step for as long as the reader reads."""
    monkeypatch.setattr(migrating, "LOCK_TIMEOUT_S", 1)
    with engine.connect() as connection:
        connection.execute(text("SELECT count(*) FROM user_slot_total"))
        with pytest.raises(StoreUnavailableError, match=r"nothing was changed: end what holds it \(pid \d+ \("):
            migrate(engine, "0003")
    assert current_revision(engine) == head_revision()
    run(engine, "SELECT prompts FROM rolling_totals")


def test_a_step_waits_for_the_batch_in_flight(engine: Engine) -> None:
    """What it stores is in the totals that the step makes."""
    migrate(engine, "0003")
    zeros = ", ".join("0" for _ in range(10))  # as many amounts as there were
    with ThreadPoolExecutor(1) as pool, engine.connect() as connection:
        connection.execute(text("LOCK TABLE watched_user IN ROW SHARE MODE"))  # as a batch begins
        connection.execute(text(f"INSERT INTO minute_total VALUES (1, 86400, 7, {zeros})"))
        migrated = pool.submit(migrate, engine)
        wait_until(lambda: migrated.done() or waiting_for_a_lock(engine), 60, "the migration to wait or to end")
        connection.commit()
        migrated.result(timeout=120)
    assert [row["prompts"] for row in rows_in(engine)("tenant_day_total")] == [7]


def test_a_server_that_is_too_old_is_refused_before_anything_is_done(
    empty: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with empty.connect():
        monkeypatch.setattr(empty.dialect, "server_version_info", (13, 22))
    with pytest.raises(UsageError, match=r"^PostgreSQL 13\.22 is too old: use 14 or newer"):
        migrate(empty)
    assert inspect(empty).get_table_names() == []
    monkeypatch.setattr(empty.dialect, "server_version_info", (14, 0))
    assert migrate(empty).to_revision == head_revision()


def test_a_tenant_is_set_while_a_worker_learns_another(engine: Engine) -> None:
    """Each gets a key of its own: both take the lock under which keys are given out."""
    with ThreadPoolExecutor(1) as pool, engine.connect() as connection:
        lock_keys(connection)
        connection.execute(text("INSERT INTO tenant (tenant_key, tenant_id) VALUES (1, 'learnt')"))
        setting = pool.submit(set_time_zone, engine, "set", "Asia/Kolkata", OPERATOR)
        wait_until(lambda: setting.done() or waiting_for_a_lock(engine), 60, "the setting to wait or to end")
        connection.commit()
        setting.result(timeout=60)
    keys = [(row["tenant_key"], row["tenant_id"], row["time_zone"]) for row in rows_in(engine)("tenant")]
    assert sorted(keys) == [(1, "learnt", "UTC"), (2, "set", "Asia/Kolkata")]


def test_a_batch_that_waited_for_a_step_is_not_stored_on_the_new_schema(engine: Engine) -> None:
    """It had begun on the old one; the step adds up what was there, and the batch is not, so that a newer worker stores it."""
    pipeline = new_pipeline(engine)
    pipeline.process([chunk_of([event()])], NOON_US)
    with ThreadPoolExecutor(1) as pool, engine.connect() as step:
        step.execute(text("LOCK TABLE watched_user IN EXCLUSIVE MODE"))  # as a migration begins
        batch = pool.submit(pipeline.process, [chunk_of([event(event_id="e-2")], offset=1)], NOON_US)
        wait_until(lambda: batch.done() or waiting_for_a_lock(engine), 60, "the batch to wait or to end")
        step.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        step.commit()
        with pytest.raises(SchemaChangedError):
            batch.result(timeout=120)
    assert [row["prompts"] for row in rows_in(engine)("minute_total")] == [1]


def test_a_worker_that_hangs_while_it_learns_names_makes_it_give_up(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process keeps its locks; nothing waits for it without an end."""
    monkeypatch.setattr(migrating, "LOCK_TIMEOUT_S", 1)
    with engine.connect() as worker:
        lock_keys(worker)
        with pytest.raises(StoreUnavailableError, match="nothing was changed"):
            migrate(engine)
