"""Events that came again and said something else: the first record counts, the other is kept for a person to compare."""

import json
from typing import Any

from sqlalchemy import text

from rice_stream.instants import rfc3339
from rice_stream.store.engine import Connection
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters, tenant_id_in


def conflicts(connection: Connection, scope: Scope, from_us: int, *, limit: int | None) -> dict[str, Any]:
    """Those that came in at or after an instant, latest first: `{"conflicts": [...], "conflicts_total"}`.

    A row is `{"tenant_id", "event_id", "received_at", "topic", "partition", "offset", "said"}`; `said` has what the second one
    said, by the names of a record's columns. Who sees some teams only sees none: they are kept by tenant.
    """
    if scope.teams:
        return {"conflicts": [], "conflicts_total": 0}
    source = (
        "FROM conflict c JOIN tenant t ON t.tenant_key = c.tenant_key"
        f" WHERE c.received_at_us >= :from_us AND {tenant_id_in(scope)}"
    )
    parameters = {"from_us": from_us, **scope_parameters(scope), **({} if limit is None else {"limit": limit})}
    rows = connection.execute(
        text(
            'SELECT t.tenant_id, c.event_id, c.received_at_us, c.topic, c."partition", c."offset", c.detail'
            f" {source} ORDER BY c.id DESC {'' if limit is None else 'LIMIT :limit'}"
        ),
        parameters,
    ).all()
    return {
        "conflicts": [
            {
                "tenant_id": tenant_id,
                "event_id": event_id,
                "received_at": rfc3339(received_at_us),
                "topic": topic,
                "partition": partition,
                "offset": offset,
                "said": json.loads(detail),
            }
            for tenant_id, event_id, received_at_us, topic, partition, offset, detail in rows
        ],
        "conflicts_total": int(connection.execute(text(f"SELECT COUNT(*) {source}"), parameters).scalar_one()),
    }
