"""Totals by the month and use of factors, made from those by the day"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_MEASURES = (
    "prompts",
    "input_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
    "it_energy_uwh",
    "facility_energy_uwh",
    "carbon_low_ugco2e",
    "carbon_mid_ugco2e",
    "carbon_high_ugco2e",
)
_LARGEST = ("input_tokens", "output_tokens", "facility_energy_uwh", "carbon_high_ugco2e")
_KEYS = ("tenant_key", "month_start_s", "factor_key")
_MONTH_START = {
    "postgresql": "CAST(extract(epoch FROM date_trunc('month', to_timestamp(day_start_s) AT TIME ZONE 'UTC')) AS BIGINT)",
    "sqlite": "CAST(strftime('%s', day_start_s, 'unixepoch', 'start of month') AS INTEGER)",
}


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    exact = sa.BigInteger().with_variant(sa.Numeric(38, 0), "postgresql")
    columns: list[sa.Column[int]] = [
        sa.Column(key, sa.BigInteger() if key.endswith("_s") else sa.Integer(), autoincrement=False, nullable=False)
        for key in _KEYS
    ]
    columns.append(sa.Column("prompts", sa.BigInteger(), nullable=False))
    columns += [sa.Column(name, exact, nullable=False) for name in _MEASURES[1:]]
    checks = [
        sa.CheckConstraint(f"typeof({name}) = 'integer'", name=op.f(f"ck_month_total_{name}")) for name in _LARGEST
    ]
    key = sa.PrimaryKeyConstraint(*_KEYS, name=op.f("pk_month_total"))
    op.create_table("month_total", *columns, key, *(checks if sqlite else []), sqlite_with_rowid=False)
    if not sqlite:
        # Room in the pages for rows that are updated again and again.
        op.execute("ALTER TABLE month_total SET (fillfactor = 70)")
    sums = ", ".join(f"SUM({name})" for name in _MEASURES)
    month = _MONTH_START[op.get_bind().dialect.name]
    op.execute(
        f"INSERT INTO month_total SELECT tenant_key, {month}, factor_key, {sums} FROM day_total GROUP BY 1, 2, 3"
    )


def downgrade() -> None:
    op.drop_table("month_total")
