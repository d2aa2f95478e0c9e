"""Transactions that read or write within a scope.

On an engine that is `confined`, every transaction on PostgreSQL begins by taking the role `rice_api` and by telling its scope:
from there on row-level security (`row_security`) shows it nothing else, whatever its statements ask for. Role and scope end
with the transaction, also behind a pooler. SQLite cannot do that; there the statements' own conditions are the only line.
"""

from collections.abc import Callable, Collection, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import event

from rice_stream.quantities import is_storable
from rice_stream.store.engine import Connection, Engine, reading, writing
from rice_stream.store.pipelines import abandon
from rice_stream.store.prepared import all_answered, run_plain
from rice_stream.store.scope import EVERYTHING, Scope

API_ROLE = "rice_api"
"""The role of PostgreSQL that the API's transactions take; one for all databases of a cluster."""
TENANTS_SETTING, TEAMS_SETTING = "rice.tenants", "rice.teams"
EVERY = "*"
"""In either of these settings: all of them. A setting that is absent or empty: none."""
KEYS_SETTING, ATTRIBUTIONS_SETTING = "rice.tenant_keys", "rice.attributions"
"""What the names stand for in the tables, as ranges of numbers: PostgreSQL looks them up once, when a transaction begins."""
READ_TIMEOUT_S = 2.0
"""How long one statement of the API may run."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _HeldOpen:
    engine: Engine
    scope: Scope
    connection: Connection
    found: dict[Hashable, Any] = field(default_factory=dict)
    looked_for: dict[Hashable, Callable[[], Any]] = field(default_factory=dict)
    """What was asked ahead, and gives the answer."""

    def is_of(self, engine: Engine, scope: Scope) -> bool:
        # Engines with options of their own share the connections of the one that they were made from.
        return scope == self.scope and engine.pool is self.engine.pool


_HELD_OPEN: ContextVar[_HeldOpen | None] = ContextVar("held open", default=None)


def names_in(setting: str) -> str:
    """SQL for the array of names that `encoded` made the value of a setting; NULL, which nothing is equal to, for none."""
    return (
        "CAST((SELECT array_agg(convert_from(decode(x.name, 'hex'), 'UTF8'))"
        f" FROM unnest(string_to_array(NULLIF(current_setting('{setting}', true), '{EVERY}'), ',')) x (name)) AS text[])"
    )


ATTRIBUTION_NUMBER = "((CAST(tenant_key AS bigint) << 32) + attribution_key)"
"""SQL for the one number of an attribution among all tenants'."""
_FIND_TENANTS = f"""
SELECT set_config('{KEYS_SETTING}', CAST(COALESCE(range_agg(int4range(tenant_key, tenant_key, '[]')), '{{}}') AS text), true)
FROM tenant WHERE tenant_id = ANY ({names_in(TENANTS_SETTING)})"""
_FIND_ATTRIBUTIONS = f"""
SELECT set_config('{ATTRIBUTIONS_SETTING}', CAST(COALESCE(range_agg(
  int8range({ATTRIBUTION_NUMBER}, {ATTRIBUTION_NUMBER}, '[]')), '{{}}') AS text), true)
FROM attribution WHERE team_id = ANY ({names_in(TEAMS_SETTING)})"""
_OF_FOUND_TENANTS = (
    f" AND tenant_key IN (SELECT tenant_key FROM tenant WHERE tenant_id = ANY ({names_in(TENANTS_SETTING)}))"
)


def confined(
    engine: Engine, *, role: str | None = API_ROLE, statement_timeout_s: float | None = READ_TIMEOUT_S
) -> Engine:
    """The same database through the same connections, for callers that must not see more than a scope.

    Every transaction needs one: from `scoped_reading`, `scoped_writing` or `snapshot`, or from the engine that `within`
    gives to a function that opens its transactions itself. One without raises RuntimeError, on every database.

    `role` None: the database has none to take (`runtime.database_role` says when that is accepted). `statement_timeout_s` is
    for transactions that only read; None: as the database says.
    """
    limited = engine.execution_options(rice_confined=True, rice_role=role, rice_statement_timeout_s=statement_timeout_s)
    event.listen(limited, "begin", _confine)
    if engine.dialect.name == "postgresql":
        event.listen(limited, "checkin", _leave_beginning_to_driver)
    return limited


def within(engine: Engine, scope: Scope) -> Engine:
    """The engine for one scope, for functions that open transactions themselves; as it is where it is not confined."""
    if not engine.get_execution_options().get("rice_confined"):
        return engine
    return engine.execution_options(rice_scope=scope)


@contextmanager
def scoped_reading(engine: Engine, scope: Scope, *, begins_with: str = "") -> Iterator[Connection]:
    """A connection that only reads, and for which the database itself knows the scope where it can.

    Within `reports.one_moment` of the same engine and scope it is that one's. `begins_with`: what a transaction that PostgreSQL
    holds to its scope is begun with.
    """
    held = _HELD_OPEN.get()
    if held is not None and held.is_of(engine, scope):
        yield held.connection
        return
    # Options of the connection, for those of an engine take a new one.
    with reading(engine, rice_scope=scope, rice_begins_with=begins_with) as connection:
        yield connection
        # Not left to the end of the connection, which rolls back: with that the driver forgets what it has prepared.
        connection.commit()


