"""Names may be erased from the audit trail, where the leaf that an entry was stays; and who added a factor set"""

import sqlalchemy as sa
from alembic import op

from rice_stream.errors import UsageError

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

_REFUSED = "BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only, without gaps'); END"
_SAME = ("id", "at_us", "actor_kind", "token_id", "action", "subject_kind")
"""What an erasure leaves as it was, beside the leaf."""
_SET_REFUSED = "BEGIN SELECT RAISE(ABORT, 'factor_set is append-only'); END"
_OF_SET = (
    *("digest", "kind", "name", "source", "licence", "published", "row_count", "valid_from_us", "valid_to_us"),
    *("effective_from_us", "added_at_us", "content"),
)
"""All but who added it."""

_COMMENT = "Every change that somebody made; triggers refuse to change or remove a row"

_UP_SQLITE = (
    "DROP TRIGGER audit_entry_keeps_values",
    f"""CREATE TRIGGER audit_entry_keeps_values BEFORE UPDATE ON audit_entry
    WHEN NOT (NEW.erased_leaf IS NOT NULL AND (OLD.erased_leaf IS NULL OR OLD.erased_leaf = NEW.erased_leaf)
    AND {" AND ".join(f"NEW.{name} IS OLD.{name}" for name in _SAME)}) {_REFUSED}""",
    "DROP TRIGGER factor_set_keeps_values",
    f"CREATE TRIGGER factor_set_keeps_values BEFORE UPDATE OF {', '.join(_OF_SET)} ON factor_set {_SET_REFUSED}",
)
_DOWN_SQLITE = (
    "DROP TRIGGER audit_entry_keeps_values",
    f"CREATE TRIGGER audit_entry_keeps_values BEFORE UPDATE ON audit_entry {_REFUSED}",
    "DROP TRIGGER factor_set_keeps_values",
    f"CREATE TRIGGER factor_set_keeps_values BEFORE UPDATE ON factor_set {_SET_REFUSED}",
)
_UP_POSTGRESQL = (
    f"""CREATE FUNCTION audit_entry_erases() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.erased_leaf = COALESCE(OLD.erased_leaf, sha256('\\x00'::bytea || OLD.entry))
    AND ({", ".join(f"NEW.{name}" for name in _SAME)}) IS NOT DISTINCT FROM ({", ".join(f"OLD.{name}" for name in _SAME)})
  THEN RETURN NEW; END IF;
  RAISE EXCEPTION 'audit_entry is append-only' USING ERRCODE = 'restrict_violation';
END $$""",
    "DROP TRIGGER audit_entry_append_only ON audit_entry",
    f"""CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OF {", ".join(_SAME)} OR DELETE OR TRUNCATE ON audit_entry
FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_refuses()""",
    f"COMMENT ON TABLE audit_entry IS '{_COMMENT}, but for an erasure of names'",
    """CREATE TRIGGER audit_entry_erases_only BEFORE UPDATE ON audit_entry
FOR EACH ROW EXECUTE FUNCTION audit_entry_erases()""",
    "ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER audit_entry_append_only",
    "ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER audit_entry_erases_only",
    "DROP TRIGGER factor_set_append_only ON factor_set",
    f"""CREATE TRIGGER factor_set_append_only BEFORE UPDATE OF {", ".join(_OF_SET)} OR DELETE OR TRUNCATE ON factor_set
FOR EACH STATEMENT EXECUTE FUNCTION factor_set_refuses()""",
    "ALTER TABLE factor_set ENABLE ALWAYS TRIGGER factor_set_append_only",
)
_DOWN_POSTGRESQL = (
    f"COMMENT ON TABLE audit_entry IS '{_COMMENT}'",
    "DROP TRIGGER audit_entry_erases_only ON audit_entry",
    "DROP FUNCTION audit_entry_erases()",
    "DROP TRIGGER audit_entry_append_only ON audit_entry",
    """CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_refuses()""",
    "ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER audit_entry_append_only",
    "DROP TRIGGER factor_set_append_only ON factor_set",
    """CREATE TRIGGER factor_set_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON factor_set
FOR EACH STATEMENT EXECUTE FUNCTION factor_set_refuses()""",
    "ALTER TABLE factor_set ENABLE ALWAYS TRIGGER factor_set_append_only",
)


def upgrade() -> None:
    op.add_column("audit_entry", sa.Column("erased_leaf", sa.LargeBinary(32), nullable=True))
    for statement in _UP_SQLITE if op.get_bind().dialect.name == "sqlite" else _UP_POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    erased = sa.text("SELECT COUNT(*) FROM audit_entry WHERE erased_leaf IS NOT NULL")
    if op.get_bind().execute(erased).scalar():
        raise UsageError(
            "names were erased from the audit trail: the version before would take that for tampering, and names do not come"
            " back"
        )
    for statement in _DOWN_SQLITE if op.get_bind().dialect.name == "sqlite" else _DOWN_POSTGRESQL:
        op.execute(statement)
    op.drop_column("audit_entry", "erased_leaf")
