"""Requests that were made with an Idempotency-Key, and what they were answered"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "idempotency_key",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("caller", "key")),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("answer", sa.Text()),
        sa.PrimaryKeyConstraint("caller", "key", name=op.f("pk_idempotency_key")),
        comment="A repeated request is answered as the first one was; kept for a day",
    )


def downgrade() -> None:
    op.drop_table("idempotency_key")
