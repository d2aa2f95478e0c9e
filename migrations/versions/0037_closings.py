"""Closes of months that servers do: their orders and how far each has come"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "closing",
        sa.Column("closing_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("tenant_id", "month")),
        sa.Column("soft", sa.Integer(), nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("accepted", "author_kind", "author_name", "state", "step")
        ),
        *(sa.Column(name, sa.BigInteger()) for name in ("records", "records_expected")),
        sa.Column("ordered_us", sa.BigInteger(), nullable=False),
        sa.Column("finished_us", sa.BigInteger()),
        sa.Column("problem", sa.Text()),
        sa.CheckConstraint("state IN ('ordered', 'running', 'done', 'failed')", name=op.f("ck_closing_state")),
        sa.PrimaryKeyConstraint("closing_id", name=op.f("pk_closing")),
        sa.UniqueConstraint("number", name=op.f("uq_closing_number")),
        comment="Orders to close a month, and how far each has come; what is closed is in `period`",
    )


def downgrade() -> None:
    # Orders alone: what they have closed stays closed, and what they have not is asked for again.
    op.drop_table("closing")
