"""Table of requests that were made with an Idempotency-Key, and what they were answered."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table, Text

from rice_stream.store.schema_base import metadata

idempotency_key = Table(
    "idempotency_key",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    # Both without a value while the request is worked on.
    Column("status", Integer),
    Column("answer", Text),
    comment="A repeated request is answered as the first one was; kept for a day",
)
