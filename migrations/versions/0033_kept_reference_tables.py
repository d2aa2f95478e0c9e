"""Versions of the reference tables that records rest on, which nobody may change or remove"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

_REFUSED = "BEGIN SELECT RAISE(ABORT, 'reference_tables is append-only'); END"
_ON_SQLITE = (
    f"CREATE TRIGGER reference_tables_keeps_rows BEFORE DELETE ON reference_tables {_REFUSED}",
    f"CREATE TRIGGER reference_tables_keeps_values BEFORE UPDATE ON reference_tables {_REFUSED}",
    # INSERT OR REPLACE removes the row that is in its way without a word to the trigger on DELETE.
    f"""CREATE TRIGGER reference_tables_goes_on BEFORE INSERT ON reference_tables
    WHEN EXISTS (SELECT 1 FROM reference_tables WHERE version = NEW.version) {_REFUSED}""",
)
_ON_POSTGRESQL = (
    """CREATE FUNCTION reference_tables_refuses() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'reference_tables is append-only' USING ERRCODE = 'restrict_violation'; END $$""",
    """CREATE TRIGGER reference_tables_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON reference_tables
FOR EACH STATEMENT EXECUTE FUNCTION reference_tables_refuses()""",
    # Also where session_replication_role switches ordinary triggers off.
    "ALTER TABLE reference_tables ENABLE ALWAYS TRIGGER reference_tables_append_only",
)


def upgrade() -> None:
    op.create_table(
        "reference_tables",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("kept_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_reference_tables")),
        comment="Every version of the built-in tables (with the user's own over them) that records were estimated with; triggers"
        " refuse to change or remove a row",
    )
    for statement in _ON_SQLITE if op.get_bind().dialect.name == "sqlite" else _ON_POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("reference_tables")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION reference_tables_refuses()")
