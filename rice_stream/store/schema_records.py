"""Tables of what is accounted: prompt records, and the names that their keys stand for."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from rice_stream.store.schema_base import EVENT_KEY, metadata

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
    Column("cost_centre", Text, nullable=False, server_default=""),
    # Where mappings charged it to others than the event said: the row of what it said. 0: as the event said.
    Column("said_key", Integer, nullable=False, server_default="0"),
    UniqueConstraint(
        "tenant_key", "team_id", "project_id", "source", "cost_centre", "said_key", name="uq_attribution_charged"
    ),
    comment="Who a prompt is charged to; one row per combination seen",
)

principal = Table(
    "principal",
    metadata,
    Column("tenant_key", Integer, primary_key=True, autoincrement=False),
    Column("principal_key", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("unused_since_us", BigInteger),
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
    Column("metered_energy_uj", BigInteger),
    # Null: recorded before this was kept.
    Column("recorded_us", BigInteger),
    # Null: nothing is known of contracts or of a residual mix; then it is the middle by location.
    Column("carbon_market_ugco2e", BigInteger),
    # The key begins with the event's time, so a range of keys is a range of time: one partition a month.
    postgresql_partition_by="RANGE (event_key)",
    sqlite_with_rowid=False,
)

Index(
    "ix_prompt_record_event_id",
    # Bloom filters of 64 pages each, as large as the ids of so many records need: a tenth of what a tree would take, and next to
    # nothing when records come in (docs/decisions.md).
    prompt_record.c.event_id,
    postgresql_using="brin",
    postgresql_ops={"event_id": "text_bloom_ops(n_distinct_per_range = 3100, false_positive_rate = 0.0001)"},
    postgresql_with={"autosummarize": "on", "pages_per_range": 64},
).ddl_if(dialect="postgresql")

event_id_list = Table(
    "event_id_list",
    metadata,
    Column("splits", Integer, primary_key=True, autoincrement=False),
    Column("bucket", Integer, primary_key=True, autoincrement=False),
    Column("month", Integer, primary_key=True, autoincrement=False),
    Column("list_key", BigInteger, primary_key=True, autoincrement=False),
    Column("tags", LargeBinary().with_variant(ARRAY(Integer), "postgresql"), nullable=False),
    Column("places", LargeBinary().with_variant(ARRAY(BigInteger), "postgresql"), nullable=False),
    comment="Where the events of ids are, on PostgreSQL: see store/event_id_lists.py",
)

event_id_gap = Table(
    "event_id_gap",
    metadata,
    Column("month", Integer, primary_key=True, autoincrement=False),
    comment="Months since 1970-01 whose event ids are not all listed",
)

untimed_day = Table(
    "untimed_day",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    comment="Never has rows. Writers of events without a time of their own lock it: see store/postgres.py",
)
