"""Which worker judges all budgets; users whose past is still being added up"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lease",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("until_us", sa.BigInteger, nullable=False),
        comment="Work that one process does for all, and until when it has it",
    )
    op.add_column("watched_user", sa.Column("filled", sa.Boolean, nullable=False, server_default=sa.true()))


def downgrade() -> None:
    op.execute(
        "DELETE FROM user_slot_total WHERE EXISTS (SELECT 1 FROM watched_user w WHERE NOT w.filled"
        " AND w.tenant_key = user_slot_total.tenant_key AND w.user_key = user_slot_total.user_key)"
    )
    op.execute("DELETE FROM watched_user WHERE NOT filled")
    op.drop_column("watched_user", "filled")
    op.drop_table("lease")
