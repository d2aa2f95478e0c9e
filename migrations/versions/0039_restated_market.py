"""What restatements have changed of carbon by the market"""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

_EXACT_SUM = sa.BigInteger().with_variant(sa.Numeric(38, 0), "postgresql")
_ADDED = tuple(f"{when}_carbon_market_ugco2e" for when in ("reported", "before", "after"))


def upgrade() -> None:
    # Null of runs that were begun before: what they came to is not known.
    for name in _ADDED:
        op.add_column("restatement", sa.Column(name, _EXACT_SUM, nullable=True))


def downgrade() -> None:
    for name in _ADDED:
        op.drop_column("restatement", name)
