"""Names <-> small integers. Keys are given out in transactions of their own, before the batch that uses them: a name
without records is harmless, and two workers that meet the same new name wait microseconds, not a whole batch."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Engine, Table, func, insert, select, text, tuple_

from rice_stream import schema
from rice_stream.basis import basis_names
from rice_stream.store.engine import reading, writing
from rice_stream.store.retention import records_from_us

_CHUNK = 400
"""Names looked up by one statement: SQLite allows a limited number of parameters."""
_ADVISORY_LOCK = 0x52494345
"""Number of the PostgreSQL advisory lock under which keys are given out ("RICE")."""

Identity = tuple[Any, ...]


class Dimensions:
    """Look up or give out keys. Holds no cache: callers keep what they use."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def tenants(self, names: Iterable[str]) -> dict[str, int]:
        """tenant_id -> tenant_key."""
        table = schema.tenant
        found = self._keys(table, table.c.tenant_key, [table.c.tenant_id], [(name,) for name in names])
        return {identity[0]: key for identity, key in found.items()}

    def attributions(self, identities: Iterable[tuple[int, str, str, str]]) -> dict[Identity, int]:
        """(tenant_key, team_id, project_id, source) -> attribution_key."""
        table = schema.attribution
        columns = [table.c.tenant_key, table.c.team_id, table.c.project_id, table.c.source]
        return self._keys(table, table.c.attribution_key, columns, list(identities), per_tenant=True)

    def principals(self, kind: str, identities: Iterable[tuple[int, str]]) -> dict[tuple[int, str], int]:
        """(tenant_key, name) -> key of a `user` or an `api_key`."""
        table = schema.principal
        columns = [table.c.tenant_key, table.c.kind, table.c.name]
        rows = [(tenant_key, kind, name) for tenant_key, name in identities]
        found = self._keys(table, table.c.principal_key, columns, rows, per_tenant=True)
        return {(identity[0], identity[2]): key for identity, key in found.items()}

    def factors(self, rows: Sequence[dict[str, Any]]) -> dict[bytes, int]:
        """Digest -> factor_key; `rows` are complete rows of `factor_use` without their key."""
        table = schema.factor_use
        more = {(row["digest"],): row for row in rows}
        found = self._keys(
            table, table.c.factor_key, [table.c.digest], list(more), rest=lambda identity: more[identity]
        )
        return {bytes(identity[0]): key for identity, key in found.items()}

    def basis(self, flags: Iterable[int]) -> None:
        """Keep the words for every combination of flags that a record carries."""
        table = schema.basis
        wanted = set(flags)
        with writing(self._engine) as connection:
            self._lock(connection)
            known = set(connection.scalars(select(table.c.basis_flags).where(table.c.basis_flags.in_(wanted))))
            rows = [{"basis_flags": f, "names": ",".join(basis_names(f))} for f in sorted(wanted - known)]
            if rows:
                connection.execute(insert(table), rows)

    def records_from_us(self) -> int:
        """Records that ended before this instant have been dropped; 0: none have."""
        with reading(self._engine) as connection:
            return records_from_us(connection)

    def _keys(
        self,
        table: Table,
        key: Column[Any],
        columns: list[Column[Any]],
        identities: list[Identity],
        *,
        per_tenant: bool = False,
        rest: Callable[[Identity], dict[str, Any]] | None = None,
    ) -> dict[Identity, int]:
        wanted = list(dict.fromkeys(identities))
        with reading(self._engine) as connection:
            found = _look_up(connection, key, columns, wanted)
        missing = [identity for identity in wanted if identity not in found]
        if not missing:
            return found
        with writing(self._engine) as connection:
            self._lock(connection)
            found |= _look_up(connection, key, columns, missing)
            rows = []
            following: dict[int | None, int] = {}
            for identity in missing:
                if identity in found:
                    continue
                group = identity[0] if per_tenant else None
                if group not in following:
                    highest = select(func.max(key))
                    if per_tenant:
                        highest = highest.where(table.c.tenant_key == group)
                    following[group] = (connection.scalar(highest) or 0) + 1
                found[identity] = following[group]
                following[group] += 1
                values = rest(identity) if rest else dict(zip((c.name for c in columns), identity, strict=True))
                rows.append({**values, key.name: found[identity]})
            if rows:
                connection.execute(insert(table), rows)
        return found

    def _lock(self, connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _ADVISORY_LOCK})


def _look_up(
    connection: Connection, key: Column[Any], columns: list[Column[Any]], identities: list[Identity]
) -> dict[Identity, int]:
    found: dict[Identity, int] = {}
    for first in range(0, len(identities), _CHUNK):
        chunk = identities[first : first + _CHUNK]
        if len(columns) == 1:
            condition = columns[0].in_([identity[0] for identity in chunk])
        else:
            condition = tuple_(*columns).in_(chunk)
        for row in connection.execute(select(*columns, key).where(condition)):
            found[tuple(row[:-1])] = row[-1]
    return found
