"""The one row that says what retention has dropped so far, what it is about to drop, and when it last ran."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

from sqlalchemy import Connection, Engine, insert, select, text, update

from rice_stream.store.engine import writing
from rice_stream.store.lock_waits import DDL_LOCK_WAIT_S, limit_lock_waits
from rice_stream.store.schema_intake import retention


@dataclass(frozen=True, slots=True)
class RetentionState:
    """Instants in epoch microseconds; what lies before a `*_from_us` may be gone (0: nothing is)."""

    records_from_us: int = 0
    planned_from_us: int | None = None
    """The horizon that was announced, and `planned_at_us`: when."""
    planned_at_us: int | None = None
    run_at_us: int | None = None
    """When retention last ran with a clock that was believed."""
    minutes_from_us: int = 0
    """Before it, rows of `minute_total` are quarter hours."""
    quarantine_from_us: int = 0
    conflicts_from_us: int = 0
    names_from_us: int = 0
    """The horizon at which names without records were last looked for."""


def retention_state(connection: Connection) -> RetentionState:
    """The state as it is; that of a ledger without retention where there is none."""
    columns = [retention.c[field.name] for field in fields(RetentionState)]
    row = connection.execute(select(*columns)).first()
    return RetentionState() if row is None else RetentionState(*row)


@contextmanager
def changing_state(engine: Engine, *, after_batches: bool = False) -> Iterator[Connection]:
    """A transaction in which nobody else changes the state.

    `after_batches`: it also waits for the batches in flight, and those that follow wait for it: each has read the
    horizon, or reads the new one. StoreUnavailableError: a batch did not end within some seconds.
    """
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":  # a transaction of SQLite that writes is alone
            # Batches that begin meanwhile wait as well: rather try again later than hold them back behind one that hangs.
            limit_lock_waits(connection, DDL_LOCK_WAIT_S)
            mode = "EXCLUSIVE" if after_batches else "SHARE ROW EXCLUSIVE"
            connection.execute(text(f"LOCK TABLE retention IN {mode} MODE"))
        yield connection


def save_state(connection: Connection, **values: int | None) -> None:
    """Change some of the state, within `changing_state`."""
    if connection.execute(update(retention).values(values)).rowcount == 0:
        connection.execute(insert(retention).values({"id": 1, "records_from_us": 0, **values}))
