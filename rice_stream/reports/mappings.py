"""Mappings: what names of tenants, models and regions stand for, and from when on."""

from typing import Any

from rice_stream.instants import rfc3339
from rice_stream.store.engine import Engine
from rice_stream.store.mapping_store import load_mappings
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import scoped_reading


def mappings(engine: Engine, scope: Scope, *, only: tuple[str, str] | None = None) -> list[dict[str, Any]]:
    """All mappings, or those of one (kind, name), earliest first: `[{"kind", "name", "target", "valid_from"}]`.

    `target` is None from where the name stands for itself again; `valid_from` is RFC 3339 text. Mappings hold for all tenants,
    and name some of them: who does not see everything sees none.
    """
    if not scope.is_everything:
        return []
    with scoped_reading(engine, scope) as connection:
        found = load_mappings(connection).rows
    return [
        {"kind": row.kind, "name": row.name, "target": row.target, "valid_from": rfc3339(row.valid_from_us)}
        for row in found
        if only is None or (row.kind, row.name) == only
    ]
