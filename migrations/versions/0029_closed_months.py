"""Months that are closed"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "period",
        sa.Column("tenant_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("low_us", "high_us")),
        sa.Column("state", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("marked_us", "entries_up_to")),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("code_version", "leaf_columns", "checklist", "marked_by")
        ),
        *(sa.Column(name, sa.BigInteger()) for name in ("records", "entries")),
        sa.Column("assertion", sa.Text()),
        sa.Column("root", sa.LargeBinary(32)),
        *(sa.Column(name, sa.LargeBinary()) for name in ("frontier", "blocks", "leaf_hashes", "block_starts")),
        *(sa.Column(name, sa.BigInteger()) for name in ("checkpoint_id", "soft_closed_us", "closed_us")),
        *(sa.Column(name, sa.Text()) for name in ("soft_closed_by", "closed_by", "note", "signed_by")),
        sa.CheckConstraint("state IN ('closing', 'soft_closed', 'closed')", name=op.f("ck_period_state")),
        sa.CheckConstraint("low_us < high_us", name=op.f("ck_period_bounds")),
        sa.PrimaryKeyConstraint("tenant_key", "month", name=op.f("pk_period")),
        comment="Months of tenants that are closed, or being closed; the others are open and have no row",
    )
    op.create_index("ix_period_high_us", "period", ["high_us"])


def downgrade() -> None:
    op.drop_table("period")
