"""Tenants, and the time zone in which their days begin."""

from rice_stream.reports.tenants import tenants
from rice_stream.store.scope import EVERYTHING
from tests.support.reports_store import Store, at


class TestTenants:
    """On every database."""

    def test_tenants_seen_or_set_are_listed_with_their_time_zone(self, store: Store) -> None:
        """UTC until one is set; a tenant may be set before its first event."""
        assert tenants(store.engine, EVERYTHING) == []
        store.add(at("2026-11-22T11:00:00Z"))
        store.set_time_zone("berlin", "Europe/Berlin")
        acme, berlin = {"tenant_id": "acme", "time_zone": "UTC"}, {"tenant_id": "berlin", "time_zone": "Europe/Berlin"}
        assert tenants(store.engine, EVERYTHING) == [acme, berlin]
        store.set_time_zone("acme", "Asia/Kolkata")
        assert tenants(store.engine, EVERYTHING, only="acme") == [{**acme, "time_zone": "Asia/Kolkata"}]
        assert tenants(store.engine, EVERYTHING, only="nobody") == []
