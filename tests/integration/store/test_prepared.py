"""Statements that PostgreSQL plans once: only where the session is the connection's own, and each scope sees its rows alone."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url, text

from rice_stream.reports.one_moment import one_moment
from rice_stream.sandbox.stack.postgres import PostgresServer
from rice_stream.store.engine import Connection, StoreUnavailableError, open_engine, reading, writing
from rice_stream.store.prepared import prepare_statements, rows_of, run_plain, statement
from rice_stream.store.scope import EVERYTHING, Scope
from rice_stream.store.scoped import confined, scoped_reading, scoped_writing, see_everything
from rice_stream.store.snapshot import snapshot
from tests.support.databases import Databases
from tests.support.pgbouncer import PgBouncer
from tests.support.reports_store import open_store
from tests.support.three_tenants import TENANTS, fill

_ASKED = "SELECT COUNT(DISTINCT tenant_key) FROM prompt_record WHERE ended_at_us > :since_us"
_TIMES = 8


@contextmanager
def prepared(url: str) -> Iterator[Engine]:
    """The API's engine, with one connection."""
    engine = open_engine(url, connections=1)
    prepare_statements(engine)
    yield confined(engine)
    engine.dispose()


@pytest.fixture
def filled(postgresql: Databases) -> str:
    """A database with prompts of three tenants."""
    url = postgresql.migrated()
    with open_store(url) as store:
        fill(store)
    return url


def _tenants_seen(engine: Engine, scope: Scope) -> int:
    with scoped_reading(engine, scope) as connection:
        return int(connection.scalar(text(_ASKED), {"since_us": 0}) or 0)


def test_a_plan_that_is_kept_shows_every_scope_its_own_rows(filled: str) -> None:
    """One connection, one prepared statement, asked by callers of different scopes in turns; and planned once."""
    scopes = {EVERYTHING: len(TENANTS), Scope(frozenset(TENANTS[:1])): 1, Scope(frozenset({"nobody's"})): 0}
    with prepared(filled) as engine:
        for _ in range(_TIMES):
            assert {scope: _tenants_seen(engine, scope) for scope in scopes} == scopes
        with scoped_reading(engine, EVERYTHING) as connection:
            plans = text(
                "SELECT generic_plans, custom_plans FROM pg_prepared_statements"
                " WHERE statement LIKE '%DISTINCT%' AND statement NOT LIKE '%pg_prepared%'"
            )
            generic, custom = connection.execute(plans).one()
            assert (generic > _TIMES, custom) == (True, 0)


def test_what_the_driver_sends_itself_fails_as_what_sqlalchemy_sends(filled: str) -> None:
    """Values come back as they are; a statement that takes too long, or a connection that is gone, costs one question only."""
    echo = "SELECT :one + 1, CAST(:name AS text), :one, pg_backend_pid()"

    def session(engine: Engine) -> int:
        with scoped_reading(engine, EVERYTHING) as connection:
            ((*values, pid),) = rows_of(connection, statement(echo), {"name": "a:b'", "one": 41})
            assert values == [42, "a:b'", 41]
            return int(pid)

    def run(engine: Engine, before: Callable[[int], None], statements: str) -> None:
        with scoped_reading(engine, EVERYTHING) as connection:
            ((pid,),) = rows_of(connection, statement("SELECT pg_backend_pid()"), {})
            before(pid)
            run_plain(connection, statements)

    def end(pid: int) -> None:
        base = open_engine(filled)
        with writing(base) as connection:
            connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        base.dispose()

    with prepared(filled) as engine:
        first = session(engine)
        assert {session(engine) for _ in range(_TIMES)} == {first}
        with pytest.raises(StoreUnavailableError):
            run(engine, lambda _: None, "SET LOCAL statement_timeout = 50; SELECT pg_sleep(5)")
        assert session(engine) == first
        with pytest.raises(StoreUnavailableError):
            run(engine, end, "SELECT 1")
        assert session(engine) != first


def test_nothing_is_prepared_through_a_pooler(filled: str, shared_directory: Path, postgres: PostgresServer) -> None:
    """The session is another one with the next transaction: what was prepared would not be there."""
    database = make_url(filled).database
    assert database is not None
    with (
        PgBouncer(shared_directory / "prepared", postgres, sessions=2) as pooler,
        prepared(pooler.url(database)) as engine,
    ):
        assert {_tenants_seen(engine, EVERYTHING) for _ in range(_TIMES)} == {len(TENANTS)}
        with scoped_reading(engine, EVERYTHING) as connection:
            assert connection.connection.driver_connection.prepare_threshold is None  # type: ignore[union-attr]


def test_what_leaves_the_scope_or_begins_a_moment_is_never_prepared(filled: str) -> None:
    """PostgreSQL prepares no two statements at once: whoever signs in or changes something leaves the scope for the audit trail,
    and a moment of an engine without the role begins with several."""
    with prepared(filled) as engine:
        one = Scope(frozenset({TENANTS[0]}))
        for _ in range(_TIMES):
            with scoped_writing(engine, one) as connection:
                see_everything(connection)
                assert connection.scalar(text(_ASKED), {"since_us": 0}) == len(TENANTS)
    base = open_engine(filled, connections=1)
    prepare_statements(base)
    for _ in range(_TIMES):
        with snapshot(confined(base, role=None), EVERYTHING) as connection:
            assert connection.scalar(text(_ASKED), {"since_us": 0}) == len(TENANTS)
    base.dispose()


def test_the_driver_begins_transactions_again_for_others(filled: str) -> None:
    """Confined transactions begin themselves; whoever takes the connection next gets one of the driver's."""
    base = open_engine(filled, connections=1)
    assert _tenants_seen(confined(base), EVERYTHING) == len(TENANTS)
    with reading(base) as connection:
        connection.execute(text("CREATE TABLE left_behind (a int)"))
        connection.rollback()
        assert connection.scalar(text("SELECT to_regclass('left_behind')")) is None
    base.dispose()


def test_reports_of_one_moment_see_the_same_commits(either_database: Databases) -> None:
    """Whatever is committed between them; those of another scope are not among them."""
    scope, other = Scope(frozenset({"acme"})), EVERYTHING
    with open_store(either_database.migrated()) as store:
        engine = confined(store.engine)

        def counted(how: Callable[[Engine, Scope], AbstractContextManager[Connection]], seen: Scope) -> int:
            with how(engine, seen) as connection:
                return int(connection.scalar(text("SELECT COUNT(*) FROM month_start")) or 0)

        with one_moment(engine, scope):
            before = counted(scoped_reading, scope)
            with writing(store.engine) as connection:
                connection.execute(text("INSERT INTO month_start (time_zone, month_start_s) VALUES ('Nowhere', 0)"))
            assert [counted(how, scope) for how in (scoped_reading, snapshot)] == [before, before]
            assert counted(scoped_reading, other) == before + 1
        assert counted(snapshot, scope) == before + 1
