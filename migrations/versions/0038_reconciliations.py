"""Reconciliations: what a provider stated of a month beside what is known here, and what nothing explains"""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reconciliation",
        sa.Column("reconciliation_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("tenant_id", "month", "provider", "measure", "file_sha256", "digest")
        ),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("ours", "theirs", "unexplained")),
        sa.Column("threshold_percent", sa.Float(), nullable=False),
        sa.Column("ok", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("told", "author_kind", "author_name")),
        sa.Column("recorded_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("measure IN ('tokens', 'carbon')", name=op.f("ck_reconciliation_measure")),
        sa.CheckConstraint("ok IN (0, 1)", name=op.f("ck_reconciliation_ok")),
        sa.PrimaryKeyConstraint("reconciliation_id", name=op.f("pk_reconciliation")),
        sa.UniqueConstraint("number", name=op.f("uq_reconciliation_number")),
        comment="Comparisons of months with what providers state; the digest of a file, and never what is in it",
    )
    op.create_index("ix_reconciliation_month", "reconciliation", ["tenant_id", "month", "number"])


def downgrade() -> None:
    # What was found stays in the audit trail; a file that is kept is compared again.
    op.drop_table("reconciliation")
