"""Tables of sums, made from their descriptions in `totals_tables`, and what their keeping needs."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Integer, Table, Text, true

from rice_stream.quantities import MEASURES
from rice_stream.store import totals_tables
from rice_stream.store.schema_base import metadata
from rice_stream.store.totals_tables import TotalsTable

LARGEST = (
    "input_tokens",
    "output_tokens",
    "facility_energy_uwh",
    "carbon_high_ugco2e",
    "embodied_ugco2e",
    "water_ul",
    "carbon_market_ugco2e",
)
"""No measure is larger than one of these: none can overflow on SQLite before one of these does. PostgreSQL refuses by itself what
64 bits do not hold."""


def _table(totals: TotalsTable) -> Table:
    keys: list[Column[int]] = [
        Column(key, BigInteger if key == totals.start else Integer, primary_key=True, autoincrement=False)
        for key in totals.key_columns
    ]
    measures = [Column(name, BigInteger, nullable=False) for name in MEASURES]
    exact = [CheckConstraint(f"typeof({name}) = 'integer'", name=name).ddl_if(dialect="sqlite") for name in LARGEST]
    corrected = [Column(name, BigInteger) for name in totals.corrected_columns]
    return Table(totals.name, metadata, *keys, *measures, *corrected, *exact, sqlite_with_rowid=False)


minute_total = _table(totals_tables.MINUTES)
slot_total = _table(totals_tables.SLOTS)
user_slot_total = _table(totals_tables.USER_SLOTS)
factor_hour_total = _table(totals_tables.FACTOR_HOURS)
tenant_day_total = _table(totals_tables.TENANT_DAYS)
day_total = _table(totals_tables.DAYS)
factor_day_total = _table(totals_tables.FACTOR_DAYS)
month_total = _table(totals_tables.MONTHS)

watched_user = Table(
    "watched_user",
    metadata,
    Column("tenant_key", Integer, primary_key=True, autoincrement=False),
    Column("user_key", Integer, primary_key=True, autoincrement=False),
    # False while the sums of the user's past are not there yet; batches add to them from the row on.
    Column("filled", Boolean, nullable=False, server_default=true()),
    comment="Users with a budget: the only ones that user_slot_total is kept for (store/watching.py says why)",
)

month_start = Table(
    "month_start",
    metadata,
    Column("time_zone", Text, primary_key=True),
    Column("month_start_s", BigInteger, primary_key=True, autoincrement=False),
    comment="First instants of the months of every time zone in use: SQL alone cannot know daylight saving on SQLite",
)
