"""Factor sets of market-based carbon intensities"""

import sqlalchemy as sa
from alembic import op

from rice_stream.errors import UsageError

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_BEFORE = "kind IN ('rci', 'pue', 'price', 'evidence')"
_KINDS = "kind IN ('rci', 'pue', 'price', 'evidence', 'market')"
_REFUSED = "BEGIN SELECT RAISE(ABORT, 'factor_set is append-only'); END"
_TRIGGERS = (
    f"CREATE TRIGGER factor_set_keeps_rows BEFORE DELETE ON factor_set {_REFUSED}",
    f"CREATE TRIGGER factor_set_keeps_values BEFORE UPDATE ON factor_set {_REFUSED}",
    f"""CREATE TRIGGER factor_set_goes_on BEFORE INSERT ON factor_set
    WHEN EXISTS (SELECT 1 FROM factor_set WHERE digest = NEW.digest) {_REFUSED}""",
)


def upgrade() -> None:
    _other_kinds(_KINDS)


def downgrade() -> None:
    """Records may rest on them, and rows of the table are never removed."""
    if op.get_bind().scalar(sa.text(f"SELECT COUNT(*) FROM factor_set WHERE NOT ({_BEFORE})")):
        raise UsageError(
            "factor sets of the kind market were added: the version before cannot read them; restore a backup from before the"
            " first of them"
        )
    _other_kinds(_BEFORE)


def _other_kinds(condition: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        _make_again(condition)
        return
    op.drop_constraint(op.f("ck_factor_set_kind"), "factor_set", type_="check")
    op.create_check_constraint(op.f("ck_factor_set_kind"), "factor_set", condition)


def _make_again(condition: str) -> None:
    """SQLite cannot change a constraint: a new table, with the rows of the old one and its triggers."""
    texts = ("kind", "name", "source", "licence", "published")
    op.create_table(
        "factor_set_rebuilt",
        sa.Column("digest", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in texts),
        sa.Column("row_count", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.BigInteger()) for name in ("valid_from_us", "valid_to_us")),
        sa.Column("effective_from_us", sa.BigInteger(), nullable=False),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column("added_at_us", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(condition, name=op.f("ck_factor_set_kind")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_factor_set")),
        comment="Factors that are laid over the built-in tables for events that ended at or after an instant; triggers refuse"
        " to change or remove a row",
    )
    op.execute("INSERT INTO factor_set_rebuilt SELECT * FROM factor_set")
    op.drop_table("factor_set")
    op.rename_table("factor_set_rebuilt", "factor_set")
    op.create_index(op.f("ix_factor_set_effective_from_us"), "factor_set", ["effective_from_us"])
    for statement in _TRIGGERS:
        op.execute(statement)
