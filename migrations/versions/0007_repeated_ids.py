"""Requests without a time of their own: the table that two writers on two sides of midnight meet at

Records of before keep their keys, which begin with the time of their Kafka record to the millisecond; writers look for
those keys too.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "untimed_day",
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_untimed_day")),
        comment="Never has rows. Writers of events without a time of their own lock it: see store/postgres.py",
    )


def downgrade() -> None:
    op.drop_table("untimed_day")
