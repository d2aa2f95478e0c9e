"""Mappings within a tenant on PostgreSQL: made, seen and ended by a caller who is confined to the tenant, and by no other."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from rice_stream.events.mappings import COST_CENTRE, TEAM
from rice_stream.pipeline.mapping import end_mapping, map_name
from rice_stream.reports.mappings import mappings
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import confined, scoped_reading, scoped_writing, within
from tests.support.databases import Databases
from tests.support.fakes import NOON_US, OPERATOR
from tests.support.reports_store import at, open_store

ACME, GLOBEX = Scope(frozenset({"acme"})), Scope(frozenset({"globex"}))
SEARCH = Scope(frozenset({"acme"}), frozenset({"search"}))


def test_a_confined_caller_maps_within_its_tenant_alone(postgresql: Databases) -> None:
    """Row-level security holds whatever the statements ask for."""
    with open_store(postgresql.emptied()) as store:
        store.add(at("2026-11-20T10:00:00Z"))
        api = confined(store.engine)
        whose = {"tenant_id": "acme", "subject": TEAM}
        given = {"valid_from_us": None, "now_us": NOON_US, "by": OPERATOR}
        map_name(within(api, ACME), COST_CENTRE, "search", "CC-1", open_reference=None, **given, **whose)  # type: ignore[arg-type]
        assert [row["target"] for row in mappings(api, ACME)] == ["CC-1"]
        assert mappings(api, GLOBEX) == mappings(api, SEARCH) == []
        for scope in (GLOBEX, SEARCH):
            with scoped_reading(api, scope) as connection:
                assert connection.scalar(text("SELECT COUNT(*) FROM mapping")) == 0
        with pytest.raises(DBAPIError, match="row-level security"), scoped_writing(api, GLOBEX) as connection:
            connection.execute(
                text(
                    "INSERT INTO mapping (kind, name, target, valid_from_us, created_at_us, tenant_id, subject)"
                    " VALUES ('team', 'a', 'b', 1, 1, 'acme', 'user')"
                )
            )
        end_mapping(within(api, ACME), COST_CENTRE, "search", **given, **whose)  # type: ignore[arg-type]
        assert len(mappings(api, ACME)) == 1  # at the same instant: in its place
