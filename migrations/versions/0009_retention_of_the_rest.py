"""Retention of quarantine, conflicts, alerts, minute totals and user ids; events older than retention are counted"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_COUNTED_IN = ("kafka_progress", "ingested_file")
_PLAN = ("planned_from_us", "planned_at_us", "run_at_us")
_FROM = ("minutes_from_us", "quarantine_from_us", "conflicts_from_us", "names_from_us")


def upgrade() -> None:
    for table in _COUNTED_IN:
        op.add_column(table, sa.Column("older_than_retention", sa.BigInteger(), nullable=False, server_default="0"))
    for name in _PLAN:
        op.add_column("retention", sa.Column(name, sa.BigInteger()))
    for name in _FROM:
        op.add_column("retention", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("principal", sa.Column("unused_since_us", sa.BigInteger()))


def downgrade() -> None:
    op.drop_column("principal", "unused_since_us")
    for name in (*_PLAN, *_FROM):
        op.drop_column("retention", name)
    for table in _COUNTED_IN:
        op.drop_column(table, "older_than_retention")
