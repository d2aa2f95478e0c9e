"""Tables of budgets, their states and their alerts."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Double, Index, Table, Text, UniqueConstraint, false

from rice_stream.store.schema_base import AUTO_KEY, metadata

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
    Column("early_warning", Boolean, nullable=False, server_default=false()),
    Column("cost_centre", Text),
    UniqueConstraint("tenant_id", "name"),
    CheckConstraint("unit IN ('gco2e', 'kwh')", name="unit"),
    CheckConstraint("limit_amount > 0", name="limit_amount"),
    # An id stands for one budget for ever, as on PostgreSQL: alerts of a budget that is gone keep theirs.
    sqlite_autoincrement=True,
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
    # What it rests on: what was consumed, a burn rate or a forecast.
    Column("basis", Text, nullable=False, server_default="actual"),
    UniqueConstraint("tenant_id", "budget_id", "period_start_us", "threshold", "sequence"),
    comment="Every state change of every budget: stored first, delivered second (this table is the outbox)",
)
Index("ix_alert_undelivered", alert.c.created_at_us, postgresql_where=alert.c.delivered_at_us.is_(None))

lease = Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    comment="Work that one process does for all, and until when it has it",
)
