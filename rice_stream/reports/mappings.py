"""Mappings: what names of tenants, models and regions stand for, whom names within a tenant are charged to, and from when on."""

from typing import Any

from rice_stream.events.mappings import MappedName, MappingKey
from rice_stream.instants import rfc3339
from rice_stream.store.engine import Engine
from rice_stream.store.mapping_store import load_mappings
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import scoped_reading


def mappings(engine: Engine, scope: Scope, *, only: MappingKey | tuple[str, str] | None = None) -> list[dict[str, Any]]:
    """All mappings, or those of one key, earliest first: `[{"kind", "name", "target", "valid_from", "tenant_id", "subject"}]`.

    `target` is None from where the name stands for itself again; `valid_from` is RFC 3339 text. Those of teams, projects and cost
    centres are a tenant's, and seen by who sees all of it; the others hold for all tenants, and name some of them: who does not see
    everything sees none of those.
    """
    if scope.teams:
        return []
    wanted = None if only is None else MappingKey(*only)
    with scoped_reading(engine, scope) as connection:
        found = load_mappings(connection).rows
    return [
        described(row)
        for row in found
        if (scope.tenants is None or row.tenant_id in scope.tenants) and wanted in (None, row.key)
    ]


def described(row: MappedName) -> dict[str, Any]:
    """A mapping as JSON."""
    return {
        "kind": row.kind,
        "name": row.name,
        "target": row.target,
        "valid_from": rfc3339(row.valid_from_us),
        "tenant_id": row.tenant_id or None,
        "subject": row.subject or None,
    }
