"""Names <-> small integers. Keys are given out in transactions of their own, before the batch that uses them: a name
without records is harmless, and two workers that meet the same new name wait microseconds, not a whole batch."""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Column, Connection, Engine, Integer, String, Table, func, insert, select, text, update

from rice_stream.basis import basis_names
from rice_stream.store import schema
from rice_stream.store.advisory_locks import AdvisoryLock, hold
from rice_stream.store.array_texts import array_of_numbers, array_of_texts
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import reading, writing
from rice_stream.store.erased_names import stand_ins
from rice_stream.store.horizon import records_from_us
from rice_stream.store.lock_waits import end_hung_statement
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.scoped import within

_CHUNK = 400
"""Names looked up by one statement: SQLite allows a limited number of parameters."""

_END_HUNG = end_hung_statement()

Identity = tuple[Any, ...]


class AttributionIdentity(NamedTuple):
    """Who prompts are charged to; empty text: nobody. `said_key` is the attribution that their events said themselves, 0: this."""

    tenant_key: int
    team_id: str
    project_id: str
    source: str
    cost_centre: str = ""
    said_key: int = 0


class KeyGiver(Protocol):
    """Who gives out the small integers that stand for names, and says what holds for all who ask: `Dimensions` by a database."""

    def tenants(self, names: Iterable[str]) -> dict[str, int]:
        """tenant_id -> tenant_key."""

    def attributions(self, identities: Iterable[AttributionIdentity]) -> dict[AttributionIdentity, int]:
        """The attribution_key of each."""

    def principals(self, kind: str, identities: Iterable[tuple[int, str]]) -> dict[tuple[int, str], int]:
        """(tenant_key, name) -> key of a `user` or an `api_key`."""

    def factors(self, rows: Sequence[dict[str, Any]]) -> dict[bytes, int]:
        """Digest -> factor_key; `rows` are complete rows of `factor_use` without their key."""

    def basis(self, flags: Iterable[int]) -> None:
        """Records carry these combinations of flags."""

    def records_from_us(self) -> int:
        """Records that ended before this instant have been dropped; 0: none have."""


class Dimensions:
    """Look up or give out keys. Holds no cache: callers keep what they use."""

    def __init__(self, engine: Engine) -> None:
        # The next key comes after those of all tenants, whoever asks.
        self._engine = within(engine, EVERYTHING)

    def tenants(self, names: Iterable[str]) -> dict[str, int]:
        """tenant_id -> tenant_key."""
        table = schema.tenant
        found = self._keys(table, table.c.tenant_key, [table.c.tenant_id], [(name,) for name in names])
        return {identity[0]: key for identity, key in found.items()}

    def attributions(self, identities: Iterable[AttributionIdentity]) -> dict[AttributionIdentity, int]:
        """The attribution_key of each."""
        table = schema.attribution
        columns = [table.c[name] for name in AttributionIdentity._fields]
        found = self._keys(table, table.c.attribution_key, columns, list(identities), per_tenant=True)
        return {AttributionIdentity(*identity): key for identity, key in found.items()}

    def principals(self, kind: str, identities: Iterable[tuple[int, str]]) -> dict[tuple[int, str], int]:
        """(tenant_key, name) -> key of a `user` or an `api_key`. One that is marked as unused loses its mark."""
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
            lock_keys(connection)
            known = set(connection.scalars(select(table.c.basis_flags).where(table.c.basis_flags.in_(wanted))))
            rows = [{"basis_flags": f, "names": ",".join(basis_names(f))} for f in sorted(wanted - known)]
            if rows:
                connection.execute(insert(table), rows)

    def records_from_us(self) -> int:
        """Records that ended before this instant have been dropped; 0: none have."""
        with reading(self._engine) as connection:
            return records_from_us(connection)

    def now_us(self) -> int:
        """What time it is by the database's clock, in epoch microseconds."""
        with reading(self._engine) as connection:
            return database_now_us(connection)

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
            found = _look_up(connection, key, columns, wanted, in_use=True)
        missing = [identity for identity in wanted if identity not in found]
        if not missing:
            return found
        with writing(self._engine) as connection:
            lock_keys(connection)
            again = _look_up(connection, key, columns, missing)
            again |= (
                erased := _Erased(connection, key, columns, [each for each in missing if each not in again])
            ).found
            _take_marks_off(connection, key, again)
            found |= again
            missing = [identity for identity in missing if identity not in found]
            highest = _highest(connection, key, missing, per_tenant=per_tenant)
            for identity in missing:
                group = identity[0] if per_tenant else None
                found[identity] = highest[group] = highest.get(group, 0) + 1
            if missing:
                numbers = [found[identity] for identity in missing]
                _write(connection, columns, key, erased.written(missing), numbers, rest)
        return found


