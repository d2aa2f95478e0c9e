"""Questions asked ahead on PostgreSQL: answered as if asked alone, whatever else the connection is asked, and whatever fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from rice_stream.reports.begun_moment import begin_moment
from rice_stream.reports.one_moment import one_moment
from rice_stream.reports.signs import signs
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.reports.totals_together import look_ahead
from rice_stream.store.asked_ahead import rows_later
from rice_stream.store.engine import Connection, StoreUnavailableError, open_engine
from rice_stream.store.pipelines import is_within
from rice_stream.store.prepared import prepare_statements, rows_of, run_plain, statement
from rice_stream.store.scope import EVERYTHING, Scope
from rice_stream.store.scoped import confined, find_later, found_once, is_found, scoped_reading
from tests.support.databases import Databases
from tests.support.reports_store import NOON, open_store
from tests.support.three_tenants import TENANTS, fill

_ECHO = statement("SELECT CAST(:said AS text), pg_backend_pid()")
_SLOW = statement("SELECT CAST(:said AS text), pg_sleep(0.3)")
_TIMES = 4


@pytest.fixture
def engine(postgresql: Databases) -> Iterator[Engine]:
    """The API's, with one connection."""
    engine = open_engine(postgresql.migrated(), connections=1)
    prepare_statements(engine)
    yield confined(engine)
    engine.dispose()


@contextmanager
def _moment(engine: Engine) -> Iterator[Connection]:
    with one_moment(engine, EVERYTHING), scoped_reading(engine, EVERYTHING) as connection:
        yield connection


def _said(connection: Connection) -> str:
    return str(rows_of(connection, _ECHO, {"said": "now"})[0][0])


def test_answers_come_in_any_order_and_once_each(engine: Engine) -> None:
    """Also those that nobody waits for; and the connection goes back as it was."""
    for _ in range(_TIMES):
        with _moment(engine) as connection:
            later = {said: rows_later(connection, _ECHO, {"said": said}) for said in "abcd"}
            assert is_within(connection)
            assert [later[said]()[0][0] for said in "cab"] == ["c", "a", "b"]
            assert _said(connection) == "now"
        with scoped_reading(engine, EVERYTHING) as connection:
            assert not is_within(connection)
            assert _said(connection) == "now"


def test_an_answer_is_not_kept_waiting_by_those_after_it(engine: Engine) -> None:
    """The first is there while PostgreSQL still works on the second."""
    with _moment(engine) as connection:
        first, second = (rows_later(connection, asked, {"said": "it"}) for asked in (_ECHO, _SLOW))
        assert first()[0][0] == "it"
        assert connection.connection.driver_connection.pgconn.is_busy()  # type: ignore[union-attr]
        assert second()[0][0] == "it"


def test_what_sqlalchemy_or_several_statements_ask_in_between_is_answered_as_ever(engine: Engine) -> None:
    with _moment(engine) as connection:
        before = rows_later(connection, _ECHO, {"said": "before"})
        assert connection.scalar(text("SELECT 7")) == 7
        run_plain(connection, "SET LOCAL work_mem = '8MB'; SELECT 1")
        after = rows_later(connection, _ECHO, {"said": "after"})
        assert (after()[0][0], before()[0][0]) == ("after", "before")


@pytest.mark.parametrize("waits", [True, False])
def test_one_that_fails_is_the_database_not_answering(engine: Engine, *, waits: bool) -> None:
    """Whether or not anybody waits for it: the transaction has failed. The next one is none the worse."""
    with pytest.raises(StoreUnavailableError), _moment(engine) as connection:  # noqa: PT012
        run_plain(connection, "SET LOCAL statement_timeout = 50")
        slow = rows_later(connection, _SLOW, {"said": "slow"})
        rows_later(connection, _ECHO, {"said": "after it"})
        if waits:
            slow()
    with _moment(engine) as connection:
        assert rows_later(connection, _ECHO, {"said": "again"})()[0][0] == "again"


def test_an_error_of_the_page_itself_is_what_is_raised(engine: Engine) -> None:
    """Answers that are still to come hide nothing, and harm no later transaction."""
    with pytest.raises(KeyError), _moment(engine) as connection:  # noqa: PT012
        rows_later(connection, _ECHO, {"said": "unread"})
        raise KeyError
    with _moment(engine) as connection:
        assert _said(connection) == "now"


def test_outside_of_a_moment_it_is_asked_at_once(engine: Engine) -> None:
    """A connection that goes back has nothing to come."""
    with scoped_reading(engine, EVERYTHING) as connection:
        later = rows_later(connection, _ECHO, {"said": "at once"})
        assert not is_within(connection)
    assert later()[0][0] == "at once"


def test_what_is_found_later_is_found_once(engine: Engine) -> None:
    """By whoever asks first; what is known already stays known."""
    with _moment(engine) as connection:
        find_later(connection, "it", lambda: rows_later(connection, _ECHO, {"said": "found"})()[0][0])
        assert is_found(connection, "it")
        assert [found_once(connection, "it", lambda: "looked") for _ in range(2)] == ["found", "found"]
        find_later(connection, "it", lambda: "another")
        assert found_once(connection, "it", lambda: "looked") == "found"


def test_totals_that_are_asked_ahead_are_those_that_are_asked_alone(postgresql: Databases) -> None:
    """By the API's own engine: of one tenant, of all, and of some teams; with what else a moment begins with."""
    url = postgresql.migrated()
    with open_store(url) as store:
        fill(store)
    base = open_engine(url, connections=1)
    prepare_statements(base)
    engine = confined(base)
    asked: list[dict[str, Any]] = [{"window": "30d"}, {"start": NOON - timedelta(days=3, minutes=7)}, {}]
    hows: list[dict[str, Any]] = [
        {},
        {"by": ("team",), "top": 2},
        {"bucket": "day", "ranges": False},
        {"by": ("model",)},
    ]
    queries = [TotalsQuery(**each, **how) for each in asked for how in hows]
    tenant = TENANTS[0]
    for scope in (EVERYTHING, Scope(frozenset({tenant})), Scope(frozenset({tenant}), frozenset({"search"}))):
        alone = [totals(engine, scope, query, NOON) for query in queries]
        signs_alone = signs(engine, scope, NOON)
        with one_moment(engine, scope, keeps_join_order=True):
            signs_of = begin_moment(engine, scope, NOON, signs=True, adds_up=True)
            look_ahead(engine, scope, queries, NOON)
            assert [totals(engine, scope, query, NOON) for query in reversed(queries)] == alone[::-1]
            assert signs_of is not None
            assert signs_of() == signs_alone
    base.dispose()
