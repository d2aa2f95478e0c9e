"""Tables of closed months whose records are archived, and of the Parquet files that hold them."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table, Text

from rice_stream.store.schema_base import metadata

archived_month = Table(
    "archived_month",
    metadata,
    Column("tenant_key", Integer, primary_key=True, autoincrement=False),
    # Such as 2026-11.
    Column("month", Text, primary_key=True),
    # records: of all its files; late: of these, those that came after the month was closed.
    *(Column(name, BigInteger, nullable=False) for name in ("low_us", "high_us", "records", "late")),
    # Of the month's tree, which was made again of the files before this row was written.
    Column("root", LargeBinary(32), nullable=False),
    # Where the table of Iceberg is, and the latest snapshot of it that added files of this month.
    Column("table_uri", Text, nullable=False),
    Column("snapshot_id", BigInteger, nullable=False),
    # Users and API keys that its records name: their principal_key, four bytes each, in order.
    Column("principals", LargeBinary, nullable=False),
    Column("archived_us", BigInteger, nullable=False),
    Column("archived_by", Text, nullable=False),
    comment="Closed months whose records are in files of the archive",
)

archived_file = Table(
    "archived_file",
    metadata,
    Column("tenant_key", Integer, primary_key=True, autoincrement=False),
    Column("month", Text, primary_key=True),
    # In the order of their records; those of late ones come after the others.
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("path", Text, nullable=False),
    Column("is_late", Integer, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in ("records", "size_bytes")),
    Column("sha256", LargeBinary(32), nullable=False),
    # Keys of its first event and of its last one.
    *(Column(name, LargeBinary(16), nullable=False) for name in ("first_key", "last_key")),
    comment="Parquet files of archived months",
)
