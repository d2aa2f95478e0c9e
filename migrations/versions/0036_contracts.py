"""Contracts for electricity: factor sets of them, entries by them, and what they cover"""

import sqlalchemy as sa
from alembic import op

from rice_stream.errors import UsageError

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

_AUTO_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_EVENT_KEY = sa.LargeBinary(16).with_variant(sa.Uuid(as_uuid=False), "postgresql")
_EXACT_SUM = sa.BigInteger().with_variant(sa.Numeric(38, 0), "postgresql")
_KINDS = "kind IN ('rci', 'pue', 'price', 'evidence', 'market', 'contract')"
_KINDS_BEFORE = "kind IN ('rci', 'pue', 'price', 'evidence', 'market')"
_CAUSES = "cause IN ('method', 'factors', 'evidence', 'mapping', 'late', 'void', 'true_up', 'contract')"
_CAUSES_BEFORE = "cause IN ('method', 'factors', 'evidence', 'mapping', 'late', 'void', 'true_up')"
_REFUSED = "BEGIN SELECT RAISE(ABORT, 'factor_set is append-only'); END"
_TRIGGERS = (
    f"CREATE TRIGGER factor_set_keeps_rows BEFORE DELETE ON factor_set {_REFUSED}",
    f"CREATE TRIGGER factor_set_keeps_values BEFORE UPDATE ON factor_set {_REFUSED}",
    f"""CREATE TRIGGER factor_set_goes_on BEFORE INSERT ON factor_set
    WHEN EXISTS (SELECT 1 FROM factor_set WHERE digest = NEW.digest) {_REFUSED}""",
)
_OF_EVENT = sa.text("event_key IS NOT NULL")
_SUMMED = (
    "prompts",
    "input_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
    "it_energy_uwh",
    "facility_energy_uwh",
    "carbon_low_ugco2e",
    "carbon_mid_ugco2e",
    "carbon_high_ugco2e",
    "impact_prompts",
    "embodied_ugco2e",
    "water_ul",
)


def upgrade() -> None:
    _other_checks(_KINDS, _CAUSES)
    op.add_column("restatement", sa.Column("market_by_cause", sa.Text(), nullable=False, server_default="{}"))
    op.create_table(
        "contract_coverage",
        sa.Column("tenant_key", sa.Integer(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("month", "contract")),
        sa.Column("hour_start_s", sa.BigInteger(), autoincrement=False, nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("instrument", "granularity", "contract_instrument", "contract_granularity")
        ),
        sa.Column("covered_uwh", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("covered_uwh > 0", name=op.f("ck_contract_coverage_covered_uwh")),
        sa.PrimaryKeyConstraint(
            *("tenant_key", "month", "contract", "hour_start_s", "instrument", "granularity"),
            name=op.f("pk_contract_coverage"),
        ),
        comment="Energy that contracts cover, of the months of tenants that they were applied to",
        sqlite_with_rowid=False,
    )
    op.create_index("ix_contract_coverage_contract", "contract_coverage", ["contract", "month"])


def downgrade() -> None:
    """Entries and sets are never removed, and the version before cannot read these."""
    found = (
        f"SELECT (SELECT COUNT(*) FROM factor_set WHERE NOT ({_KINDS_BEFORE}))"
        f" + (SELECT COUNT(*) FROM adjustment WHERE NOT ({_CAUSES_BEFORE}))"
    )
    if op.get_bind().scalar(sa.text(found)):
        raise UsageError(
            "contracts were added or applied: the version before cannot read them; restore a backup from before the first of them"
        )
    op.drop_table("contract_coverage")
    op.drop_column("restatement", "market_by_cause")
    _other_checks(_KINDS_BEFORE, _CAUSES_BEFORE)


def _other_checks(kinds: str, causes: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        _make_factor_set_again(kinds)
        _make_adjustment_again(causes)
        return
    for table, name, condition in (("factor_set", "kind", kinds), ("adjustment", "cause", causes)):
        op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)


def _make_factor_set_again(condition: str) -> None:
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
    _take_over("factor_set")
    op.create_index(op.f("ix_factor_set_effective_from_us"), "factor_set", ["effective_from_us"])
    for statement in _TRIGGERS:
        op.execute(statement)


def _make_adjustment_again(condition: str) -> None:
    op.create_table(
        "adjustment_rebuilt",
        sa.Column("adjustment_key", _AUTO_KEY, nullable=False),
        sa.Column("digest", sa.LargeBinary(16), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("tenant_key", sa.Integer(), nullable=False),
        sa.Column("event_key", _EVENT_KEY),
        sa.Column("restatement_id", sa.Text()),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("reason", "author_kind", "author_name", "detail")),
        sa.Column("recorded_us", sa.BigInteger(), nullable=False),
        *(sa.Column(f"contra_{name}", _EXACT_SUM, nullable=False) for name in _SUMMED),
        sa.Column("contra_carbon_market_ugco2e", _EXACT_SUM, nullable=False, server_default="0"),
        sa.CheckConstraint(condition, name=op.f("ck_adjustment_cause")),
        sa.PrimaryKeyConstraint("adjustment_key", name=op.f("pk_adjustment")),
        sa.UniqueConstraint("digest", name=op.f("uq_adjustment_digest")),
        comment="Groups of entries that correct records, each with its cause; rows never change",
        sqlite_autoincrement=True,
    )
    _take_over("adjustment")
    of_event = ["tenant_key", "event_key"]
    op.create_index("ix_adjustment_event", "adjustment", of_event, sqlite_where=_OF_EVENT)
    op.create_index("ix_adjustment_restatement", "adjustment", ["restatement_id"])
    op.create_index("ix_adjustment_recorded", "adjustment", ["tenant_key", "recorded_us"])


def _take_over(table: str) -> None:
    op.execute(f"INSERT INTO {table}_rebuilt SELECT * FROM {table}")
    op.drop_table(table)
    op.rename_table(f"{table}_rebuilt", table)
