"""Whom within a tenant prompts are charged to: cost centres, and mappings of teams, projects and cost centres"""

import sqlalchemy as sa
from alembic import op

from rice_stream.errors import UsageError

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_ATTRIBUTED = ("tenant_key", "team_id", "project_id", "source")
_CHARGED = (*_ATTRIBUTED, "cost_centre", "said_key")
_MAPPED = ("kind", "name", "valid_from_us")
_MAPPED_WITHIN = ("tenant_id", "kind", "subject", "name", "valid_from_us")
_FOR_ALL = "kind IN ('tenant', 'model', 'region')"
_KINDS = "kind IN ('tenant', 'model', 'region', 'team', 'project', 'cost_centre')"


def upgrade() -> None:
    op.add_column("budget", sa.Column("cost_centre", sa.Text(), nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        _make_attribution_again(within=True)
        _make_mapping_again(within=True)
        return
    op.add_column("attribution", sa.Column("cost_centre", sa.Text(), nullable=False, server_default=""))
    op.add_column("attribution", sa.Column("said_key", sa.Integer(), nullable=False, server_default="0"))
    _other_key("attribution", _ATTRIBUTED, _CHARGED)
    for name in ("tenant_id", "subject"):
        op.add_column("mapping", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    _other_key("mapping", _MAPPED, _MAPPED_WITHIN)
    _other_kinds(_KINDS)


def downgrade() -> None:
    """What was charged by mappings cannot be said without them."""
    if op.get_bind().scalar(sa.text("SELECT COUNT(*) FROM attribution WHERE said_key <> 0")):
        raise UsageError(
            "records were charged to teams, projects or cost centres that mappings say: the version before cannot tell them"
            " apart; restore a backup from before the first of them"
        )
    # A budget on one would become one on the whole tenant.
    op.execute("DELETE FROM budget_state WHERE budget_id IN (SELECT id FROM budget WHERE cost_centre IS NOT NULL)")
    op.execute("DELETE FROM budget WHERE cost_centre IS NOT NULL")
    op.drop_column("budget", "cost_centre")
    op.execute(f"DELETE FROM mapping WHERE NOT ({_FOR_ALL})")
    if op.get_bind().dialect.name == "sqlite":
        _make_attribution_again(within=False)
        _make_mapping_again(within=False)
        return
    # It asks for the tenant; the version before makes its own.
    op.execute("DROP POLICY IF EXISTS rice_api_scope ON mapping")
    _other_kinds(_FOR_ALL)
    _other_key("mapping", _MAPPED_WITHIN, _MAPPED)
    _other_key("attribution", _CHARGED, _ATTRIBUTED)
    for table, names in (("mapping", ("subject", "tenant_id")), ("attribution", ("said_key", "cost_centre"))):
        for name in names:
            op.drop_column(table, name)


def _unique(table: str, names: tuple[str, ...]) -> str:
    # PostgreSQL's names are short.
    return op.f("uq_attribution_charged" if names == _CHARGED else "_".join(("uq", table, *names)))


def _other_key(table: str, before: tuple[str, ...], after: tuple[str, ...]) -> None:
    op.drop_constraint(_unique(table, before), table, type_="unique")
    op.create_unique_constraint(_unique(table, after), table, list(after))


def _other_kinds(condition: str) -> None:
    op.drop_constraint(op.f("ck_mapping_kind"), "mapping", type_="check")
    op.create_check_constraint(op.f("ck_mapping_kind"), "mapping", condition)


def _make_attribution_again(*, within: bool) -> None:
    """SQLite cannot change a constraint: a new table, with the rows of the old one."""
    keys = ("tenant_key", "attribution_key")
    names = ("team_id", "project_id", "source")
    added = (
        sa.Column("cost_centre", sa.Text(), nullable=False, server_default=""),
        sa.Column("said_key", sa.Integer(), nullable=False, server_default="0"),
    )
    unique = _CHARGED if within else _ATTRIBUTED
    op.create_table(
        "attribution_rebuilt",
        *(sa.Column(name, sa.Integer(), autoincrement=False, nullable=False) for name in keys),
        *(sa.Column(name, sa.Text(), nullable=False) for name in names),
        *(added if within else ()),
        sa.PrimaryKeyConstraint(*keys, name=op.f("pk_attribution")),
        sa.UniqueConstraint(*unique, name=_unique("attribution", unique)),
        comment="Who a prompt is charged to; one row per combination seen",
    )
    _take_over("attribution", (*keys, *names))


def _make_mapping_again(*, within: bool) -> None:
    texts, instants = ("kind", "name"), ("valid_from_us", "created_at_us")
    unique = _MAPPED_WITHIN if within else _MAPPED
    op.create_table(
        "mapping_rebuilt",
        sa.Column("id", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in texts),
        sa.Column("target", sa.Text(), nullable=True),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in instants),
        *(
            sa.Column(name, sa.Text(), nullable=False, server_default="")
            for name in (("tenant_id", "subject") if within else ())
        ),
        sa.CheckConstraint(_KINDS if within else _FOR_ALL, name=op.f("ck_mapping_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mapping")),
        sa.UniqueConstraint(*unique, name=_unique("mapping", unique)),
        comment="What a name stands for in events that ended at or after an instant; no target ends what stood before",
    )
    _take_over("mapping", ("id", *texts, "target", *instants))


def _take_over(table: str, names: tuple[str, ...]) -> None:
    listed = ", ".join(names)
    op.execute(f"INSERT INTO {table}_rebuilt ({listed}) SELECT {listed} FROM {table}")
    op.drop_table(table)
    op.rename_table(f"{table}_rebuilt", table)
