"""Tables of where alerts are sent, and of what became of each."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from rice_stream.store.schema_base import AUTO_KEY, metadata

channel = Table(
    "channel",
    metadata,
    Column("id", AUTO_KEY, primary_key=True),
    # tenants, budgets: JSON, a list of names; tenants "*" for every tenant. settings: JSON, all that is never searched for.
    *(Column(name, Text, nullable=False) for name in ("name", "type", "target", "tenants", "budgets", "settings")),
    Column("min_severity", Text, nullable=False),
    # Encrypted with RICE_SECRETS_KEY; key_id says with which of its keys.
    Column("sealed", LargeBinary),
    Column("key_id", Text),
    Column("state", Text, nullable=False),
    *(Column(name, BigInteger) for name in ("failing_since_us", "last_done_at_us")),
    Column("last_error", Text),
    *(Column(name, BigInteger, nullable=False) for name in ("created_at_us", "updated_at_us")),
    UniqueConstraint("name", "tenants"),
    CheckConstraint("type IN ('webhook', 'slack', 'alertmanager', 'pagerduty', 'email')", name="type"),
    CheckConstraint("min_severity IN ('info', 'warning', 'critical')", name="min_severity"),
    CheckConstraint("state IN ('ok', 'failing', 'disabled')", name="state"),
    comment="Where alerts are sent; what only the sender may know of it is encrypted",
    # An id stands for one channel for ever: deliveries of one that is gone keep theirs.
    sqlite_autoincrement=True,
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", AUTO_KEY, primary_key=True),
    Column("channel_id", BigInteger, nullable=False),
    # cause: what makes it the only one of its channel, such as the alert's id. lane: those of one lane go one after the other.
    *(Column(name, Text, nullable=False) for name in ("channel", "kind", "cause", "message_id", "state", "content")),
    *(Column(name, Text) for name in ("alert_id", "tenant_id", "lane", "severity")),
    Column("attempts", Integer, nullable=False),
    Column("next_at_us", BigInteger, nullable=False),
    Column("lease_by", Text),
    Column("lease_until_us", BigInteger),
    Column("answered_status", Integer),
    *(Column(name, Text) for name in ("answer_head", "problem", "digest")),
    Column("created_at_us", BigInteger, nullable=False),
    *(Column(name, BigInteger) for name in ("first_tried_at_us", "ended_at_us")),
    # What was held over quiet hours: the id of the digest that tells of it.
    Column("told_by", BigInteger),
    UniqueConstraint("channel_id", "cause"),
    CheckConstraint("kind IN ('alert', 'reminder', 'digest', 'test', 'notice', 'statement')", name="kind"),
    CheckConstraint("state IN ('held', 'due', 'sending', 'done', 'failed', 'dead')", name="state"),
    comment="What is sent to each channel, and what became of it: stored first, sent second",
    sqlite_autoincrement=True,
)
_OF_ALERT = text("alert_id IS NOT NULL")
_OPEN = text("state IN ('held', 'due', 'sending', 'failed')")
# What is due, and what of a lane goes first.
Index("ix_delivery_due", delivery.c.next_at_us, postgresql_where=_OPEN, sqlite_where=_OPEN)
Index(
    "ix_delivery_lane",
    *(delivery.c.channel_id, delivery.c.lane, delivery.c.id),
    postgresql_where=_OPEN,
    sqlite_where=_OPEN,
)
Index("ix_delivery_created", delivery.c.created_at_us)
Index("ix_delivery_alert", delivery.c.alert_id, postgresql_where=_OF_ALERT, sqlite_where=_OF_ALERT)
# Counts of each channel by state, and the latest of one state.
Index("ix_delivery_state", delivery.c.state, delivery.c.channel_id, delivery.c.id)
Index(
    "ix_delivery_told",
    delivery.c.told_by,
    postgresql_where=delivery.c.told_by.is_not(None),
    sqlite_where=delivery.c.told_by.is_not(None),
)