class _Erased:
    """Those of names that are not there whose stand-ins are (`erased_names`)."""

    def __init__(
        self, connection: Connection, key: Column[Any], columns: list[Column[Any]], missing: list[Identity]
    ) -> None:
        names = stand_ins(connection)
        self._names = names
        self._stand_ins = {
            identity: stand_in
            for identity in (missing if names.are_there else ())
            if (stand_in := names.identity(key.table.name, identity)) is not None
        }
        there = _look_up(connection, key, columns, list(self._stand_ins.values()))
        self.found = {identity: there[other] for identity, other in self._stand_ins.items() if other in there}

    def written(self, new: list[Identity]) -> list[Identity]:
        """What is written of new ones: themselves, but of an erased tenant."""
        return [self._written(identity) for identity in new] if self._stand_ins else new

    def _written(self, identity: Identity) -> Identity:
        stand_in = self._stand_ins.get(identity)
        return (
            identity if stand_in is None or len(identity) == 1 or not self._names.is_erased(identity[0]) else stand_in
        )


def lock_keys(connection: Connection) -> None:
    """Until the end of the transaction nobody else gives out keys; it ends where its client hangs, which would hold up everybody.
    On SQLite every writing transaction is alone."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(_END_HUNG))
        hold(connection, AdvisoryLock.GIVE_OUT_KEYS)


def _highest(
    connection: Connection, key: Column[Any], identities: list[Identity], *, per_tenant: bool
) -> dict[int | None, int]:
    """The highest key given out so far, by tenant where each has numbers of its own."""
    if not per_tenant:
        return {None: connection.scalar(select(func.max(key))) or 0}
    tenant_key = key.table.c.tenant_key
    highest: dict[int | None, int] = {}
    tenants = list(dict.fromkeys(identity[0] for identity in identities))
    for first in range(0, len(tenants), _CHUNK):
        of_some = tenant_key.in_(tenants[first : first + _CHUNK])
        rows = connection.execute(select(tenant_key, func.max(key)).where(of_some).group_by(tenant_key))
        highest.update((tenant, number) for tenant, number in rows)
    return highest


def _take_marks_off(connection: Connection, key: Column[Any], found: dict[Identity, int]) -> None:
    """Names that are about to go as unused (`unused_names.py`) are used again; no other table has such a mark."""
    table = schema.principal
    if key.table is not table:
        return
    for tenant_key in dict.fromkeys(identity[0] for identity in found):
        keys = [number for identity, number in found.items() if identity[0] == tenant_key]
        for first in range(0, len(keys), _CHUNK):
            marked = (table.c.tenant_key == tenant_key) & key.in_(keys[first : first + _CHUNK])
            marked &= table.c.unused_since_us.is_not(None)
            connection.execute(update(table).where(marked).values(unused_since_us=None))


def _look_up(
    connection: Connection,
    key: Column[Any],
    columns: list[Column[Any]],
    identities: list[Identity],
    *,
    in_use: bool = False,
) -> dict[Identity, int]:
    """Those that are there; `in_use`: and are not marked as unused."""
    found: dict[Identity, int] = {}
    if len(columns) > 1 or (connection.dialect.name == "postgresql" and isinstance(columns[0].type, String)):
        only = " WHERE t.unused_since_us IS NULL" if in_use and "unused_since_us" in key.table.c else ""
        return _look_up_together(connection, key, columns, identities, only) if identities else found
    for first in range(0, len(identities), _CHUNK):
        chunk = identities[first : first + _CHUNK]
        condition = columns[0].in_([identity[0] for identity in chunk])
        for row in connection.execute(select(*columns, key).where(condition)):
            found[tuple(row[:-1])] = row[-1]
    return found


def _look_up_together(
    connection: Connection, key: Column[Any], columns: list[Column[Any]], identities: list[Identity], only: str
) -> dict[Identity, int]:
    """Thousands of identities by a statement that need not be compiled: that costs more than running it."""
    names = [column.name for column in columns]
    if connection.dialect.name == "postgresql":
        wanted = f"{_unnest(columns)} WITH ORDINALITY AS w({', '.join(names)}, line)"
        there = f"{wanted} JOIN {key.table.name} t USING ({', '.join(names)}){only}"
        found = connection.execute(text(f"SELECT w.line, t.{key.name} FROM {there}"), _arrays(columns, identities))
        return {identities[line - 1]: number for line, number in found.all()}
    shown = ", ".join(f"t.{name}" for name in (*names, key.name))
    rows: list[Any] = []
    for first in range(0, len(identities), _CHUNK):
        chunk = identities[first : first + _CHUNK]
        marks = ", ".join([f"({', '.join('?' * len(names))})"] * len(chunk))
        # CROSS JOIN keeps SQLite from walking the whole table.
        wanted = f"w CROSS JOIN {key.table.name} t ON {' AND '.join(f't.{name} = w.{name}' for name in names)}"
        statement = f"WITH w({', '.join(names)}) AS (VALUES {marks}) SELECT {shown} FROM {wanted}{only}"
        rows += connection.exec_driver_sql(statement, tuple(chain.from_iterable(chunk))).all()
    return {tuple(row[:-1]): row[-1] for row in rows}


def _unnest(columns: Sequence[Column[Any]]) -> str:
    """Rows of these columns, one array each."""
    kinds = ["int4" if isinstance(column.type, Integer) else "text" for column in columns]
    return f"unnest({', '.join(f'CAST(:w{k} AS {kind}[])' for k, kind in enumerate(kinds))})"


def _arrays(columns: Sequence[Column[Any]], rows: Sequence[Identity]) -> dict[str, str]:
    """What `_unnest` asks for."""
    values = zip(columns, zip(*rows, strict=True), strict=True)
    return {
        f"w{k}": array_of_numbers(of) if isinstance(column.type, Integer) else array_of_texts(of)
        for k, (column, of) in enumerate(values)
    }


def _write(
    connection: Connection,
    columns: list[Column[Any]],
    key: Column[Any],
    identities: list[Identity],
    numbers: list[int],
    rest: Callable[[Identity], dict[str, Any]] | None,
) -> None:
    """New rows: one statement for thousands of names where there are arrays, as each costs the other 20 us."""
    if rest is None and connection.dialect.name == "postgresql":
        into = ", ".join(column.name for column in (*columns, key))
        statement = f"INSERT INTO {key.table.name} ({into}) SELECT * FROM {_unnest([*columns, key])}"
        arrays = {**_arrays(columns, identities), f"w{len(columns)}": array_of_numbers(numbers)}
        connection.execute(text(statement), arrays)
        return
    names = [column.name for column in columns]
    rows = (rest(each) if rest else dict(zip(names, each, strict=True)) for each in identities)
    connection.execute(
        insert(key.table), [{**row, key.name: number} for row, number in zip(rows, numbers, strict=True)]
    )
