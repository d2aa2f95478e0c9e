"""Totals by team over rolling windows, and the 80 % range of a total as a function.

Views and the function are brought into a database of the newest schema after the steps (store/view_upkeep.py,
store/range_function.py): this step makes every older one run `rice-stream migrate`.
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What comes is a view and a function, and they come after the steps."""


def downgrade() -> None:
    """Views are gone by then."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION IF EXISTS total_range(text, timestamptz, timestamptz)")
