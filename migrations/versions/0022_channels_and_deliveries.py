"""Channels that alerts are sent to, and the deliveries of each"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_AUTO_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OF_ALERT = sa.text("alert_id IS NOT NULL")
_OPEN = sa.text("state IN ('held', 'due', 'sending', 'failed')")


def upgrade() -> None:
    _make_channel()
    _make_delivery()


def downgrade() -> None:
    op.drop_table("delivery")
    op.drop_table("channel")


def _make_channel() -> None:
    named = ("name", "type", "target", "tenants", "budgets", "settings", "min_severity")
    op.create_table(
        "channel",
        sa.Column("id", _AUTO_KEY, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in named),
        sa.Column("sealed", sa.LargeBinary()),
        sa.Column("key_id", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger()) for name in ("failing_since_us", "last_done_at_us")),
        sa.Column("last_error", sa.Text()),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("created_at_us", "updated_at_us")),
        sa.CheckConstraint(
            "type IN ('webhook', 'slack', 'alertmanager', 'pagerduty', 'email')", name=op.f("ck_channel_type")
        ),
        sa.CheckConstraint("min_severity IN ('info', 'warning', 'critical')", name=op.f("ck_channel_min_severity")),
        sa.CheckConstraint("state IN ('ok', 'failing', 'disabled')", name=op.f("ck_channel_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel")),
        sa.UniqueConstraint("name", "tenants", name=op.f("uq_channel_name_tenants")),
        comment="Where alerts are sent; what only the sender may know of it is encrypted",
        sqlite_autoincrement=True,
    )


def _make_delivery() -> None:
    named = ("channel", "kind", "cause", "message_id", "state", "content")
    op.create_table(
        "delivery",
        sa.Column("id", _AUTO_KEY, nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in named),
        *(sa.Column(name, sa.Text()) for name in ("alert_id", "tenant_id", "lane", "severity")),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at_us", sa.BigInteger(), nullable=False),
        sa.Column("lease_by", sa.Text()),
        sa.Column("lease_until_us", sa.BigInteger()),
        sa.Column("answered_status", sa.Integer()),
        *(sa.Column(name, sa.Text()) for name in ("answer_head", "problem", "digest")),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger()) for name in ("first_tried_at_us", "ended_at_us", "told_by")),
        sa.CheckConstraint(
            "kind IN ('alert', 'reminder', 'digest', 'test', 'notice', 'statement')", name=op.f("ck_delivery_kind")
        ),
        sa.CheckConstraint(
            "state IN ('held', 'due', 'sending', 'done', 'failed', 'dead')", name=op.f("ck_delivery_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("channel_id", "cause", name=op.f("uq_delivery_channel_id_cause")),
        comment="What is sent to each channel, and what became of it: stored first, sent second",
        sqlite_autoincrement=True,
    )
    for name, columns in (("due", ["next_at_us"]), ("lane", ["channel_id", "lane", "id"])):
        op.create_index(f"ix_delivery_{name}", "delivery", columns, postgresql_where=_OPEN, sqlite_where=_OPEN)
    op.create_index("ix_delivery_created", "delivery", ["created_at_us"])
    op.create_index("ix_delivery_alert", "delivery", ["alert_id"], postgresql_where=_OF_ALERT, sqlite_where=_OF_ALERT)
    op.create_index("ix_delivery_state", "delivery", ["state", "channel_id", "id"])
    told = sa.text("told_by IS NOT NULL")
    op.create_index("ix_delivery_told", "delivery", ["told_by"], postgresql_where=told, sqlite_where=told)
