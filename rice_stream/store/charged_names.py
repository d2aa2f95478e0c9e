"""Who a tenant's records are charged to, and came from, by the keys that records hold."""

from collections.abc import Iterable

from sqlalchemy import Connection, text

from rice_stream.store.dimensions import AttributionIdentity

_AT_ONCE = 1_000
_ATTRIBUTIONS = (
    f"SELECT attribution_key, {', '.join(AttributionIdentity._fields)} FROM attribution WHERE tenant_key = :tenant_key"
)


def attributions_of(connection: Connection, tenant_key: int) -> dict[int, AttributionIdentity]:
    """All attributions of a tenant, by their keys."""
    rows = connection.execute(text(_ATTRIBUTIONS), {"tenant_key": tenant_key})
    return {key: AttributionIdentity(*identity) for key, *identity in rows}


def principal_names(connection: Connection, tenant_key: int, keys: Iterable[int]) -> dict[int, str]:
    """The names of users and API keys of a tenant, by their keys."""
    found: dict[int, str] = {}
    wanted = sorted(set(keys))
    for first in range(0, len(wanted), _AT_ONCE):
        # Integers of our own: nothing that could be taken for SQL.
        listed = ", ".join(map(str, wanted[first : first + _AT_ONCE]))
        statement = (
            f"SELECT principal_key, name FROM principal WHERE tenant_key = :tenant_key AND principal_key IN ({listed})"
        )
        rows = connection.execute(text(statement), {"tenant_key": tenant_key})
        found |= {row.principal_key: row.name for row in rows}
    return found
