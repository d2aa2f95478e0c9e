"""Finding an event by its id: a small index of PostgreSQL (SQLite's stores are small enough to be read)"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.create_index(
            "ix_prompt_record_event_id",
            "prompt_record",
            ["event_id"],
            postgresql_using="brin",
            postgresql_ops={"event_id": "text_bloom_ops"},
            postgresql_with={"autosummarize": "on", "pages_per_range": 64},
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_index("ix_prompt_record_event_id", "prompt_record")
