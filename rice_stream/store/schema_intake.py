"""Tables of what came in: progress, what was refused or contradicted, what names stand for, and what was dropped again."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, LargeBinary, Table, Text, UniqueConstraint

from rice_stream.store.schema_base import AUTO_KEY, EVENT_KEY, metadata

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
    # `http` for what came over HTTP: replayed, its factors are believed as little as at first.
    Column("door", Text, nullable=False, server_default=""),
    # The digest is part of the key: a topic that was made again counts its offsets from 0.
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
    # Of teams, projects and cost centres: whose they are, and what the name is that of. Empty text: of all tenants.
    *(Column(name, Text, nullable=False, server_default="") for name in ("tenant_id", "subject")),
    UniqueConstraint("tenant_id", "kind", "subject", "name", "valid_from_us"),
    CheckConstraint("kind IN ('tenant', 'model', 'region', 'team', 'project', 'cost_centre')", name="kind"),
    comment="What a name stands for in events that ended at or after an instant; no target ends what stood before",
)

attribution_version = Table(
    "attribution_version",
    metadata,
    Column("id", AUTO_KEY, primary_key=True),
    Column("valid_from_us", BigInteger, nullable=False),
    Column("digest", LargeBinary(16), nullable=False),
    Column("settings", Text, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    comment="What decides who is charged for items that ended at or after an instant, and which of them count",
)

ingested_file = Table(
    "ingested_file",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary(16), nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in ("records", "events", "quarantined", "ignored")),
    Column("older_than_retention", BigInteger, nullable=False, server_default="0"),
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
    Column("older_than_retention", BigInteger, nullable=False, server_default="0"),
)

retention = Table(
    "retention",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("records_from_us", BigInteger, nullable=False),
    *(Column(name, BigInteger) for name in ("planned_from_us", "planned_at_us", "run_at_us")),
    *(
        Column(name, BigInteger, nullable=False, server_default="0")
        for name in ("minutes_from_us", "quarantine_from_us", "conflicts_from_us", "names_from_us")
    ),
    CheckConstraint("id = 1", name="single_row"),
    comment="Records that ended before this instant have been dropped; their totals stay",
)
