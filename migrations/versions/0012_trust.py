"""Quarantine keeps the door through which a refused item came: its factors are believed as little when it is replayed"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("quarantine", sa.Column("door", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("quarantine", "door")
