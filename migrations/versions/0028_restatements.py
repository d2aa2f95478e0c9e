"""Runs that estimate recorded prompts again"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_EVENT_KEY = sa.LargeBinary(16).with_variant(sa.Uuid(as_uuid=False), "postgresql")
_EXACT_SUM = sa.BigInteger().with_variant(sa.Numeric(38, 0), "postgresql")
_TEXTS = ("method_version", "factor_version", "reason", "author_kind", "author_name", "state")
_ENDS = ("carbon_low_ugco2e", "carbon_mid_ugco2e", "carbon_high_ugco2e")


def upgrade() -> None:
    op.create_table(
        "restatement",
        sa.Column("restatement_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("tenant_id", sa.Text()),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("from_us", "to_us")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _TEXTS),
        sa.Column("at_tenant_key", sa.Integer()),
        sa.Column("at_event_key", _EVENT_KEY),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("records", "entries", "started_us")),
        *(sa.Column(f"{when}_{name}", _EXACT_SUM, nullable=False) for when in ("before", "after") for name in _ENDS),
        sa.Column("by_cause", sa.Text(), nullable=False),
        sa.Column("finished_us", sa.BigInteger()),
        sa.CheckConstraint("state IN ('running', 'done')", name=op.f("ck_restatement_state")),
        sa.PrimaryKeyConstraint("restatement_id", name=op.f("pk_restatement")),
        sa.UniqueConstraint("number", name=op.f("uq_restatement_number")),
        comment="Runs that estimate recorded prompts again, and what they have posted so far",
    )


def downgrade() -> None:
    op.drop_table("restatement")
