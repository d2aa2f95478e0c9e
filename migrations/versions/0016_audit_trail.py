"""The audit trail, which nobody may change or shorten; who made a token, and which one it replaces"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_REFUSED = "BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only, without gaps'); END"
_ON_SQLITE = (
    f"CREATE TRIGGER audit_entry_keeps_rows BEFORE DELETE ON audit_entry {_REFUSED}",
    f"CREATE TRIGGER audit_entry_keeps_values BEFORE UPDATE ON audit_entry {_REFUSED}",
    # INSERT OR REPLACE removes the row that is in its way without a word to the trigger on DELETE.
    f"""CREATE TRIGGER audit_entry_goes_on BEFORE INSERT ON audit_entry
    WHEN NEW.id IS NOT (SELECT COALESCE(MAX(id), 0) + 1 FROM audit_entry) {_REFUSED}""",
)
_FUNCTION = """CREATE FUNCTION audit_entry_refuses() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'audit_entry is append-only' USING ERRCODE = 'restrict_violation'; END $$"""
_TRIGGER = """CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_refuses()"""
_ON_POSTGRESQL = (
    _FUNCTION,
    _TRIGGER,
    # Also where session_replication_role switches ordinary triggers off.
    "ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER audit_entry_append_only",
)


def upgrade() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("actor_kind", "actor_name")),
        sa.Column("token_id", sa.BigInteger()),
        sa.Column("tenant_id", sa.Text()),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("action", "subject_kind", "subject_id")),
        *(sa.Column(name, sa.Text()) for name in ("before", "after", "request_id")),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "actor_kind IN ('token', 'session', 'command line', 'worker')", name=op.f("ck_audit_entry_actor_kind")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
        comment="Every change that somebody made; triggers refuse to change or remove a row",
    )
    op.create_index(op.f("ix_audit_entry_tenant_id_id"), "audit_entry", ["tenant_id", "id"])
    op.create_index(
        op.f("ix_audit_entry_subject_kind_subject_id_id"), "audit_entry", ["subject_kind", "subject_id", "id"]
    )
    for statement in _ON_SQLITE if op.get_bind().dialect.name == "sqlite" else _ON_POSTGRESQL:
        op.execute(statement)
    op.add_column("http_token", sa.Column("created_by", sa.Text(), nullable=True))
    op.add_column("http_token", sa.Column("replaces", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("http_token", "replaces")
    op.drop_column("http_token", "created_by")
    op.drop_table("audit_entry")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_entry_refuses()")
