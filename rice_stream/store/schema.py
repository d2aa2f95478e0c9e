"""Every table and column, once. Statements live in `rice_stream.store`, changes over time in `migrations/`.

Conventions: energy in integer microwatt-hours (`*_uwh`), carbon in integer micrograms CO2e (`*_ugco2e`), instants in
integer epoch microseconds (`*_us`), bucket starts in epoch seconds (`*_start_s`). Integers add up exactly, in any
order, on every database. `*_key` columns are small integers that stand for a name kept once in a dimension table; the
views (`rice_stream.store.views`) bring the names back. Every key of a tenant's data begins with `tenant_key`, so the schema
can be distributed by tenant as it is.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.types import TypeEngine

from rice_stream.quantities import MEASURES

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

EVENT_KEY: TypeEngine[bytes] = LargeBinary(16).with_variant(Uuid(as_uuid=False), "postgresql")
AUTO_KEY = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers rows only where it is declared INTEGER


def _totals(name: str, *keys: str) -> Table:
    """A table of sums: one row per tenant and distinct value of the keys."""
    columns: list[Column[int]] = [
        Column(key, BigInteger if key.endswith("_s") else Integer, primary_key=True, autoincrement=False)
        for key in ("tenant_key", *keys)
    ]
    columns += [Column(measure, BigInteger, nullable=False) for measure in MEASURES]
    return Table(name, metadata, *columns, sqlite_with_rowid=False)


tenant = Table(
    "tenant",
    metadata,
    Column("tenant_key", Integer, primary_key=True),
    Column("tenant_id", Text, nullable=False, unique=True),
    Column("time_zone", Text, nullable=False, server_default="UTC"),
)

attribution = Table(
    "attribution",
    metadata,
    Column("tenant_key", Integer, primary_key=True, autoincrement=False),
    Column("attribution_key", Integer, primary_key=True, autoincrement=False),
    # Empty text stands for "not given": a unique constraint does not see two NULLs as equal.
    Column("team_id", Text, nullable=False),
    Column("project_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    UniqueConstraint("tenant_key", "team_id", "project_id", "source"),
    comment="Who a prompt is charged to; one row per combination seen",
)

principal = Table(
    "principal",
    metadata,
    Column("tenant_key", Integer, primary_key=True, autoincrement=False),
    Column("principal_key", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    UniqueConstraint("tenant_key", "kind", "name"),
    CheckConstraint("kind IN ('user', 'api_key')", name="kind"),
    comment="Users and API keys",
)

factor_use = Table(
    "factor_use",
    metadata,
    Column("factor_key", Integer, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary(16), nullable=False, unique=True),
    Column("provider", Text, nullable=False),
    Column("request_model", Text, nullable=False),
    Column("response_model", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("model_resolved", Text, nullable=False),
    Column("model_rung", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("region_resolved", Text, nullable=False),
    Column("region_rung", Text, nullable=False),
    Column("hardware", Text, nullable=False),
    Column("pue", Double, nullable=False),
    Column("pue_rung", Text, nullable=False),
    Column("rci_low_gco2e_per_kwh", Double, nullable=False),
    Column("rci_mid_gco2e_per_kwh", Double, nullable=False),
    Column("rci_high_gco2e_per_kwh", Double, nullable=False),
    Column("rci_scope", Text, nullable=False),
    Column("method_version", Text, nullable=False),
    Column("factor_version", Text, nullable=False),
    Column("detail", Text, nullable=False),
    comment="What the estimate of a prompt rests on besides its tokens; rows never change",
)

basis = Table(
    "basis",
    metadata,
    Column("basis_flags", Integer, primary_key=True, autoincrement=False),
    Column("names", Text, nullable=False),
)

prompt_record = Table(
    "prompt_record",
    metadata,
    # In an order that leaves no padding between the columns of a PostgreSQL row.
    Column("tenant_key", Integer, primary_key=True, autoincrement=False),
    Column("attribution_key", Integer, nullable=False),
    Column("factor_key", Integer, nullable=False),
    Column("basis_flags", Integer, nullable=False),
    Column("event_key", EVENT_KEY, primary_key=True),
    Column("ended_at_us", BigInteger, nullable=False),
    Column("it_energy_uwh", BigInteger, nullable=False),
    Column("facility_energy_uwh", BigInteger, nullable=False),
    Column("carbon_low_ugco2e", BigInteger, nullable=False),
    Column("carbon_mid_ugco2e", BigInteger, nullable=False),
    Column("carbon_high_ugco2e", BigInteger, nullable=False),
    Column("user_key", Integer),
    Column("api_key_key", Integer),
    Column("duration_us", BigInteger),
    Column("input_tokens", Integer),
    Column("cache_read_input_tokens", Integer),
    Column("cache_write_input_tokens", Integer),
    Column("output_tokens", Integer),
    Column("reasoning_output_tokens", Integer),
    Column("embodied_ugco2e", BigInteger),
    Column("water_ul", BigInteger),
    Column("event_id", Text, nullable=False),
    # The key begins with the event's time, so a range of keys is a range of time: one partition a month.
    postgresql_partition_by="RANGE (event_key)",
    sqlite_with_rowid=False,
)

Index(
    "ix_prompt_record_event_id",
    # Bloom filters of 64 pages each: a hundredth of what a tree would take, and next to nothing when records come in.
    prompt_record.c.event_id,
    postgresql_using="brin",
    postgresql_ops={"event_id": "text_bloom_ops"},
    postgresql_with={"autosummarize": "on", "pages_per_range": 64},
).ddl_if(dialect="postgresql")

minute_total = _totals("minute_total", "minute_start_s")
slot_total = _totals("slot_total", "slot_start_s", "attribution_key", "factor_key")
# Days of UTC: what keeps a month's budget, however often it is judged, from adding up all of its minutes.
tenant_day_total = _totals("tenant_day_total", "day_start_s")
day_total = _totals("day_total", "day_start_s", "attribution_key", "factor_key")
user_slot_total = _totals("user_slot_total", "slot_start_s", "user_key", "attribution_key", "factor_key")

watched_user = Table(
    "watched_user",
    metadata,
    Column("tenant_key", Integer, primary_key=True, autoincrement=False),
    Column("user_key", Integer, primary_key=True, autoincrement=False),
    comment="Users with a budget: the only ones that user_slot_total is kept for (store/watching.py says why)",
)

month_start = Table(
    "month_start",
    metadata,
    Column("time_zone", Text, primary_key=True),
    Column("month_start_s", BigInteger, primary_key=True, autoincrement=False),
    comment="First instants of the months of every time zone in use: SQL alone cannot know daylight saving on SQLite",
)

retention = Table(
    "retention",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("records_from_us", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="single_row"),
    comment="Records that ended before this instant have been dropped; their totals stay",
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", AUTO_KEY, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("item", Integer, nullable=False),
    Column("digest", LargeBinary(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("received_at_us", BigInteger, nullable=False),
    Column("status", Text, nullable=False, server_default="held"),
    Column("resolved_at_us", BigInteger),
    # The digest is part of the key: a topic that was made anew counts its offsets from 0 again.
    UniqueConstraint("topic", "partition", "offset", "item", "digest"),
    CheckConstraint("status IN ('held', 'replayed', 'dropped')", name="status"),
)

conflict = Table(
    "conflict",
    metadata,
    Column("id", AUTO_KEY, primary_key=True),
    Column("tenant_key", Integer, nullable=False),
    Column("event_key", EVENT_KEY, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("digest", LargeBinary(16), nullable=False),
    Column("detail", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("received_at_us", BigInteger, nullable=False),
    UniqueConstraint("tenant_key", "event_key", "digest"),
    comment="Same event, other content: the first record stands, the other is kept here",
)

mapping = Table(
    "mapping",
    metadata,
    Column("id", AUTO_KEY, primary_key=True),
    *(Column(name, Text, nullable=False) for name in ("kind", "name")),
    Column("target", Text),
    *(Column(name, BigInteger, nullable=False) for name in ("valid_from_us", "created_at_us")),
    UniqueConstraint("kind", "name", "valid_from_us"),
    CheckConstraint("kind IN ('tenant', 'model', 'region')", name="kind"),
    comment="What a name stands for in events that ended at or after an instant; no target ends what stood before",
)

ingested_file = Table(
    "ingested_file",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary(16), nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in ("records", "events", "quarantined", "ignored")),
    comment="Files whose ingestion was cut short: how many records, of which digest, are stored",
)

kafka_progress = Table(
    "kafka_progress",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("first_offset", BigInteger, nullable=False),
    Column("last_offset", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("recorded", BigInteger, nullable=False),
    Column("duplicates", BigInteger, nullable=False),
    Column("conflicts", BigInteger, nullable=False),
    Column("quarantined", BigInteger, nullable=False),
    Column("gaps", BigInteger, nullable=False),
    Column("committed_at_us", BigInteger, nullable=False),
)

budget = Table(
    "budget",
    metadata,
    Column("id", AUTO_KEY, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("team_id", Text),
    Column("project_id", Text),
    Column("user_id", Text),
    Column("model", Text),
    Column("limit_amount", BigInteger, nullable=False),
    Column("unit", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("thresholds", Text, nullable=False),
    Column("estimate", Text, nullable=False),
    Column("hysteresis", Double, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
    UniqueConstraint("tenant_id", "name"),
    CheckConstraint("unit IN ('gco2e', 'kwh')", name="unit"),
    CheckConstraint("limit_amount > 0", name="limit_amount"),
)

budget_state = Table(
    "budget_state",
    metadata,
    Column("budget_id", BigInteger, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    comment="What judging has to remember of each budget (JSON)",
)

alert = Table(
    "alert",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("budget_id", BigInteger, nullable=False),
    Column("budget", Text, nullable=False),
    Column("period_start_us", BigInteger, nullable=False),
    Column("threshold", Double, nullable=False),
    Column("state", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("delivered_at_us", BigInteger),
    Column("event", Text, nullable=False),
    UniqueConstraint("tenant_id", "budget_id", "period_start_us", "threshold", "sequence"),
    comment="Every state change of every budget: stored first, delivered second (this table is the outbox)",
)
Index("ix_alert_undelivered", alert.c.created_at_us, postgresql_where=alert.c.delivered_at_us.is_(None))
