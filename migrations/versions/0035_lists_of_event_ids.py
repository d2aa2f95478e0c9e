"""Lists of event ids: to find an event by its id alone no filter of every page is read"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_TAGS = sa.LargeBinary().with_variant(postgresql.ARRAY(sa.Integer()), "postgresql")
_PLACES = sa.LargeBinary().with_variant(postgresql.ARRAY(sa.BigInteger()), "postgresql")
_OF_THE_KEY = (
    ("splits", sa.Integer()),
    ("bucket", sa.Integer()),
    ("month", sa.Integer()),
    ("list_key", sa.BigInteger()),
)
_MONTHS = """
INSERT INTO event_id_gap (month)
SELECT DISTINCT CAST((EXTRACT(YEAR FROM d.day) - 1970) * 12 + EXTRACT(MONTH FROM d.day) - 1 AS integer)
FROM (SELECT DISTINCT to_timestamp(day_start_s) AT TIME ZONE 'UTC' AS day FROM tenant_day_total) d"""


def upgrade() -> None:
    op.create_table(
        "event_id_list",
        *(sa.Column(name, kind, nullable=False, autoincrement=False) for name, kind in _OF_THE_KEY),
        sa.Column("tags", _TAGS, nullable=False),
        sa.Column("places", _PLACES, nullable=False),
        sa.PrimaryKeyConstraint(*(name for name, _ in _OF_THE_KEY), name=op.f("pk_event_id_list")),
        comment="Where the events of ids are, on PostgreSQL: see store/event_id_lists.py",
    )
    op.create_table(
        "event_id_gap",
        sa.Column("month", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("month", name=op.f("pk_event_id_gap")),
        comment="Months since 1970-01 whose event ids are not all listed",
    )
    if op.get_bind().dialect.name == "postgresql":
        for name in ("tags", "places"):
            # In the row as they are: they cannot be compressed, and to look elsewhere for them is a second look.
            op.execute(f"ALTER TABLE event_id_list ALTER COLUMN {name} SET STORAGE PLAIN")
        # Merging leaves as much behind as it makes; there is little to look through.
        op.execute("ALTER TABLE event_id_list SET (autovacuum_vacuum_scale_factor = 0.05)")
        # The worker lists what is there (store/event_id_gaps.py): that takes some minutes of 50 million records.
        op.execute(_MONTHS)


def downgrade() -> None:
    op.drop_table("event_id_gap")
    op.drop_table("event_id_list")
