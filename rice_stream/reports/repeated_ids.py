"""Ids that were recorded more than once: requests of one tenant and source with the same id and different times."""

from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from rice_stream.instants import DAY_US, FOREVER_S, SECOND_US, rfc3339
from rice_stream.reports.voided import not_voided
from rice_stream.store.event_key_columns import key_bounds, stored_key
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import attribution_in, scope_parameters, tenant_key_in

_DIGEST = {"postgresql": "substring(uuid_send(r.event_key) FROM 7)", "sqlite": "substr(r.event_key, 7)"}
"""What a key holds besides its time: equal for equal tenant, source and id."""


class RepeatedIds(NamedTuple):
    """`rows`: those with most records, as they are answered; `ids`: how many there are; `records`: of all of them."""

    rows: list[dict[str, Any]]
    ids: int | None
    records: int | None

    @property
    def fields(self) -> dict[str, Any]:
        """As they are answered."""
        return {"repeated_ids": self.rows, "repeated_ids_total": self.ids, "repeated_records": self.records}


NOT_COMPARED = RepeatedIds([], None, None)
"""Nobody has looked."""


def repeated_ids(connection: Connection, scope: Scope, *, from_us: int, limit: int | None) -> RepeatedIds:
    """Ids with more than one record that ended at or after `from_us`, exactly; reads the keys of all these records."""
    dialect = connection.dialect.name
    key_low, _ = key_bounds(dialect, from_us, FOREVER_S * SECOND_US)
    statement = f"""
WITH repeated AS (
  SELECT r.tenant_key, {_DIGEST[dialect]} AS digest, COUNT(*) AS records,
    MIN(r.ended_at_us) AS first_us, MAX(r.ended_at_us) AS last_us
  FROM prompt_record r
  WHERE r.event_key >= :key_low AND r.ended_at_us >= :from_us AND {not_voided("r")}
    AND {tenant_key_in(scope, "r.tenant_key")} AND {attribution_in(scope, "r")}
  GROUP BY r.tenant_key, {_DIGEST[dialect]}
  HAVING COUNT(*) > 1
)
SELECT t.tenant_id, p.*, COUNT(*) OVER () AS ids_in_all, CAST(SUM(p.records) OVER () AS BIGINT) AS records_in_all
FROM repeated p JOIN tenant t ON t.tenant_key = p.tenant_key
ORDER BY p.records DESC, t.tenant_id, p.first_us, p.digest
{"" if limit is None else "LIMIT :limit"}"""
    parameters = {
        "key_low": key_low,
        "from_us": from_us,
        **scope_parameters(scope),
        **({} if limit is None else {"limit": limit}),
    }
    found = connection.execute(text(statement), parameters).all()
    rows = [
        {
            "tenant_id": row.tenant_id,
            "event_id": _event_id(connection, row.tenant_key, bytes(row.digest), row.first_us),
            "records": int(row.records),
            "first": rfc3339(row.first_us),
            "last": rfc3339(row.last_us),
        }
        for row in found
    ]
    return RepeatedIds(rows, *((int(found[0].ids_in_all), int(found[0].records_in_all)) if found else (0, 0)))


def _event_id(connection: Connection, tenant_key: int, digest: bytes, first_us: int) -> str:
    """The id of the first record: its key begins with its time, or with its day where the event has no time of its own."""
    # Needed for what few have, by a report that a server has loaded from its start.
    import numpy as np

    from rice_stream.events.keys import KEY_BYTES, keys_at

    some = np.frombuffer(digest.rjust(KEY_BYTES, b"\0"), dtype=np.uint8).reshape(1, -1).repeat(2, axis=0)
    keys = keys_at(some, np.array([first_us, first_us - first_us % DAY_US]))
    own, of_day = (stored_key(connection.dialect.name, key.tobytes()) for key in keys)
    statement = (
        "SELECT event_id FROM prompt_record"
        " WHERE tenant_key = :tenant AND event_key IN (:own, :of_day) AND ended_at_us = :first_us"
    )
    parameters = {"tenant": tenant_key, "own": own, "of_day": of_day, "first_us": first_us}
    return str(connection.execute(text(statement), parameters).scalar_one())