@contextmanager
def holding_open(engine: Engine, scope: Scope, connection: Connection) -> Iterator[None]:
    """A stretch of code in which whoever reads of the engine in the scope gets the connection; for `reports.one_moment`."""
    if is_held_open(connection):
        yield  # a moment within the same one
        return
    token = _HELD_OPEN.set(_HeldOpen(engine, scope, connection))
    try:
        yield
        all_answered(connection)
    except BaseException:
        abandon(connection)
        raise
    finally:
        _HELD_OPEN.reset(token)


@contextmanager
def scoped_writing(engine: Engine, scope: Scope) -> Iterator[Connection]:
    """A transaction that changes something, likewise; committed at the end, rolled back on any exception."""
    with writing(within(engine, scope)) as connection:
        yield connection


def see_everything(connection: Connection) -> None:
    """Leave the scope for the rest of the transaction: for bookkeeping over all tenants, such as numbers without gaps."""
    if is_held(connection):
        run_plain(connection, "; ".join(_told(EVERYTHING)))


def encoded(names: Collection[str] | None) -> str:
    """Names as the value of a setting: UTF-8 in hexadecimal, so that no name can be taken for two, nor for a piece of SQL.

    >>> encoded({"b", "a,'b'"}), encoded(None), encoded([])
    ('612c276227,62', '*', '')
    """
    if names is None:
        return EVERY
    # What PostgreSQL's text cannot hold is nobody's name there.
    return ",".join(sorted(name.encode().hex() for name in names if is_storable(name)))


def _confine(connection: Connection) -> None:
    """The first statements of every transaction on a confined engine.

    Only a scope that names somebody asks a query; what a transaction sees is otherwise decided by its own first one.
    """
    options = connection.get_execution_options()
    scope: Scope | None = options.get("rice_scope")
    if scope is None:
        raise RuntimeError(
            "a transaction of a confined engine without a scope: open it with scoped_reading or scoped_writing"
        )
    if not is_held(connection):
        return
    if options.get("isolation_level") == "AUTOCOMMIT":
        raise RuntimeError("role and scope hold within a transaction: a confined engine has no AUTOCOMMIT")
    _begin_ourselves(connection)
    statements = ["BEGIN", options.get("rice_begins_with", ""), f"SET LOCAL ROLE {options['rice_role']}"]
    if options.get("rice_read_only"):
        # To compile a short query or start workers for it costs more than it saves; policies make PostgreSQL think queries long.
        statements += [
            "SET TRANSACTION READ ONLY",
            "SET LOCAL jit = off",
            "SET LOCAL max_parallel_workers_per_gather = 0",
        ]
        if options["rice_statement_timeout_s"] is not None:
            statements.append(f"SET LOCAL statement_timeout = {round(options['rice_statement_timeout_s'] * 1000)}")
    # Together: one way to the database.
    run_plain(connection, "; ".join(filter(None, [*statements, *_told(scope)])))


def _begin_ourselves(connection: Connection) -> None:
    """Rather than the driver, which would send a BEGIN on its own before the first statement."""
    driver: Any = connection.connection.driver_connection
    if not driver.autocommit:
        driver.autocommit = True


def _leave_beginning_to_driver(connection: Any, _record: Any) -> None:
    """Others take the same connections. It is None where one is gone."""
    if connection is not None and not connection.closed:
        connection.autocommit = False


def found_once(connection: Connection, question: Hashable, look: Callable[[], T]) -> T:
    """What `look` finds; in a transaction that is held open, what it found when the same was asked before.

    `question` has to say all that the answer depends on besides what is stored: in one moment that is the same.
    """
    held = _HELD_OPEN.get()
    if held is None or held.connection is not connection:
        return look()
    if question not in held.found:
        held.found[question] = held.looked_for.pop(question, look)()
    found: T = held.found[question]
    return found


def is_found(connection: Connection, question: Hashable) -> bool:
    """Whether `found_once` need not look."""
    held = _HELD_OPEN.get()
    return (
        held is not None and held.connection is connection and (question in held.found or question in held.looked_for)
    )


def keep_found(connection: Connection, question: Hashable, found: object) -> None:
    """Have `found_once` answer a question that was asked together with others, in a transaction that is held open."""
    held = _HELD_OPEN.get()
    if held is not None and held.connection is connection:
        held.found.setdefault(question, found)


def find_later(connection: Connection, question: Hashable, look: Callable[[], object]) -> None:
    """The same where the answer is still to come: `look` waits for it, and is called within the transaction."""
    held = _HELD_OPEN.get()
    if held is not None and held.connection is connection and question not in held.found:
        held.looked_for.setdefault(question, look)


def is_held_open(connection: Connection) -> bool:
    """Whether it is that of a transaction which others have begun, and go on with."""
    held = _HELD_OPEN.get()
    return held is not None and held.connection is connection


def is_held(connection: Connection) -> bool:
    """Whether PostgreSQL holds the connection's transactions to a scope."""
    options = connection.get_execution_options()
    return connection.dialect.name == "postgresql" and options.get("rice_role") is not None


def _told(scope: Scope) -> list[str]:
    tenants, teams = encoded(scope.tenants), encoded(scope.teams or None)
    statements = [f"SET LOCAL {TENANTS_SETTING} = '{tenants}'", f"SET LOCAL {TEAMS_SETTING} = '{teams}'"]
    if scope.tenants is not None:
        statements.append(_FIND_TENANTS)
    if scope.teams:
        statements.append(_FIND_ATTRIBUTIONS + ("" if scope.tenants is None else _OF_FOUND_TENANTS))
    return statements
