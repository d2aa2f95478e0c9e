"""The keys that sign checkpoints: one is in force, and those that were before stay listed. Private halves are encrypted.

Functions on a connection are parts of the caller's transaction, which holds the lock of checkpoints.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, update

from rice_stream.store import schema
from rice_stream.store.audit import Actor, AuditedChange, record
from rice_stream.store.database_clock import database_now_us


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key: in whose name it signs, its public half, and the private one as it was encrypted, and by which key of secrets."""

    id: int
    name: str
    public_key: bytes
    sealed: bytes
    sealed_by: str
    created_at_us: int
    retired_at_us: int | None


def signing_keys(connection: Connection) -> list[SigningKey]:
    """All of them; the latest, which is in force, comes last."""
    rows = connection.execute(select(schema.signing_key).order_by(schema.signing_key.c.id))
    return [
        SigningKey(
            row.id,
            row.name,
            bytes(row.public_key),
            bytes(row.sealed),
            row.sealed_by,
            row.created_at_us,
            row.retired_at_us,
        )
        for row in rows
    ]


def add_signing_key(
    connection: Connection, name: str, public_key: bytes, sealed: tuple[bytes, str], *, shown: str, by: Actor
) -> None:
    """Put a key in force, and retire the one before; `shown` is the public key as the audit trail names it. Ends in the trail."""
    table, now_us = schema.signing_key, database_now_us(connection)
    last = connection.scalar(select(func.max(table.c.id)))
    retired = update(table).where(table.c.retired_at_us.is_(None)).values(retired_at_us=now_us)
    connection.execute(retired)
    row = {"id": (last or 0) + 1, "name": name, "public_key": public_key, "sealed": sealed[0], "sealed_by": sealed[1]}
    connection.execute(insert(table).values(**row, created_at_us=now_us))
    action = "signing_key.create" if last is None else "signing_key.rotate"
    record(connection, by, [AuditedChange(action, "signing_key", name, after={"key": shown})])


def seal_key_again(connection: Connection, key: SigningKey, sealed: bytes, sealed_by: str) -> None:
    """The same private key, encrypted with another key of secrets."""
    columns = schema.signing_key.c
    statement = update(schema.signing_key).where(columns.id == key.id, columns.sealed_by == key.sealed_by)
    connection.execute(statement.values(sealed=sealed, sealed_by=sealed_by))
