"""The store's promises on SQLite (on PostgreSQL: tests/integration/store/test_postgres.py)."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.behaviours.store import StoreBehaviours
from tests.simulation.store import SqliteStore


@pytest.fixture(scope="module")
def sqlite_store() -> Iterator[SqliteStore]:
    """One database in memory for the module."""
    store = SqliteStore()
    yield store
    store.engine.dispose()


@pytest.fixture
def engine(sqlite_store: SqliteStore) -> Engine:
    """Without data."""
    sqlite_store.empty()
    return sqlite_store.engine


class TestSqlite(StoreBehaviours):
    """See the base class."""
