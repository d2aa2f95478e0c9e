"""Tables of checkpoints, of the keys that sign them, and of where they are published."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, LargeBinary, Table, Text, UniqueConstraint

from rice_stream.store.schema_base import metadata

signing_key = Table(
    "signing_key",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    # The name that signatures are made in: the origin of the installation.
    Column("name", Text, nullable=False),
    Column("public_key", LargeBinary(32), nullable=False),
    # Encrypted with RICE_SECRETS_KEY; sealed_by says with which of its keys.
    Column("sealed", LargeBinary, nullable=False),
    Column("sealed_by", Text, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("retired_at_us", BigInteger),
    UniqueConstraint("name", "public_key"),
    comment="Keys of Ed25519 that checkpoints are signed with; the private halves are encrypted, and those retired stay listed",
)

checkpoint = Table(
    "checkpoint",
    metadata,
    # Given out under a lock, without gaps.
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    # origin: the name of the tree, which is unique; those of one tree have the same.
    *(Column(name, Text, nullable=False) for name in ("kind", "origin")),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    # note: the signed note. signed_by: the public key, as notes write it.
    *(Column(name, Text, nullable=False) for name in ("note", "signed_by")),
    # frontier: what the next one goes on from. blocks: hashes of the blocks of leaves that became full since the one before.
    *(Column(name, LargeBinary, nullable=False) for name in ("frontier", "blocks")),
    # Of the leaves since the one before; NULL for trees with too many.
    Column("leaf_hashes", LargeBinary),
    Column("made_at_us", BigInteger, nullable=False),
    UniqueConstraint("origin", "size"),
    CheckConstraint("kind IN ('audit', 'month')", name="kind"),
    comment="What the tree of the audit trail, or of a closed month, was at a size: signed, and published elsewhere",
)

checkpoint_target = Table(
    "checkpoint_target",
    metadata,
    # Such as `file`, `topic`, `channel:NAME`.
    Column("target", Text, primary_key=True),
    Column("checkpoint_id", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("failures", BigInteger, nullable=False),
    *(Column(name, BigInteger) for name in ("next_at_us", "failing_since_us", "published_at_us")),
    Column("problem", Text),
    comment="Up to which checkpoint each place has been told, and since when it could not be",
)
