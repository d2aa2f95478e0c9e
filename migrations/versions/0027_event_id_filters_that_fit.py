"""Filters of event ids as large as what they hold: to find an event by its id is to read few records that are not it"""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_FITTING = "(n_distinct_per_range = 3100, false_positive_rate = 0.0001)"


def upgrade() -> None:
    _make_again(_FITTING)


def downgrade() -> None:
    _make_again("")


def _make_again(options: str) -> None:
    """The index as migration 0003 made it, but for the options of its filters. SQLite has none."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_index("ix_prompt_record_event_id", "prompt_record")
        op.create_index(
            "ix_prompt_record_event_id",
            "prompt_record",
            ["event_id"],
            postgresql_using="brin",
            postgresql_ops={"event_id": f"text_bloom_ops{options}"},
            postgresql_with={"autosummarize": "on", "pages_per_range": 64},
        )
