"""Corrections as entries beside the records, and when each record was written"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_AUTO_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_EVENT_KEY = sa.LargeBinary(16).with_variant(sa.Uuid(as_uuid=False), "postgresql")
_EXACT_SUM = sa.BigInteger().with_variant(sa.Numeric(38, 0), "postgresql")
_TOKENS = (
    "input_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
)
_AMOUNTS = (
    "it_energy_uwh",
    "facility_energy_uwh",
    "carbon_low_ugco2e",
    "carbon_mid_ugco2e",
    "carbon_high_ugco2e",
    "impact_prompts",
    "embodied_ugco2e",
    "water_ul",
)
_OF_EVENT = sa.text("event_key IS NOT NULL")


def upgrade() -> None:
    # Nullable and without a default: PostgreSQL writes it into the catalogue alone, whatever the table holds.
    op.add_column("prompt_record", sa.Column("recorded_us", sa.BigInteger(), nullable=True))
    _make_adjustment()
    _make_adjustment_entry()


def downgrade() -> None:
    op.drop_table("adjustment_entry")
    op.drop_table("adjustment")
    op.drop_column("prompt_record", "recorded_us")


def _make_adjustment() -> None:
    op.create_table(
        "adjustment",
        sa.Column("adjustment_key", _AUTO_KEY, nullable=False),
        sa.Column("digest", sa.LargeBinary(16), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("tenant_key", sa.Integer(), nullable=False),
        sa.Column("event_key", _EVENT_KEY),
        sa.Column("restatement_id", sa.Text()),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("reason", "author_kind", "author_name", "detail")),
        sa.Column("recorded_us", sa.BigInteger(), nullable=False),
        *(sa.Column(f"contra_{name}", _EXACT_SUM, nullable=False) for name in ("prompts", *_TOKENS, *_AMOUNTS)),
        sa.CheckConstraint(
            "cause IN ('method', 'factors', 'evidence', 'mapping', 'late', 'void', 'true_up')",
            name=op.f("ck_adjustment_cause"),
        ),
        sa.PrimaryKeyConstraint("adjustment_key", name=op.f("pk_adjustment")),
        sa.UniqueConstraint("digest", name=op.f("uq_adjustment_digest")),
        comment="Groups of entries that correct records, each with its cause; rows never change",
        sqlite_autoincrement=True,
    )
    of_event = ["tenant_key", "event_key"]
    op.create_index("ix_adjustment_event", "adjustment", of_event, postgresql_where=_OF_EVENT, sqlite_where=_OF_EVENT)
    op.create_index("ix_adjustment_restatement", "adjustment", ["restatement_id"])
    op.create_index("ix_adjustment_recorded", "adjustment", ["tenant_key", "recorded_us"])


def _make_adjustment_entry() -> None:
    integers = ("tenant_key", "attribution_key", "factor_key", "basis_flags")
    op.create_table(
        "adjustment_entry",
        *(sa.Column(name, sa.Integer(), nullable=False) for name in integers),
        sa.Column("event_key", _EVENT_KEY, nullable=False),
        sa.Column("adjustment_key", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("counted", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("ended_at_us", "recorded_us", *_AMOUNTS)),
        sa.Column("user_key", sa.Integer()),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("prompts", *_TOKENS)),
        sa.CheckConstraint("counted IN (0, 1)", name=op.f("ck_adjustment_entry_counted")),
        sa.PrimaryKeyConstraint("tenant_key", "event_key", "adjustment_key", "line", name=op.f("pk_adjustment_entry")),
        comment="What is added to a record's amounts, or taken away; rows never change",
        sqlite_with_rowid=False,
    )
    op.create_index("ix_adjustment_entry_adjustment", "adjustment_entry", ["adjustment_key"])
