"""What has corrected a record, in the order in which it was posted."""

from collections.abc import Callable
from typing import Any

from rice_stream.instants import rfc3339
from rice_stream.quantities import ENTRY_AMOUNTS
from rice_stream.store.asked_ahead import named_rows_later
from rice_stream.store.engine import Engine
from rice_stream.store.event_key_columns import RecordKey, stored_key
from rice_stream.store.prepared import statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import attribution_in, scope_parameters, tenant_key_in
from rice_stream.store.scoped import scoped_reading
from rice_stream.wording.entry_amounts import amounts_told

_OF_GROUP = ("digest", "cause", "reason", "author_kind", "author_name", "restatement_id")


def record_adjustments(engine: Engine, scope: Scope, key: RecordKey) -> list[dict[str, Any]]:
    """The groups that have entries of a record, oldest first, each with what they add to its amounts.

    Who sees some teams only is told the amounts, and not the cause: a group may be of several teams.

    Returns:
        `[{"entry_group" (hexadecimal), "cause", "reason", "author_kind", "author", "restatement_id", "recorded_at", "counted",
        "amounts"}]`; `counted` False: records and totals held the amounts already.
    """
    return record_adjustments_later(engine, scope, key)()


def record_adjustments_later(engine: Engine, scope: Scope, key: RecordKey) -> Callable[[], list[dict[str, Any]]]:
    """The same, once: asked now, and waited for when it is called (`asked_ahead`)."""
    sums = ", ".join(f"CAST(SUM(m.{name}) AS BIGINT) AS {name}" for name in ENTRY_AMOUNTS)
    asked = statement(
        f"SELECT g.*, {', '.join(f'a.{name}' for name in _OF_GROUP)} FROM ("
        f"SELECT m.adjustment_key, m.tenant_key, MIN(m.recorded_us) AS recorded_us, MIN(m.counted) AS counted, {sums}"
        " FROM adjustment_entry m WHERE m.tenant_key = :tenant_key AND m.event_key = :event_key"
        f" AND {tenant_key_in(scope, 'm.tenant_key')} AND {attribution_in(scope, 'm')}"
        " GROUP BY m.adjustment_key, m.tenant_key"
        ") g LEFT JOIN adjustment a ON a.adjustment_key = g.adjustment_key AND a.tenant_key = g.tenant_key"
        " ORDER BY g.adjustment_key"
    )
    with scoped_reading(engine, scope) as connection:
        of_it = {"tenant_key": key.tenant_key, "event_key": stored_key(connection.dialect.name, key.event_key)}
        found = named_rows_later(connection, asked, {**of_it, **scope_parameters(scope)})
    unknown = _OF_GROUP if scope.teams else ()

    def told() -> list[dict[str, Any]]:
        names, rows = found()
        return [_described(dict(zip(names, row, strict=True)) | dict.fromkeys(unknown)) for row in rows]

    return told


def _described(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "entry_group": None if row["digest"] is None else bytes(row["digest"]).hex(),
        "cause": row["cause"],
        "reason": row["reason"],
        "author_kind": row["author_kind"],
        "author": row["author_name"],
        "restatement_id": row["restatement_id"],
        "recorded_at": rfc3339(row["recorded_us"]),
        "counted": bool(row["counted"]),
        "amounts": amounts_told({name: int(row[name]) for name in ENTRY_AMOUNTS}),
    }
