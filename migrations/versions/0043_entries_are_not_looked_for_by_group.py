"""PostgreSQL has no index of entries by their group: every entry that is written paid a third for it, and none is looked for so"""

from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

_INDEX = "ix_adjustment_entry_adjustment"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_index(_INDEX, "adjustment_entry")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.create_index(_INDEX, "adjustment_entry", ["adjustment_key"])
