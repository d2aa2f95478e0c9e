"""Tables of corrections: records never change, what corrects them is added beside them as entries."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)

from rice_stream.quantities import ENTRY_AMOUNTS, MARKET_COLUMN, MEASURES
from rice_stream.store.entry_columns import CAUSES
from rice_stream.store.schema_base import AUTO_KEY, EVENT_KEY, EXACT_SUM, metadata

CARBON_ENDS = ("carbon_low_ugco2e", "carbon_mid_ugco2e", "carbon_high_ugco2e")
_OF_EVENT = text("event_key IS NOT NULL")

adjustment = Table(
    "adjustment",
    metadata,
    Column("adjustment_key", AUTO_KEY, primary_key=True),
    # Of what it is made for: the same cause a second time inserts nothing.
    Column("digest", LargeBinary(16), nullable=False, unique=True),
    Column("cause", Text, nullable=False),
    Column("tenant_key", Integer, nullable=False),
    Column("event_key", EVENT_KEY),
    Column("restatement_id", Text),
    *(Column(name, Text, nullable=False) for name in ("reason", "author_kind", "author_name", "detail")),
    Column("recorded_us", BigInteger, nullable=False),
    # What its entries add up to, with a minus sign: with them, every group sums to zero.
    *(Column(f"contra_{name}", EXACT_SUM, nullable=False) for name in ENTRY_AMOUNTS if name != MARKET_COLUMN),
    Column(f"contra_{MARKET_COLUMN}", EXACT_SUM, nullable=False, server_default="0"),
    CheckConstraint("cause IN ({})".format(", ".join(f"'{cause}'" for cause in CAUSES)), name="cause"),
    Index("ix_adjustment_event", "tenant_key", "event_key", postgresql_where=_OF_EVENT, sqlite_where=_OF_EVENT),
    Index("ix_adjustment_restatement", "restatement_id"),
    Index("ix_adjustment_recorded", "tenant_key", "recorded_us"),
    comment="Groups of entries that correct records, each with its cause; rows never change",
    sqlite_autoincrement=True,
)

_TOKENS = tuple(name for name in MEASURES if name.endswith("_tokens"))

adjustment_entry = Table(
    "adjustment_entry",
    metadata,
    Column("tenant_key", Integer, primary_key=True, autoincrement=False),
    Column("attribution_key", Integer, nullable=False),
    Column("factor_key", Integer, nullable=False),
    Column("basis_flags", Integer, nullable=False),
    # The record's own: what is known of when it ended and of who it is holds for what corrects it.
    Column("event_key", EVENT_KEY, primary_key=True),
    Column("adjustment_key", BigInteger, primary_key=True, autoincrement=False),
    Column("line", Integer, primary_key=True, autoincrement=False),
    # False: records and totals hold these amounts already, which came after their month was closed.
    Column("counted", Integer, nullable=False),
    Column("ended_at_us", BigInteger, nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
    *(
        Column(name, BigInteger, nullable=False)
        for name in ENTRY_AMOUNTS
        if name not in ("prompts", *_TOKENS, MARKET_COLUMN)
    ),
    Column("user_key", Integer),
    *(Column(name, Integer, nullable=False) for name in ("prompts", *_TOKENS)),
    Column(MARKET_COLUMN, BigInteger, nullable=False, server_default="0"),
    CheckConstraint("counted IN (0, 1)", name="counted"),
    comment="What is added to a record's amounts, or taken away; rows never change",
    sqlite_with_rowid=False,
)
_LATE = adjustment_entry.c.counted == 0
Index(
    "ix_adjustment_entry_late",
    adjustment_entry.c.tenant_key,
    adjustment_entry.c.event_key,
    postgresql_where=_LATE,
    sqlite_where=_LATE,
)
# Of PostgreSQL, a third of what it takes to write an entry went into it, and nothing there looks for entries by their group.
_BY_GROUP = Index("ix_adjustment_entry_adjustment", adjustment_entry.c.adjustment_key, info={"only_on": "sqlite"})
_BY_GROUP.ddl_if(dialect="sqlite")

contract_coverage = Table(
    "contract_coverage",
    metadata,
    Column("tenant_key", Integer, primary_key=True, autoincrement=False),
    Column("month", Text, primary_key=True),
    Column("contract", Text, primary_key=True),
    Column("hour_start_s", BigInteger, primary_key=True, autoincrement=False),
    # What carbon by the market rested on there besides.
    *(Column(name, Text, primary_key=True) for name in ("instrument", "granularity")),
    *(Column(f"contract_{name}", Text, nullable=False) for name in ("instrument", "granularity")),
    Column("covered_uwh", BigInteger, nullable=False),
    Index("ix_contract_coverage_contract", "contract", "month"),
    CheckConstraint("covered_uwh > 0", name="covered_uwh"),
    comment="Energy that contracts cover, of the months of tenants that they were applied to",
    sqlite_with_rowid=False,
)

restatement = Table(
    "restatement",
    metadata,
    Column("restatement_id", Text, primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("tenant_id", Text),
    *(Column(name, BigInteger, nullable=False) for name in ("from_us", "to_us")),
    *(Column(name, Text, nullable=False) for name in ("method_version", "factor_version", "reason")),
    *(Column(name, Text, nullable=False) for name in ("author_kind", "author_name", "state")),
    # How far it has come: the last record of the tenant that is done.
    Column("at_tenant_key", Integer),
    Column("at_event_key", EVENT_KEY),
    *(Column(name, BigInteger, nullable=False) for name in ("records", "entries", "started_us")),
    *(Column(f"{when}_{name}", EXACT_SUM, nullable=False) for when in ("before", "after") for name in CARBON_ENDS),
    # JSON: micrograms by cause.
    Column("by_cause", Text, nullable=False),
    Column("finished_us", BigInteger),
    # Digest of all that estimates are made by; empty of those of versions that did not keep it.
    Column("basis", Text, nullable=False, server_default=""),
    Column("method_name", Text),
    *(Column(name, Integer, nullable=False, server_default="0") for name in ("dry_run", "by_server")),
    Column("reported_carbon_mid_ugco2e", EXACT_SUM, nullable=False, server_default="0"),
    Column("records_expected", BigInteger),
    Column("problem", Text),
    # JSON: micrograms by the market, by cause.
    Column("market_by_cause", Text, nullable=False, server_default="{}"),
    # Null of runs that were begun by versions that did not keep it.
    *(Column(f"{when}_carbon_market_ugco2e", EXACT_SUM) for when in ("reported", "before", "after")),
    CheckConstraint("state IN ('ordered', 'running', 'done', 'failed')", name="state"),
    comment="Runs that estimate recorded prompts again, and what they have posted so far",
)
