"""Leases: work that one process does for all, and that another takes over when that process is gone."""

from sqlalchemy import Engine, delete, text

from rice_stream.instants import SECOND_US
from rice_stream.store import schema
from rice_stream.store.database_clock import POSTGRESQL_NOW_US
from rice_stream.store.engine import writing

_ACQUIRE = (
    "INSERT INTO lease (name, holder, until_us) VALUES (:name, :holder, {now} + :length_us)"
    " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until_us = excluded.until_us"
    " WHERE lease.holder = excluded.holder OR lease.until_us <= {now} RETURNING holder"
)
_NOW = {
    "postgresql": POSTGRESQL_NOW_US,
    "sqlite": "CAST(:now_us AS BIGINT)",
}


class Lease:
    """A named piece of work that one holder does at a time.

    Who has it keeps it by asking again before `seconds` have passed; after that, whoever asks first has it. The time is
    the database's on PostgreSQL, so that processes whose clocks differ agree; on SQLite it is the asker's.
    """

    def __init__(self, engine: Engine, name: str, holder: str, *, seconds: float) -> None:
        self._engine = engine
        self._values = {"name": name, "holder": holder}
        self._length_us = round(seconds * SECOND_US)

    def acquire(self, now_us: int) -> bool:
        """Whether the work is ours, for the lease's length from now on: it was free, had run out, or was ours already.

        StoreUnavailableError: the database did not say.
        """
        with writing(self._engine) as connection:
            dialect = connection.dialect.name
            values = {**self._values, "length_us": self._length_us}
            if dialect == "sqlite":
                values["now_us"] = now_us
            return connection.execute(text(_ACQUIRE.format(now=_NOW[dialect])), values).first() is not None

    def release(self) -> None:
        """Leave the work to whoever asks next, if it is ours."""
        table = schema.lease
        ours = (table.c.name == self._values["name"]) & (table.c.holder == self._values["holder"])
        with writing(self._engine) as connection:
            connection.execute(delete(table).where(ours))
