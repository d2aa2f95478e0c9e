"""Table of keys that all servers of a database share."""

from sqlalchemy import BigInteger, Column, LargeBinary, Table, Text

from rice_stream.store.schema_base import metadata

server_key = Table(
    "server_key",
    metadata,
    Column("purpose", Text, primary_key=True),
    Column("key", LargeBinary(32), nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    comment="Random keys that all servers of this database share, such as that of cursors",
)
