"""Tables of factor sets, and of the reference tables that records rest on."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, LargeBinary, Table, Text

from rice_stream.store.schema_base import metadata

factor_set = Table(
    "factor_set",
    metadata,
    Column("digest", Text, primary_key=True),
    *(Column(name, Text, nullable=False) for name in ("kind", "name", "source", "licence", "published")),
    Column("row_count", Integer, nullable=False),
    *(Column(name, BigInteger) for name in ("valid_from_us", "valid_to_us")),
    Column("effective_from_us", BigInteger, nullable=False),
    Column("added_by", Text, nullable=False),
    Column("added_at_us", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index(None, "effective_from_us"),
    CheckConstraint("kind IN ('rci', 'pue', 'price', 'evidence', 'market', 'contract')", name="kind"),
    comment="Factors that are laid over the built-in tables for events that ended at or after an instant; triggers refuse to"
    " change or remove a row",
)

reference_tables = Table(
    "reference_tables",
    metadata,
    Column("version", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("kept_at_us", BigInteger, nullable=False),
    comment="Every version of the built-in tables (with the user's own over them) that records were estimated with; triggers"
    " refuse to change or remove a row",
)
