"""Entries of the audit trail and checkpoints of them, for tests; and ways to change what nobody may change."""

import base64
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Engine, text

from rice_stream.ledger.checkpoints import make_checkpoints
from rice_stream.runtime.secret_box import FernetBox
from rice_stream.store.audit import AuditedChange, record
from rice_stream.store.checkpoint_store import StoredCheckpoint
from rice_stream.store.engine import writing
from tests.support.fakes import OPERATOR

ORIGIN = "rice.example"
SECRETS_KEY = base64.b64encode(b"c" * 32).decode()
BOX = FernetBox.parse(SECRETS_KEY)
_TABLES = ("audit_entry", "checkpoint")


def add_entries(engine: Engine, count: int, *, tenant: str | None = "acme") -> None:
    """So many entries, each in a transaction of its own."""
    for number in range(count):
        change = AuditedChange("budget.set", "budget", f"b{number}", tenant, None, {"limit_kwh": number})
        with writing(engine) as connection:
            record(connection, OPERATOR, [change])


def signed(engine: Engine, entries: int) -> StoredCheckpoint:
    """A checkpoint after so many entries more; the first one's key is an entry too."""
    add_entries(engine, entries)
    made = make_checkpoints(engine, BOX, origin=ORIGIN, by=OPERATOR)
    assert made is not None
    return made


class Tampering:
    """Somebody with every right on the database, who can also put back what was there."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("ALTER TABLE audit_entry DISABLE TRIGGER USER"))
            else:
                for name in connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
                    connection.execute(text(f"DROP TRIGGER {name}"))
            self._rows = {
                name: [dict(row) for row in connection.execute(text(f"SELECT * FROM {name}")).mappings()]
                for name in _TABLES
            }

    def change(self, statements: Iterable[str], **values: Any) -> None:
        """Run statements; `:name` is a value."""
        with self._engine.begin() as connection:
            for statement in statements:
                wanted = {name: value for name, value in values.items() if f":{name}" in statement}
                connection.execute(text(statement), wanted)

    def put_back(self) -> None:
        """Entries and checkpoints are as they were."""
        with self._engine.begin() as connection:
            for name, rows in self._rows.items():
                connection.execute(text(f"DELETE FROM {name}"))
                columns = ", ".join(rows[0])
                places = ", ".join(f":{column}" for column in rows[0])
                connection.execute(text(f"INSERT INTO {name} ({columns}) VALUES ({places})"), rows)
