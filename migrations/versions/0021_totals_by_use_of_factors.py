"""Totals by the hour and by the day of every use of factors, whoever was charged, made from those that know who was"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
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
_MADE_FROM = {
    "factor_hour_total": ("hour_start_s", "slot_start_s - slot_start_s % 3600", "slot_total"),
    "factor_day_total": ("day_start_s", "day_start_s", "day_total"),
}


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for table, (start, bucket, finer) in _MADE_FROM.items():
        _make(table, ("tenant_key", start, "factor_key"), sqlite=sqlite)
        sums = ", ".join(f"SUM({name})" for name in _MEASURES)
        op.execute(f"INSERT INTO {table} SELECT tenant_key, {bucket}, factor_key, {sums} FROM {finer} GROUP BY 1, 2, 3")


def downgrade() -> None:
    for table in reversed(_MADE_FROM):
        op.drop_table(table)


def _make(table: str, keys: tuple[str, ...], *, sqlite: bool) -> None:
    exact = sa.BigInteger().with_variant(sa.Numeric(38, 0), "postgresql")
    columns: list[sa.Column[int]] = [
        sa.Column(key, sa.BigInteger() if key.endswith("_s") else sa.Integer(), autoincrement=False, nullable=False)
        for key in keys
    ]
    columns.append(sa.Column("prompts", sa.BigInteger(), nullable=False))
    columns += [sa.Column(name, exact, nullable=False) for name in _MEASURES[1:]]
    checks = [sa.CheckConstraint(f"typeof({name}) = 'integer'", name=op.f(f"ck_{table}_{name}")) for name in _LARGEST]
    key = sa.PrimaryKeyConstraint(*keys, name=op.f(f"pk_{table}"))
    op.create_table(table, *columns, key, *(checks if sqlite else []), sqlite_with_rowid=False)
    if not sqlite:
        # Room in the pages for rows that are updated again and again.
        op.execute(f"ALTER TABLE {table} SET (fillfactor = 70)")
