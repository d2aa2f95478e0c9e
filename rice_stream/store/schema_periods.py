"""Tables of months that are closed, with what was asserted of each when it was, of orders to close one, and of what providers
stated of one."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Float, Index, Integer, LargeBinary, Table, Text

from rice_stream.store.schema_base import metadata

period = Table(
    "period",
    metadata,
    Column("tenant_key", Integer, primary_key=True, autoincrement=False),
    # Such as 2026-11.
    Column("month", Text, primary_key=True),
    # Of the month in the tenant's time zone of then: another zone moves nothing that was closed.
    *(Column(name, BigInteger, nullable=False) for name in ("low_us", "high_us")),
    Column("state", Text, nullable=False),
    # When it was marked, by whom; what is recorded from then on came late.
    Column("marked_us", BigInteger, nullable=False),
    # The latest group of entries of then: those after it are no part of what was closed.
    Column("entries_up_to", BigInteger, nullable=False),
    # What read the records, and as JSON the columns that its leaves are made of.
    *(Column(name, Text, nullable=False) for name in ("code_version", "leaf_columns", "checklist", "marked_by")),
    *(Column(name, BigInteger) for name in ("records", "entries")),
    # Canonical JSON of what is asserted: the last leaf of the tree.
    Column("assertion", Text),
    # root, and what is kept of the tree: see `checkpoint`. block_starts: where each block of leaves begins.
    Column("root", LargeBinary(32)),
    *(Column(name, LargeBinary) for name in ("frontier", "blocks", "leaf_hashes", "block_starts")),
    *(Column(name, BigInteger) for name in ("checkpoint_id", "soft_closed_us", "closed_us")),
    # note, signed_by: of the checkpoint, for those who may see this month and no other one's.
    *(Column(name, Text) for name in ("soft_closed_by", "closed_by", "note", "signed_by")),
    CheckConstraint("state IN ('closing', 'soft_closed', 'closed')", name="state"),
    CheckConstraint("low_us < high_us", name="bounds"),
    comment="Months of tenants that are closed, or being closed; the others are open and have no row",
)
Index("ix_period_high_us", period.c.high_us)

closing = Table(
    "closing",
    metadata,
    Column("closing_id", Text, primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    *(Column(name, Text, nullable=False) for name in ("tenant_id", "month")),
    Column("soft", Integer, nullable=False),
    # accepted: JSON, reasons by the name of a line of the checklist. step: what is being done.
    *(Column(name, Text, nullable=False) for name in ("accepted", "author_kind", "author_name", "state", "step")),
    *(Column(name, BigInteger) for name in ("records", "records_expected")),
    Column("ordered_us", BigInteger, nullable=False),
    Column("finished_us", BigInteger),
    Column("problem", Text),
    CheckConstraint("state IN ('ordered', 'running', 'done', 'failed')", name="state"),
    comment="Orders to close a month, and how far each has come; what is closed is in `period`",
)

reconciliation = Table(
    "reconciliation",
    metadata,
    Column("reconciliation_id", Text, primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    *(Column(name, Text, nullable=False) for name in ("tenant_id", "month", "provider", "measure")),
    # file_sha256: of what was compared with. digest: of that and of what came of it; the same twice in a row is told once.
    *(Column(name, Text, nullable=False) for name in ("file_sha256", "digest")),
    # Tokens, or micrograms.
    *(Column(name, BigInteger, nullable=False) for name in ("ours", "theirs", "unexplained")),
    Column("threshold_percent", Float, nullable=False),
    Column("ok", Integer, nullable=False),
    # told: canonical JSON of what was answered, without anything of the file's own words.
    *(Column(name, Text, nullable=False) for name in ("told", "author_kind", "author_name")),
    Column("recorded_us", BigInteger, nullable=False),
    CheckConstraint("measure IN ('tokens', 'carbon')", name="measure"),
    CheckConstraint("ok IN (0, 1)", name="ok"),
    Index("ix_reconciliation_month", "tenant_id", "month", "number"),
    comment="Comparisons of months with what providers state; the digest of a file, and never what is in it",
)
