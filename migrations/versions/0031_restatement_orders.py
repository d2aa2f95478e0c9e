"""Restatements that servers do: their orders, dry runs, what they rest on, and how much was reported"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_EXACT_SUM = sa.BigInteger().with_variant(sa.Numeric(38, 0), "postgresql")
_STATE = "ck_restatement_state"
_NEW = ("basis", "method_name", "dry_run", "by_server", "reported_carbon_mid_ugco2e", "records_expected", "problem")


def upgrade() -> None:
    with op.batch_alter_table("restatement") as batch:
        batch.add_column(sa.Column("basis", sa.Text(), nullable=False, server_default=""))
        batch.add_column(sa.Column("method_name", sa.Text()))
        batch.add_column(sa.Column("dry_run", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("by_server", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("reported_carbon_mid_ugco2e", _EXACT_SUM, nullable=False, server_default="0"))
        batch.add_column(sa.Column("records_expected", sa.BigInteger()))
        batch.add_column(sa.Column("problem", sa.Text()))
        batch.drop_constraint(op.f(_STATE), type_="check")
        batch.create_check_constraint(op.f(_STATE), "state IN ('ordered', 'running', 'done', 'failed')")
    # What was reported of their records is not known any more: what these amounted to before is the nearest to it.
    op.execute("UPDATE restatement SET reported_carbon_mid_ugco2e = before_carbon_mid_ugco2e")


def downgrade() -> None:
    # The version before knows no dry runs and none that only wait or have failed; what others have posted stays known.
    op.execute("DELETE FROM restatement WHERE dry_run = 1 OR (state IN ('ordered', 'failed') AND entries = 0)")
    op.execute("UPDATE restatement SET state = 'running' WHERE state IN ('ordered', 'failed')")
    with op.batch_alter_table("restatement") as batch:
        batch.drop_constraint(op.f(_STATE), type_="check")
        batch.create_check_constraint(op.f(_STATE), "state IN ('running', 'done')")
        for name in _NEW:
            batch.drop_column(name)
