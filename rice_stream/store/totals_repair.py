"""Putting totals right beside workers that commit: short transactions that write only the rows that differ."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Engine, TextClause, bindparam, select, text

from rice_stream.instants import DAY_S, SECOND_US, rfc3339
from rice_stream.store import schema
from rice_stream.store.advisory_locks import AdvisoryLock, hold
from rice_stream.store.audit import Actor, AuditedChange, record
from rice_stream.store.engine import correcting
from rice_stream.store.horizon import minutes_from_us, records_from_us
from rice_stream.store.lock_waits import limit_lock_waits
from rice_stream.store.minute_folding import fold_stretch
from rice_stream.store.recount import correct_sql, delete_empty_sql, record_bounds
from rice_stream.store.revisions import require_revision
from rice_stream.store.totals_tables import MINUTES, TotalsTable

LOCK_TIMEOUT_S = 5
"""How long a transaction waits for a batch that has written the same rows; then it is given up, and tried again."""
TENANTS_MAX = 400
"""Tenants of one transaction: SQLite allows a limited number of parameters."""


class DifferingDay(NamedTuple):
    """Rows of a table that differ on one day of UTC (its start in epoch seconds) of one tenant, by what is wrong."""

    day_s: int
    tenant_key: int
    missing: int
    extra: int
    differs: int

    @property
    def rows(self) -> int:
        """All of them."""
        return self.missing + self.extra + self.differs

    def with_(self, other: "DifferingDay | None") -> "DifferingDay":
        """The same day and tenant with what else differs there."""
        if other is None:
            return self
        counts = (self.missing + other.missing, self.extra + other.extra, self.differs + other.differs)
        return DifferingDay(self.day_s, self.tenant_key, *counts)


def correct_day(
    engine: Engine, table: TotalsTable, day_s: int, tenant_keys: Sequence[int], *, revision: str | None, by: Actor
) -> int:
    """Make the totals of these tenants (TENANTS_MAX at most) on a day what their records add up to (of a table by months:
    in the month that the day lies in); returns how many rows were wrong. Where retention has dropped the records meanwhile
    nothing is changed.

    SchemaChangedError: the schema is not the `revision` any more. StoreUnavailableError: nothing was done, try again.
    NotStorableError: a total has no room for what its records add up to.
    """
    low_s = table.floor_s(day_s) if table.by_month else day_s
    high_s = table.ceil_s(low_s + 1) if table.by_month else day_s + DAY_S
    with correcting(engine) as connection:
        dialect = connection.dialect.name
        if dialect == "postgresql":
            _begin_on_postgresql(connection)
        require_revision(connection, revision)
        if records_from_us(connection) > low_s * SECOND_US:
            return 0
        folded_before_s = minutes_from_us(connection) // SECOND_US
        totals = {"tenants": list(tenant_keys), "low_s": low_s, "high_s": high_s}
        bounds = {**totals, **record_bounds(dialect, low_s, high_s), "folded_before_s": folded_before_s}
        if table == MINUTES and day_s < folded_before_s:
            for tenant_key in tenant_keys:  # late events may have left minutes among the quarter hours
                fold_stretch(connection, tenant_key, day_s, day_s + DAY_S)
        corrected = connection.execute(_of_tenants(correct_sql(table, dialect)), bounds).rowcount
        if table.tells_reported:
            statement = correct_sql(table, dialect, corrections=True)
            corrected += connection.execute(_of_tenants(statement), bounds).rowcount
        if corrected:
            connection.execute(_of_tenants(delete_empty_sql(table)), totals)
            record(connection, by, [_change(connection, table, day_s, tenant_keys, corrected)])
    return corrected


def _begin_on_postgresql(connection: Connection) -> None:
    """What stands still until the transaction ends: schema and watched users, other corrections, and the horizon.
    Batches go on.

    A statement must see what was committed when these locks were there, whatever level is the database's default.
    """
    connection.execute(text("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"))
    limit_lock_waits(connection, LOCK_TIMEOUT_S)
    connection.execute(text("LOCK TABLE watched_user IN ROW SHARE MODE"))
    hold(connection, AdvisoryLock.CORRECT_TOTALS)
    connection.execute(text("LOCK TABLE retention IN SHARE MODE"))


def _change(
    connection: Connection, table: TotalsTable, day_s: int, tenant_keys: Sequence[int], rows: int
) -> AuditedChange:
    """For the audit trail; what the rows held before is not kept, for it was wrong."""
    tenant = schema.tenant.c
    # More than one: the entry is nobody's alone.
    of_one = select(tenant.tenant_id).where(tenant.tenant_key == tenant_keys[0])
    tenant_id = connection.scalar(of_one) if len(tenant_keys) == 1 else None
    day = rfc3339(day_s * SECOND_US)[: len("2026-11-29")]
    after = {"rows_rebuilt": rows, "tenants": len(tenant_keys)}
    return AuditedChange("totals.rebuild", "totals", f"{table.name} {day}", tenant_id, after=after)


def _of_tenants(statement: str) -> TextClause:
    return text(statement).bindparams(bindparam("tenants", expanding=True))
