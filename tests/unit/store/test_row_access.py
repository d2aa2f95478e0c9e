"""What the API's role may do with each table is decided for every table that there is."""

import pytest
from sqlalchemy import text

from rice_stream.store import schema
from rice_stream.store.engine import Engine, open_engine
from rice_stream.store.row_access import ACCESS, ALL_ROWS
from rice_stream.store.scope import EVERYTHING, Scope
from rice_stream.store.scoped import confined, encoded, scoped_reading, scoped_writing, within
from tests.support.databases import Databases

RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")


@pytest.fixture
def engine(sqlite: Databases) -> Engine:
    return open_engine(sqlite.migrated())


def test_every_table_is_named_and_no_other() -> None:
    """A new table is no oversight: say which rights the API needs on it, and whose its rows are."""
    assert set(ACCESS) == {*schema.metadata.tables, "alembic_version"}


def test_a_table_that_may_be_read_and_knows_a_tenant_has_a_condition() -> None:
    for name, access in ACCESS.items():
        rights = [right for right in access.rights.split(", ") if right]
        assert rights == [right for right in RIGHTS if right in rights], name
        columns = set(schema.metadata.tables[name].columns.keys()) if name in schema.metadata.tables else set()
        if rights and columns & {"tenant_id", "tenant_key", "tenants", "payload"}:
            assert access.rows is not ALL_ROWS, name


def test_names_in_a_setting_are_kept_apart_whatever_is_in_them() -> None:
    """Only digits, letters from a to f, and the comma between two: nothing of a name is ever a piece of SQL."""
    names = {"a,b", "a", "b", "'; DROP TABLE tenant; --", "*", "Müller"}
    value = encoded(names)
    assert {bytes.fromhex(part).decode() for part in value.split(",")} == names
    assert set(value) <= set("0123456789abcdef,")
    assert encoded({"*"}) != encoded(None) == "*"


def test_a_confined_engine_does_nothing_without_a_scope(engine: Engine) -> None:
    """On every database, so that it is found before PostgreSQL is there."""
    api = confined(engine)
    with pytest.raises(RuntimeError, match="without a scope"), api.connect() as connection:
        connection.execute(text("SELECT 1"))
    for opened in (scoped_reading, scoped_writing):
        with opened(api, EVERYTHING) as connection:
            assert connection.scalar(text("SELECT 1")) == 1
    with within(api, Scope(frozenset())).connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    assert within(engine, EVERYTHING) is engine
