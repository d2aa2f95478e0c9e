"""A connection that was warmed, on PostgreSQL: nothing is left to be planned for the first views of a tenant's pages."""

from sqlalchemy import text

from rice_stream.api.console.warming import steps_of_database, views_of
from rice_stream.api.product import Product
from rice_stream.reports.tenants import tenants
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.scoped import scoped_reading
from tests.support.databases import Databases
from tests.support.reports_store import NOON, open_store
from tests.support.three_tenants import TENANTS, fill


def test_what_one_tenants_pages_ask_was_planned_with_anothers(postgresql: Databases) -> None:
    """The connection that was used last is the next one to be used, and keeps its plans."""
    url = postgresql.migrated()
    with open_store(url) as store:
        fill(store)
    product = Product(Settings.model_validate({"database_url": url}), lambda: NOON)
    for step in steps_of_database(product):
        step()
    first = tenants(product.engine(), EVERYTHING)[0]["tenant_id"]
    planned = _planned(product)
    assert planned > 10
    # What one tenant has and another has not (corrections, say) may be asked for by another statement.
    for tenant, further in ((first, 0), (TENANTS[1], 3)):
        for view in views_of(product, tenant):
            view()
        assert _planned(product) - planned <= further
    product.close()


def _planned(product: Product) -> int:
    with scoped_reading(product.engine(), EVERYTHING) as connection:
        assert product.engine().pool.checkedout() == 1  # type: ignore[attr-defined]
        others = "SELECT COUNT(*) FROM pg_prepared_statements WHERE statement NOT LIKE '%pg_prepared_statements%'"
        return int(connection.scalar(text(others)) or 0)
