"""A scope as conditions in SQL: what every statement of a report is narrowed by.

Conditions are texts with named parameters, which `scope_parameters` gives. They are the first line of confinement; on PostgreSQL
row-level security is the second, and neither relies on the other.
"""

from collections.abc import Collection
from typing import Any

from rice_stream.store.scope import Scope

_EVERY, _NONE = "TRUE", "FALSE"
_TENANT, _TEAM = "scope_tenant_", "scope_team_"


def tenant_id_in(scope: Scope, column: str = "t.tenant_id") -> str:
    """Whether a column holds the id of a tenant of the scope."""
    return _EVERY if scope.tenants is None else _one_of(column, scope.tenants, _TENANT)


def tenant_key_in(scope: Scope, column: str) -> str:
    """Whether a column holds the key of a tenant of the scope."""
    if scope.tenants is None:
        return _EVERY
    if not scope.tenants:
        return _NONE
    chosen = f"(SELECT tenant_key FROM tenant WHERE {tenant_id_in(scope, 'tenant_id')})"
    # A single value, where there is one, lets PostgreSQL's planner use an index whatever it thinks of the sub-select.
    return f"{column} {'=' if len(scope.tenants) == 1 else 'IN'} {chosen}"


def team_in(scope: Scope, column: str = "a.team_id") -> str:
    """Whether a column holds a team of the scope."""
    return _one_of(column, scope.teams, _TEAM) if scope.teams else _EVERY


def attribution_in(scope: Scope, row: str) -> str:
    """Whether a row with `tenant_key` and `attribution_key` was charged to a team of the scope."""
    if not scope.teams:
        return _EVERY
    chosen = f"SELECT tenant_key, attribution_key FROM attribution WHERE {team_in(scope, 'team_id')}"
    return f"({row}.tenant_key, {row}.attribution_key) IN ({chosen})"


def has_any_of(scope: Scope, row: str = "t") -> str:
    """Whether a row of `tenant` is of the scope: with teams, where something was charged to one of them."""
    if not scope.teams:
        return tenant_id_in(scope, f"{row}.tenant_id")
    charged = f"SELECT tenant_key FROM attribution WHERE {team_in(scope, 'team_id')}"
    return f"{tenant_id_in(scope, f'{row}.tenant_id')} AND {row}.tenant_key IN ({charged})"


def scope_parameters(scope: Scope) -> dict[str, Any]:
    """The parameters of all these conditions."""
    return {**_named(scope.tenants or (), _TENANT), **_named(scope.teams, _TEAM)}


def _one_of(column: str, values: Collection[str], prefix: str) -> str:
    names = [f":{name}" for name in _named(values, prefix)]
    if len(names) == 1:
        return f"{column} = {names[0]}"
    return f"{column} IN ({', '.join(names)})" if names else _NONE


def _named(values: Collection[str], prefix: str) -> dict[str, str]:
    return {f"{prefix}{place}": value for place, value in enumerate(sorted(values))}
