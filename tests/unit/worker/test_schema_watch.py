"""The look at the schema of a worker without events: it ends with what to do, and outlives a database that is away."""

import asyncio
from typing import Any

import pytest

from rice_stream.store.engine import StoreUnavailableError, reading
from rice_stream.store.revisions import SchemaChangedError, head_revision
from rice_stream.worker import schema_watch
from rice_stream.worker.schema_watch import SchemaWatch
from tests.support.databases import SqliteDatabases
from tests.support.reports_store import open_store


def test_another_schema_ends_it_and_an_outage_does_not(
    sqlite: SqliteDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First all is well, then the database is away, then it is back with the schema of another version."""
    looks: list[str] = []
    with open_store(sqlite.migrated()) as store:

        def look(engine: Any) -> Any:
            looks.append("look")
            if len(looks) == 2:
                raise StoreUnavailableError("the database did not answer")
            if len(looks) == 3:
                store.execute("UPDATE alembic_version SET version_num = '9999'")
            return reading(engine)

        monkeypatch.setattr(schema_watch, "reading", look)
        with pytest.raises(SchemaChangedError, match="schema 9999"):
            asyncio.run(SchemaWatch(store.engine, head_revision(), interval_s=0).run())
    assert len(looks) == 3
