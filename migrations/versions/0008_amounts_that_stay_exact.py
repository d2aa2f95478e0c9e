"""Totals that no number of events can overflow: NUMERIC on PostgreSQL, constraints on SQLite; room for updates in their pages"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLES = {
    "minute_total": ("minute_start_s",),
    "slot_total": ("slot_start_s", "attribution_key", "factor_key"),
    "user_slot_total": ("slot_start_s", "user_key", "attribution_key", "factor_key"),
    "tenant_day_total": ("day_start_s",),
    "day_total": ("day_start_s", "attribution_key", "factor_key"),
}
_SUMS = (
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
_FILLFACTOR = 70


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_on_sqlite(exact=True)
        return
    for table in _TABLES:
        # Before the rewrite, which then leaves the room: rows are updated again and again within their minute or day.
        op.execute(f"ALTER TABLE {table} SET (fillfactor = {_FILLFACTOR})")
        op.execute(f"ALTER TABLE {table} {_types('NUMERIC(38, 0)')}")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_on_sqlite(exact=False)
        return
    for table in _TABLES:
        op.execute(f"ALTER TABLE {table} RESET (fillfactor)")
        op.execute(f"ALTER TABLE {table} {_types('BIGINT')}")


def _types(kind: str) -> str:
    return ", ".join(f"ALTER COLUMN {name} TYPE {kind}" for name in _SUMS)


def _rebuild_on_sqlite(*, exact: bool) -> None:
    """SQLite cannot add a constraint: new tables, with the rows of the old ones."""
    for table, keys in _TABLES.items():
        columns: list[sa.Column[int]] = [
            sa.Column(key, sa.BigInteger() if key.endswith("_s") else sa.Integer(), autoincrement=False, nullable=False)
            for key in ("tenant_key", *keys)
        ]
        columns += [sa.Column(name, sa.BigInteger(), nullable=False) for name in ("prompts", *_SUMS)]
        constraints = [
            sa.CheckConstraint(f"typeof({name}) = 'integer'", name=op.f(f"ck_{table}_{name}")) for name in _LARGEST
        ]
        key = sa.PrimaryKeyConstraint("tenant_key", *keys, name=op.f(f"pk_{table}"))
        op.create_table(f"{table}_rebuilt", *columns, key, *(constraints if exact else ()), sqlite_with_rowid=False)
        names = ", ".join(column.name for column in columns)
        # A total that has overflowed is a float: `verify` shows it as an integer too.
        values = ", ".join(f"CAST({column.name} AS INTEGER)" for column in columns)
        op.execute(f"INSERT INTO {table}_rebuilt ({names}) SELECT {values} FROM {table}")
        op.drop_table(table)
        op.rename_table(f"{table}_rebuilt", table)
