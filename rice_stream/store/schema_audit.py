"""Table of who changed what."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, LargeBinary, Table, Text

from rice_stream.store.schema_base import metadata

audit_entry = Table(
    "audit_entry",
    metadata,
    # Given out by `audit.record` under a lock, without gaps: whoever has read up to one misses none that comes later.
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("at_us", BigInteger, nullable=False),
    *(Column(name, Text, nullable=False) for name in ("actor_kind", "actor_name")),
    Column("token_id", BigInteger),
    Column("tenant_id", Text),
    *(Column(name, Text, nullable=False) for name in ("action", "subject_kind", "subject_id")),
    *(Column(name, Text) for name in ("before", "after", "request_id")),
    Column("entry", LargeBinary, nullable=False),
    # Of what the entry was before names in it were erased: what checkpoints and proofs have of it.
    Column("erased_leaf", LargeBinary(32)),
    Index(None, "tenant_id", "id"),
    Index(None, "subject_kind", "subject_id", "id"),
    CheckConstraint("actor_kind IN ('token', 'session', 'command line', 'worker')", name="actor_kind"),
    comment="Every change that somebody made; triggers refuse to change or remove a row, but for an erasure of names",
)
