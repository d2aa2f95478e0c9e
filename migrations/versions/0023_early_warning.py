"""Budgets that warn before a threshold is reached, and what each alert rests on"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("budget", sa.Column("early_warning", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("alert", sa.Column("basis", sa.Text(), nullable=False, server_default="actual"))


def downgrade() -> None:
    op.drop_column("alert", "basis")
    op.drop_column("budget", "early_warning")
