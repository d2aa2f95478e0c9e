"""Totals in 64 bits on both databases, with embodied carbon, water and carbon by the market"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_KEYS = {
    # First, and small: views rest on it, so that PostgreSQL says at once where they are in the way.
    "tenant_day_total": ("tenant_key", "day_start_s"),
    "minute_total": ("tenant_key", "minute_start_s"),
    "slot_total": ("tenant_key", "slot_start_s", "attribution_key", "factor_key"),
    "user_slot_total": ("tenant_key", "slot_start_s", "user_key", "attribution_key", "factor_key"),
    "factor_hour_total": ("tenant_key", "hour_start_s", "factor_key"),
    "day_total": ("tenant_key", "day_start_s", "attribution_key", "factor_key"),
    "factor_day_total": ("tenant_key", "day_start_s", "factor_key"),
    "month_total": ("tenant_key", "month_start_s", "factor_key"),
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
_IMPACTS = ("impact_prompts", "embodied_ugco2e", "water_ul")
_MARKET = "carbon_market_ugco2e"
_LARGEST = ("input_tokens", "output_tokens", "facility_energy_uwh", "carbon_high_ugco2e")
_MONTH_START = {
    "postgresql": "CAST(extract(epoch FROM date_trunc('month', to_timestamp(start_s) AT TIME ZONE 'UTC')) AS BIGINT)",
    "sqlite": "CAST(strftime('%s', start_s, 'unixepoch', 'start of month') AS INTEGER)",
}
_ADDED = ", ".join(f"SUM({name}) AS {name}" for name in _IMPACTS)


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    op.add_column("prompt_record", sa.Column(_MARKET, sa.BigInteger(), nullable=True))
    _add_market_of_entries(sqlite=sqlite)
    if sqlite:
        _rebuild_on_sqlite((*_IMPACTS, _MARKET))
        _fill()
        return
    op.execute("ALTER TABLE tenant_day_total ALTER COLUMN input_tokens TYPE BIGINT")
    for table in _KEYS:
        added = ", ".join(f"ADD COLUMN {name} BIGINT NOT NULL DEFAULT 0" for name in (*_IMPACTS, _MARKET))
        op.execute(f"ALTER TABLE {table} {added}")
    # Before the tables are written anew, which leaves out the rows that this replaces.
    _fill()
    for table in _KEYS:
        types = ", ".join(f"ALTER COLUMN {name} TYPE BIGINT" for name in _SUMS)
        market = f"ALTER COLUMN {_MARKET} TYPE BIGINT USING CAST(carbon_mid_ugco2e AS BIGINT)"
        op.execute(f"ALTER TABLE {table} {types}, {market}")
        defaults = ", ".join(f"ALTER COLUMN {name} DROP DEFAULT" for name in (*_IMPACTS, _MARKET))
        op.execute(f"ALTER TABLE {table} {defaults}")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_on_sqlite(())
    else:
        for table in _KEYS:
            types = ", ".join(f"ALTER COLUMN {name} TYPE NUMERIC(38, 0)" for name in _SUMS)
            dropped = ", ".join(f"DROP COLUMN {name}" for name in (*_IMPACTS, _MARKET))
            op.execute(f"ALTER TABLE {table} {types}, {dropped}")
    op.drop_column("adjustment_entry", _MARKET)
    op.drop_column("adjustment", f"contra_{_MARKET}")
    op.drop_column("prompt_record", _MARKET)


def _add_market_of_entries(*, sqlite: bool) -> None:
    """Nothing was known of the market: what entries change of it is what they change of the middle."""
    exact = sa.BigInteger().with_variant(sa.Numeric(38, 0), "postgresql")
    contra = sa.Column(f"contra_{_MARKET}", exact, nullable=False, server_default="0")
    op.add_column("adjustment", contra)
    op.execute(f"UPDATE adjustment SET contra_{_MARKET} = contra_carbon_mid_ugco2e")
    op.add_column("adjustment_entry", sa.Column(_MARKET, sa.BigInteger(), nullable=False, server_default="0"))
    op.execute(
        f"UPDATE adjustment_entry SET {_MARKET} = carbon_mid_ugco2e"
        if sqlite
        else f"ALTER TABLE adjustment_entry ALTER COLUMN {_MARKET} TYPE BIGINT USING carbon_mid_ugco2e"
    )


def _fill() -> None:
    """Add embodied carbon and water of the records that are kept, and of what corrects them, up to what totals hold of them."""
    connection = op.get_bind()
    kept = connection.execute(sa.text("SELECT MAX(records_from_us), MAX(minutes_from_us) FROM retention")).one()
    records_from_us, minutes_from_us = (value or 0 for value in kept)
    second = "r.ended_at_us / 1000000"
    slot = f"{second} - {second} % 900"
    minute = f"CASE WHEN r.ended_at_us < {minutes_from_us} / 900000000 * 900000000 THEN {slot} ELSE {second} - {second} % 60 END"
    watched = "EXISTS (SELECT 1 FROM watched_user w WHERE w.tenant_key = r.tenant_key AND w.user_key = r.user_key)"
    _collect("impacts_by_minute", ("tenant_key",), minute, records_from_us)
    _collect("impacts_by_slot", ("tenant_key", "attribution_key", "factor_key"), slot, records_from_us)
    of_users = ("tenant_key", "user_key", "attribution_key", "factor_key")
    _collect("impacts_by_user", of_users, slot, records_from_us, f" AND {watched}")
    _add("minute_total", "impacts_by_minute", "start_s")
    _add("tenant_day_total", "impacts_by_minute", "start_s - start_s % 86400")
    _add("slot_total", "impacts_by_slot", "start_s")
    _add("user_slot_total", "impacts_by_user", "start_s")
    _add("factor_hour_total", "impacts_by_slot", "start_s - start_s % 3600")
    for table in ("day_total", "factor_day_total"):
        _add(table, "impacts_by_slot", "start_s - start_s % 86400")
    _add("month_total", "impacts_by_slot", _MONTH_START[connection.dialect.name])
    for table in ("impacts_by_minute", "impacts_by_slot", "impacts_by_user"):
        op.drop_table(table)


def _collect(table: str, keys: tuple[str, ...], start_s: str, records_from_us: int, also: str = "") -> None:
    """The impacts by keys and the start of a bucket (`start_s`), from one look at the records."""
    chosen = ", ".join(f"r.{name}" for name in keys)
    sources = (
        ("prompt_record", "1", "r.embodied_ugco2e IS NOT NULL"),
        ("adjustment_entry", "r.impact_prompts", "r.counted = 1"),
    )
    rows = " UNION ALL ".join(
        f"SELECT {chosen}, {start_s} AS start_s, {prompts} AS impact_prompts, COALESCE(r.embodied_ugco2e, 0) AS embodied_ugco2e,"
        f" COALESCE(r.water_ul, 0) AS water_ul FROM {source} r WHERE {condition} AND r.ended_at_us >= {records_from_us}{also}"
        for source, prompts, condition in sources
    )
    grouped = ", ".join((*keys, "start_s"))
    op.execute(f"CREATE TEMPORARY TABLE {table} AS SELECT {grouped}, {_ADDED} FROM ({rows}) m GROUP BY {grouped}")


def _add(table: str, source: str, start_s: str) -> None:
    """Of quarter hours that are minutes still, the first may have no row: it gets one, without prompts."""
    keys = _KEYS[table]
    start = next(name for name in keys if name.endswith("_start_s"))
    values = ", ".join(start_s if name == start else name for name in keys)
    grouped = ", ".join(str(place + 1) for place in range(len(keys)))
    named = ", ".join((*keys, "prompts", *_SUMS, *_IMPACTS, _MARKET))
    nothing = ", ".join("0" for _ in ("prompts", *_SUMS))
    changes = ", ".join(f"{name} = excluded.{name}" for name in _IMPACTS)
    some = " OR ".join(f"SUM({name}) <> 0" for name in _IMPACTS)
    op.execute(
        f"INSERT INTO {table} ({named}) SELECT {values}, {nothing}, {_ADDED}, 0 FROM {source} WHERE TRUE"
        f" GROUP BY {grouped} HAVING {some} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}"
    )


def _rebuild_on_sqlite(more: tuple[str, ...]) -> None:
    """SQLite cannot add a constraint: new tables, with the rows of the old ones; all of the market is that by location."""
    for table, keys in _KEYS.items():
        columns: list[sa.Column[int]] = [
            sa.Column(key, sa.BigInteger() if key.endswith("_s") else sa.Integer(), autoincrement=False, nullable=False)
            for key in keys
        ]
        columns += [sa.Column(name, sa.BigInteger(), nullable=False) for name in ("prompts", *_SUMS, *more)]
        exact = [*_LARGEST, *(name for name in more if name != "impact_prompts")]
        checks = [sa.CheckConstraint(f"typeof({name}) = 'integer'", name=op.f(f"ck_{table}_{name}")) for name in exact]
        key = sa.PrimaryKeyConstraint(*keys, name=op.f(f"pk_{table}"))
        op.create_table(f"{table}_rebuilt", *columns, key, *checks, sqlite_with_rowid=False)
        names = ", ".join(column.name for column in columns)
        values = ", ".join(
            "carbon_mid_ugco2e" if column.name == _MARKET else "0" if column.name in more else column.name
            for column in columns
        )
        op.execute(f"INSERT INTO {table}_rebuilt ({names}) SELECT {values} FROM {table}")
        op.drop_table(table)
        op.rename_table(f"{table}_rebuilt", table)
