"""Events that came again and said something else: the first record counts, the other is kept for a person to compare."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import text

from rice_stream.instants import rfc3339
from rice_stream.store.asked_ahead import rows_later
from rice_stream.store.engine import Connection
from rice_stream.store.prepared import statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters, tenant_id_in

_TOKENS = (
    "input_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
)
_COMPARED = ("ended_at_us", "duration_us", *_TOKENS, "metered_energy_uj")
"""What both said of it; the keys of names that both have as well are of this database alone, and say nothing to anybody."""


def conflicts_later(
    connection: Connection, scope: Scope, from_us: int, *, limit: int | None
) -> Callable[[], dict[str, Any]]:
    """Gives, once, those that came in at or after an instant, latest first: `{"conflicts": [...], "conflicts_total"}`; how many
    there are is asked now, and waited for when it is called (`asked_ahead`).

    A row is `{"tenant_id", "event_id", "received_at", "topic", "partition", "offset", "recorded", "said"}`: what counts and what
    the other event said, as `{"ended_at", "duration_us", tokens by their names, "metered_energy_uj"}`. Where these are equal,
    the two name different people, models or places. `recorded` is None where the record is no longer kept. Who sees some teams only
    sees none: they are kept by tenant.
    """
    if scope.teams:
        return _no_conflicts
    source = "FROM conflict c JOIN tenant t ON t.tenant_key = c.tenant_key"
    where = f"WHERE c.received_at_us >= :from_us AND {tenant_id_in(scope)}"
    parameters = {"from_us": from_us, **scope_parameters(scope)}
    counted = rows_later(connection, statement(f"SELECT COUNT(*) {source} {where}"), parameters)

    def told() -> dict[str, Any]:
        ((total,),) = counted()
        return _listed(connection, source, where, parameters, limit, int(total)) if total else _no_conflicts()

    return told


def _no_conflicts() -> dict[str, Any]:
    return {"conflicts": [], "conflicts_total": 0}


def _listed(
    connection: Connection, source: str, where: str, parameters: dict[str, Any], limit: int | None, total: int
) -> dict[str, Any]:
    columns = ", ".join(f"r.{name}" for name in _COMPARED)
    rows = connection.execute(
        text(
            f'SELECT t.tenant_id, c.event_id, c.received_at_us, c.topic, c."partition", c."offset", c.detail, {columns} {source}'
            " LEFT JOIN prompt_record r ON r.tenant_key = c.tenant_key AND r.event_key = c.event_key"
            f" {where} ORDER BY c.id DESC {'' if limit is None else 'LIMIT :limit'}"
        ),
        parameters if limit is None else {**parameters, "limit": limit},
    ).mappings()
    return {
        "conflicts": [
            {
                **{name: row[name] for name in ("tenant_id", "event_id", "topic", "partition", "offset")},
                "received_at": rfc3339(row["received_at_us"]),
                "recorded": None if row["ended_at_us"] is None else _compared(dict(row)),
                "said": _compared(json.loads(row["detail"])),
            }
            for row in rows
        ],
        "conflicts_total": total,
    }


def _compared(said: Mapping[str, Any]) -> dict[str, Any]:
    ended_at_us, *others = (said.get(name) for name in _COMPARED)
    return {
        "ended_at": None if ended_at_us is None else rfc3339(ended_at_us),
        **dict(zip(_COMPARED[1:], others, strict=True)),
    }
