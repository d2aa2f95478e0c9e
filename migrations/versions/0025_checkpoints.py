"""Signed checkpoints of the audit trail, the keys that sign them, and where they are published"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "signing_key",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(32), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_by", sa.Text(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("retired_at_us", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_key")),
        sa.UniqueConstraint("name", "public_key", name=op.f("uq_signing_key_name_public_key")),
        comment="Keys of Ed25519 that checkpoints are signed with; the private halves are encrypted, and those retired stay listed",
    )
    op.create_table(
        "checkpoint",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("kind", "origin")),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("note", "signed_by")),
        *(sa.Column(name, sa.LargeBinary(), nullable=False) for name in ("frontier", "blocks")),
        sa.Column("leaf_hashes", sa.LargeBinary()),
        sa.Column("made_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('audit', 'month')", name=op.f("ck_checkpoint_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkpoint")),
        sa.UniqueConstraint("origin", "size", name=op.f("uq_checkpoint_origin_size")),
        comment="What the tree of the audit trail, or of a closed month, was at a size: signed, and published elsewhere",
    )
    op.create_table(
        "checkpoint_target",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("checkpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger()) for name in ("next_at_us", "failing_since_us", "published_at_us")),
        sa.Column("problem", sa.Text()),
        sa.PrimaryKeyConstraint("target", name=op.f("pk_checkpoint_target")),
        comment="Up to which checkpoint each place has been told, and since when it could not be",
    )


def downgrade() -> None:
    for table in ("checkpoint_target", "checkpoint", "signing_key"):
        op.drop_table(table)
