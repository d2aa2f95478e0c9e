"""Closed months that are archived, and the Parquet files that hold their records"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "archived_month",
        sa.Column("tenant_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("low_us", "high_us", "records", "late")),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("table_uri", sa.Text(), nullable=False),
        sa.Column("snapshot_id", sa.BigInteger(), nullable=False),
        sa.Column("principals", sa.LargeBinary(), nullable=False),
        sa.Column("archived_us", sa.BigInteger(), nullable=False),
        sa.Column("archived_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_key", "month", name=op.f("pk_archived_month")),
        comment="Closed months whose records are in files of the archive",
    )
    op.create_table(
        "archived_file",
        sa.Column("tenant_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("is_late", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("records", "size_bytes")),
        sa.Column("sha256", sa.LargeBinary(32), nullable=False),
        *(sa.Column(name, sa.LargeBinary(16), nullable=False) for name in ("first_key", "last_key")),
        sa.PrimaryKeyConstraint("tenant_key", "month", "number", name=op.f("pk_archived_file")),
        comment="Parquet files of archived months",
    )


def downgrade() -> None:
    # The files and the table of Iceberg stay: what they hold is in no other place once retention has dropped it.
    op.drop_table("archived_file")
    op.drop_table("archived_month")
