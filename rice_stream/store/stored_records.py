"""Records by their keys, thousands at a time, with the names that their keys stand for."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult, text

from rice_stream.errors import RiceError
from rice_stream.store.event_key_columns import key_bytes, stored_key

Key = tuple[int, bytes]
"""(tenant_key, event_key)"""
Row = Mapping[str, Any]

_SQLITE_KEYS_MAX = 2_000
"""Keys looked up by one statement: SQLite allows a limited number of parameters."""
_COLUMNS = """
  r.tenant_key, r.event_key, r.event_id, r.ended_at_us, r.duration_us, r.input_tokens, r.cache_read_input_tokens,
  r.cache_write_input_tokens, r.output_tokens, r.reasoning_output_tokens, r.it_energy_uwh, r.facility_energy_uwh,
  r.carbon_low_ugco2e, r.carbon_mid_ugco2e, r.carbon_high_ugco2e, r.embodied_ugco2e, r.water_ul, r.carbon_market_ugco2e,
  r.basis_flags, r.factor_key, r.metered_energy_uj,
  COALESCE(s.team_id, a.team_id) AS team_id, COALESCE(s.project_id, a.project_id) AS project_id, a.source,
  COALESCE(u.name, '') AS user_id, COALESCE(k.name, '') AS api_key_id"""
_JOINS = """
JOIN attribution a ON a.tenant_key = r.tenant_key AND a.attribution_key = r.attribution_key
LEFT JOIN attribution s ON s.tenant_key = a.tenant_key AND s.attribution_key = a.said_key
LEFT JOIN principal u ON u.tenant_key = r.tenant_key AND u.principal_key = r.user_key
LEFT JOIN principal k ON k.tenant_key = r.tenant_key AND k.principal_key = r.api_key_key"""


def records_by_key(connection: Connection, keys: Sequence[Key]) -> dict[Key, Row]:
    """The records of these keys; a key without a record is not in the answer. Team and project are as the event said."""
    if not keys:
        return {}
    wanted = list(dict.fromkeys(keys))
    if connection.dialect.name == "postgresql":
        rows = _from_postgres(connection, wanted)
    else:
        rows = []
        for first in range(0, len(wanted), _SQLITE_KEYS_MAX):
            rows += _from_sqlite(connection, wanted[first : first + _SQLITE_KEYS_MAX])
    return {(row["tenant_key"], key_bytes(row["event_key"])): row for row in rows}


def _from_postgres(connection: Connection, keys: Sequence[Key]) -> list[Row]:
    # The bounds let the planner leave out the partitions of other months.
    statement = f"""
SELECT {_COLUMNS}
FROM unnest(CAST(:tenants AS int[]), CAST(:keys AS uuid[])) AS w (tenant_key, event_key)
JOIN prompt_record r ON r.tenant_key = w.tenant_key AND r.event_key = w.event_key
  AND r.event_key >= :low AND r.event_key <= :high
{_JOINS}"""
    event_keys = [stored_key("postgresql", key) for _, key in keys]
    parameters = {"tenants": [tenant for tenant, _ in keys], "keys": event_keys}
    bounds = {"low": min(event_keys), "high": max(event_keys)}
    return _dictionaries(connection.execute(text(statement), {**parameters, **bounds}))


def _from_sqlite(connection: Connection, keys: Sequence[Key]) -> list[Row]:
    # CROSS JOIN keeps SQLite from walking the records: each wanted key is one look-up.
    statement = f"""
WITH w (tenant_key, event_key) AS (VALUES {", ".join(["(?, ?)"] * len(keys))})
SELECT {_COLUMNS}
FROM w CROSS JOIN prompt_record r ON r.tenant_key = w.tenant_key AND r.event_key = w.event_key
{_JOINS}"""
    parameters = tuple(value for key in keys for value in key)
    return _dictionaries(connection.exec_driver_sql(statement, parameters))


def _dictionaries(result: CursorResult[Any]) -> list[Row]:
    # Three times as fast as making them from SQLAlchemy's own mappings.
    names = tuple(result.keys())
    return [dict(zip(names, row, strict=True)) for row in result]


class MissingFactorsError(RiceError):
    """Records rest on factors that the database does not have: somebody has removed them, or written other ones into a record."""


def factors_by_key(connection: Connection, factor_keys: Sequence[int], known: dict[int, Row]) -> None:
    """Add the rows of `factor_use` that are not in `known` yet. MissingFactorsError: there is no such row."""
    for factor_key in sorted(set(factor_keys) - known.keys()):
        found = connection.execute(
            text("SELECT * FROM factor_use WHERE factor_key = :factor_key"), {"factor_key": factor_key}
        ).mappings()
        row = found.one_or_none()
        if row is None:
            raise MissingFactorsError(
                f"factors {factor_key}: records rest on them, and table factor_use does not have them; `rice-stream audit verify`"
                " says what else was changed; put it back, from a backup"
            )
        known[factor_key] = dict(row)


def tenant_keys(connection: Connection) -> dict[str, int]:
    """tenant_id -> tenant_key of all tenants."""
    return {
        row.tenant_id: row.tenant_key for row in connection.execute(text("SELECT tenant_id, tenant_key FROM tenant"))
    }
