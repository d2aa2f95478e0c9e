"""Ids of budgets are never given out a second time, on SQLite either; states without a budget go"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_COLUMNS = (
    "id, tenant_id, name, team_id, project_id, user_id, model, limit_amount, unit, period, time_zone, thresholds,"
    " estimate, hysteresis, updated_at_us"
)

# Budgets that were given the id of one that is gone: alerts under their id have another tenant or name, or are further on
# than the budget's own state. They get ids that no alert has; otherwise alerts of theirs could pass for sent already.
_REUSED = """
CREATE TABLE budget_renumbered AS
SELECT b.id AS old_id, (SELECT seq FROM sqlite_sequence WHERE name = 'budget') + ROW_NUMBER() OVER (ORDER BY b.id) AS new_id
FROM budget b LEFT JOIN budget_state s ON s.budget_id = b.id
WHERE EXISTS (
    SELECT 1 FROM alert a WHERE a.budget_id = b.id AND (
        a.tenant_id <> b.tenant_id OR a.budget <> b.name
        OR a.sequence > COALESCE(CASE WHEN json_valid(s.state) THEN json_extract(s.state, '$.sequence') END, 0)
    )
)
"""
_NEW_ID = (
    "(SELECT new_id FROM budget_renumbered WHERE old_id = {0}) WHERE {0} IN (SELECT old_id FROM budget_renumbered)"
)


def upgrade() -> None:
    op.execute("DELETE FROM budget_state WHERE budget_id NOT IN (SELECT id FROM budget)")
    if op.get_bind().dialect.name != "sqlite":
        return  # a sequence of PostgreSQL never goes back
    _rebuild(autoincrement=True)
    # The counter begins after every id that was ever seen, also of budgets that are gone.
    op.execute("DELETE FROM sqlite_sequence WHERE name = 'budget'")
    op.execute(
        "INSERT INTO sqlite_sequence (name, seq) SELECT 'budget', MAX(id) FROM"
        " (SELECT 0 AS id UNION ALL SELECT id FROM budget UNION ALL SELECT budget_id FROM alert)"
    )
    op.execute(_REUSED)
    op.execute(f"UPDATE budget SET id = {_NEW_ID.format('id')}")
    op.execute(f"UPDATE budget_state SET budget_id = {_NEW_ID.format('budget_id')}")
    op.drop_table("budget_renumbered")
    op.execute(
        "UPDATE sqlite_sequence SET seq = MAX(seq, (SELECT COALESCE(MAX(id), 0) FROM budget)) WHERE name = 'budget'"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _rebuild(autoincrement=False)


def _rebuild(*, autoincrement: bool) -> None:
    """SQLite cannot alter this: a new table, with the rows of the old one."""
    texts = [
        sa.Column(name, sa.Text(), nullable=name in ("team_id", "project_id", "user_id", "model"))
        for name in ("tenant_id", "name", "team_id", "project_id", "user_id", "model")
    ]
    op.create_table(
        "budget_rebuilt",
        sa.Column("id", sa.Integer(), nullable=False),
        *texts,
        sa.Column("limit_amount", sa.BigInteger(), nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("unit", "period", "time_zone", "thresholds", "estimate")
        ),
        sa.Column("hysteresis", sa.Double(), nullable=False),
        sa.Column("updated_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("unit IN ('gco2e', 'kwh')", name=op.f("ck_budget_unit")),
        sa.CheckConstraint("limit_amount > 0", name=op.f("ck_budget_limit_amount")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budget")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_budget_tenant_id_name")),
        sqlite_autoincrement=autoincrement,
    )
    op.execute(f"INSERT INTO budget_rebuilt ({_COLUMNS}) SELECT {_COLUMNS} FROM budget")
    op.drop_table("budget")
    op.rename_table("budget_rebuilt", "budget")
