"""Factor sets, which nobody may change or remove"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_REFUSED = "BEGIN SELECT RAISE(ABORT, 'factor_set is append-only'); END"
_ON_SQLITE = (
    f"CREATE TRIGGER factor_set_keeps_rows BEFORE DELETE ON factor_set {_REFUSED}",
    f"CREATE TRIGGER factor_set_keeps_values BEFORE UPDATE ON factor_set {_REFUSED}",
    # INSERT OR REPLACE removes the row that is in its way without a word to the trigger on DELETE.
    f"""CREATE TRIGGER factor_set_goes_on BEFORE INSERT ON factor_set
    WHEN EXISTS (SELECT 1 FROM factor_set WHERE digest = NEW.digest) {_REFUSED}""",
)
_ON_POSTGRESQL = (
    """CREATE FUNCTION factor_set_refuses() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'factor_set is append-only' USING ERRCODE = 'restrict_violation'; END $$""",
    """CREATE TRIGGER factor_set_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON factor_set
FOR EACH STATEMENT EXECUTE FUNCTION factor_set_refuses()""",
    # Also where session_replication_role switches ordinary triggers off.
    "ALTER TABLE factor_set ENABLE ALWAYS TRIGGER factor_set_append_only",
)


def upgrade() -> None:
    named = ("kind", "name", "source", "licence", "published")
    op.create_table(
        "factor_set",
        sa.Column("digest", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in named),
        sa.Column("row_count", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.BigInteger()) for name in ("valid_from_us", "valid_to_us")),
        sa.Column("effective_from_us", sa.BigInteger(), nullable=False),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column("added_at_us", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("kind IN ('rci', 'pue', 'price', 'evidence')", name=op.f("ck_factor_set_kind")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_factor_set")),
        comment="Factors that are laid over the built-in tables for events that ended at or after an instant; triggers refuse"
        " to change or remove a row",
    )
    op.create_index(op.f("ix_factor_set_effective_from_us"), "factor_set", ["effective_from_us"])
    for statement in _ON_SQLITE if op.get_bind().dialect.name == "sqlite" else _ON_POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("factor_set")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION factor_set_refuses()")
