"""Keys that all servers of a database share"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "server_key",
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(32), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("purpose", name=op.f("pk_server_key")),
        comment="Random keys that all servers of this database share, such as that of cursors",
    )


def downgrade() -> None:
    op.drop_table("server_key")
