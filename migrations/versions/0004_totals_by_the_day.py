"""Totals by the day, made from the finer ones; totals of watched users by team, project and model as well"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
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
_SUMS = ", ".join(f"CAST(SUM({name}) AS BIGINT)" for name in _MEASURES)
_OF_RECORDS = ", ".join(["COUNT(*)", *(f"CAST(COALESCE(SUM(r.{name}), 0) AS BIGINT)" for name in _MEASURES[1:])])


def upgrade() -> None:
    _create("tenant_day_total", "day_start_s")
    _by_day("tenant_day_total", "minute_total", "minute_start_s", [])
    _create("day_total", "day_start_s", "attribution_key", "factor_key")
    _by_day("day_total", "slot_total", "slot_start_s", ["attribution_key", "factor_key"])
    op.execute("CREATE TABLE user_slot_before AS SELECT * FROM user_slot_total")
    op.drop_table("user_slot_total")
    _create("user_slot_total", "slot_start_s", "user_key", "attribution_key", "factor_key")
    slot = "r.ended_at_us / 900000000 * 900"
    op.execute(
        f"INSERT INTO user_slot_total SELECT r.tenant_key, {slot}, r.user_key, r.attribution_key, r.factor_key,"
        f" {_OF_RECORDS} FROM prompt_record r JOIN watched_user w"
        " ON w.tenant_key = r.tenant_key AND w.user_key = r.user_key"
        f" GROUP BY r.tenant_key, {slot}, r.user_key, r.attribution_key, r.factor_key"
    )
    # Of records that retention has dropped it is not known any more what they were used for: key 0 stands for that.
    op.execute(
        f"INSERT INTO user_slot_total SELECT tenant_key, slot_start_s, user_key, 0, 0, {', '.join(_MEASURES)}"
        " FROM user_slot_before WHERE slot_start_s <"
        " (SELECT COALESCE(MAX(records_from_us), 0) / 1000000 FROM retention)"
    )
    op.drop_table("user_slot_before")


def downgrade() -> None:
    op.execute("CREATE TABLE user_slot_after AS SELECT * FROM user_slot_total")
    op.drop_table("user_slot_total")
    _create("user_slot_total", "slot_start_s", "user_key")
    op.execute(
        f"INSERT INTO user_slot_total SELECT tenant_key, slot_start_s, user_key, {_SUMS} FROM user_slot_after"
        " GROUP BY tenant_key, slot_start_s, user_key"
    )
    op.drop_table("user_slot_after")
    op.drop_table("day_total")
    op.drop_table("tenant_day_total")


def _create(table: str, *keys: str) -> None:
    columns: list[sa.Column[int]] = [
        sa.Column(key, sa.BigInteger() if key.endswith("_s") else sa.Integer(), autoincrement=False, nullable=False)
        for key in ("tenant_key", *keys)
    ]
    columns += [sa.Column(name, sa.BigInteger(), nullable=False) for name in _MEASURES]
    key = sa.PrimaryKeyConstraint("tenant_key", *keys, name=op.f(f"pk_{table}"))
    op.create_table(table, *columns, key, sqlite_with_rowid=False)


def _by_day(table: str, finer: str, start: str, keys: list[str]) -> None:
    grouped = ", ".join(["tenant_key", f"{start} - {start} % 86400", *keys])
    op.execute(f"INSERT INTO {table} SELECT {grouped}, {_SUMS} FROM {finer} GROUP BY {grouped}")
