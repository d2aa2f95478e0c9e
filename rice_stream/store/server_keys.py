"""Keys that all servers of a database share: what one of them has signed, another knows as theirs, also after a restart."""

import secrets

from sqlalchemy import select

from rice_stream.store import schema
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import Engine
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.scoped import scoped_reading, scoped_writing
from rice_stream.store.statements import insert_ignoring

KEY_BYTES = 32


def shared_key(engine: Engine, purpose: str) -> bytes:
    """The key for this purpose, made by whoever asks first. StoreUnavailableError: the database did not answer.

    It is random, and no scope but that of everything sees it. Removing its row makes everything void that was signed with it.
    """
    columns = schema.server_key.c
    query = select(columns.key).where(columns.purpose == purpose)
    with scoped_reading(engine, EVERYTHING) as connection:
        found: bytes | None = connection.scalar(query)
    if found is not None:
        return bytes(found)
    with scoped_writing(engine, EVERYTHING) as connection:
        key = {"purpose": purpose, "key": secrets.token_bytes(KEY_BYTES), "created_at_us": database_now_us(connection)}
        connection.execute(insert_ignoring(schema.server_key, connection.dialect.name).values(**key))
        return bytes(connection.scalars(query).one())  # another server may have been quicker
