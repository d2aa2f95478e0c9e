"""Writing to PostgreSQL: binary COPY straight into the keyed table, and a look for known keys only when there are any."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql
from sqlalchemy import Engine

from rice_stream.instants import datetime_of
from rice_stream.meter.amounts import Totals
from rice_stream.quantities import Ints
from rice_stream.store import schema
from rice_stream.store.added_totals import StreamedTotals, TotalsGoneError, are_most, copy_to_totals
from rice_stream.store.batch import Batch, CommitResult, Conflict, MadeAhead, Records, totals_of
from rice_stream.store.batch_rows import conflict_rows, quarantine_rows
from rice_stream.store.closed_months import CLOSED_BEFORE_US, ClosedMonth
from rice_stream.store.copy_stream import probe_stream, records_stream, stream_ahead, streamed_columns
from rice_stream.store.database_clock import POSTGRESQL_NOW_US
from rice_stream.store.engine import StoreUnavailableError, batch_failure, reading
from rice_stream.store.entries import EntryGroup
from rice_stream.store.entry_stream import EntryStream
from rice_stream.store.event_id_lists import copy_lists, rows_by_month
from rice_stream.store.event_key_columns import stored_key
from rice_stream.store.failures import first_line
from rice_stream.store.group_rows import copy_entries, group_row
from rice_stream.store.horizon import records_from_us
from rice_stream.store.identity_rules import KnownRules, check_rules
from rice_stream.store.known_totals import KnownTotals
from rice_stream.store.lock_waits import end_hung_statement, limit_statement
from rice_stream.store.months import months_of
from rice_stream.store.partition_ddl import make_partitions
from rice_stream.store.partitions import month_of
from rice_stream.store.probe import PROBE_COLUMNS, known_and_differing, probe_sql
from rice_stream.store.record_columns import RECORDED_COLUMN
from rice_stream.store.revisions import REVISION_QUERY, check_revision
from rice_stream.store.scratch import make_scratch_sql, probe_table
from rice_stream.store.send_buffer import give_room_to_send
from rice_stream.store.statements import insert_ignoring, progress_upsert
from rice_stream.store.totals_tables import TotalsTable
from rice_stream.store.writer import KnownKeyError, LedgerStanding, Writer

_BEGIN = (
    f"{limit_statement()}; {end_hung_statement()}; LOCK TABLE watched_user IN ROW SHARE MODE; {REVISION_QUERY};"
    " SELECT tenant_key, user_key FROM watched_user"
)
"""Together, which costs one way to the database; each statement sees what the one before has waited for. The schema is
checked before anything that rests on it."""

_CLOSED_MONTHS = (
    f"SELECT {', '.join(ClosedMonth._fields)} FROM period WHERE tenant_key = ANY (%s) AND high_us > %s ORDER BY 1, 3"
)


class PostgresWriter(Writer):
    """One connection, opened when first needed and again after a failure."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine
        self._driver: psycopg.Connection[Any] | None = None
        self._months: set[int] = set()
        self._known = KnownTotals()
        self._added: Mapping[TotalsTable, Totals] = {}
        """What the last transaction has added to totals."""
        self._progress_sql: dict[int, str] = {}
        """By how many partitions a batch is of."""

    def close(self) -> None:
        if self._driver is not None:
            self._driver.close()
            self._driver = None

    def commit(self, batch: Batch) -> CommitResult:
        try:
            result = super().commit(batch)
        except TotalsGoneError:
            # Erased or folded since a batch wrote them. Nothing of this one is stored yet.
            self._known.forget()
            result = super().commit(batch)
        self._known.learn(self._added)
        return result

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            connection = self._connection()
            with connection.transaction():
                yield
        except psycopg.Error as error:
            failure = batch_failure("PostgreSQL did not take the batch", error)
            if isinstance(failure, StoreUnavailableError):
                self.close()
            raise failure from error

    def _connection(self) -> psycopg.Connection[Any]:
        if self._driver is None:
            pooled: Any = self._engine.raw_connection()
            connection: psycopg.Connection[Any] = pooled.driver_connection
            # Ours alone from here on: it runs in another mode and must not come back to those who use the pool.
            pooled.detach()
            connection.rollback()
            connection.autocommit = True
            give_room_to_send(connection.fileno())
            self._driver = connection
        return self._driver

    # --- records -------------------------------------------------------------------------------------------------

    def made_ready(self, records: Records) -> Records:
        """With all that is written of them, unless batches hold known keys just now: then it is not all of them that is."""
        if not self._all_new or not len(records):
            return records
        watched = self._watched
        totals = StreamedTotals(totals_of(records, watched))
        return replace(records, ahead=MadeAhead(stream_ahead(records), _id_lists(records), watched, totals))

    def _insert(self, records: Records) -> None:
        ahead = records.ahead
        stream = records_stream(records) if ahead is None else ahead.stream.at(int(records.columns[RECORDED_COLUMN][0]))
        listed = _id_lists(records) if ahead is None else ahead.id_lists
        statement = sql.SQL("COPY prompt_record ({}) FROM STDIN (FORMAT BINARY)").format(
            sql.SQL(", ").join(map(sql.Identifier, streamed_columns(records)))
        )
        connection = self._connection()
        try:
            with connection.transaction(), connection.cursor() as cursor:
                with cursor.copy(statement) as copy:
                    for part in stream:
                        copy.write(part)
                copy_lists(cursor, listed)
        except psycopg.errors.UniqueViolation as error:
            raise KnownKeyError from error
        except psycopg.errors.CheckViolation as error:
            if error.diag.constraint_name:
                raise  # of the table, not of its partitions: the data is at fault
            # Retention, here or in another worker, has dropped a month that this batch still has a record of.
            self._months.clear()
            raise StoreUnavailableError(f"a partition is gone and will be made again: {first_line(error)}") from error

    def _probe(self, records: Records) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        connection = self._connection()
        with connection.cursor() as cursor:
            columns = sql.SQL(", ").join(map(sql.Identifier, ("line", *PROBE_COLUMNS)))
            statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
                sql.Identifier(probe_table()), columns
            )
            with cursor.copy(statement) as copy:
                for part in probe_stream(records):
                    copy.write(part)
            # Without statistics on the temporary table the planner might scan all records for a few keys.
            cursor.execute("SET LOCAL enable_hashjoin = off")
            cursor.execute("SET LOCAL enable_mergejoin = off")
            cursor.execute(probe_sql(probe_table()))
            found = cursor.fetchall()
            cursor.execute(f"TRUNCATE {probe_table()}")
        return known_and_differing(found)

    def _check_rules(self, rules: KnownRules, latest_end_us: int) -> None:
        with self._connection().cursor() as cursor:

            def under_lock(statement: str) -> list[Any]:
                cursor.execute(f"LOCK TABLE attribution_version IN ROW SHARE MODE; {statement}", prepare=False)
                cursor.nextset()
                return cursor.fetchall()

            check_rules(rules, latest_end_us, under_lock)

    def _hold_days(self, *, even: bool, odd: bool) -> None:
        # Each of the two modes is held by any number of transactions at a time, but never both: a batch waits for
        # another only where one of them writes the day before or after the other's.
        mode = "SHARE ROW EXCLUSIVE" if even and odd else "ROW EXCLUSIVE" if even else "SHARE"
        self._connection().execute(f"LOCK TABLE untimed_day IN {mode} MODE")

    def _stored(self, tenant_keys: Ints, event_keys: NDArray[np.uint8]) -> NDArray[np.bool_]:
        keys = [uuid.UUID(bytes=key.tobytes()) for key in event_keys]
        found = np.zeros(len(keys), dtype=np.bool_)
        with self._connection().cursor() as cursor:
            # As for `_probe`. The bounds let the planner leave out the partitions of other months.
            cursor.execute("SET LOCAL enable_hashjoin = off")
            cursor.execute("SET LOCAL enable_mergejoin = off")
            cursor.execute(
                "SELECT w.line - 1 FROM unnest(%s::int4[], %s::uuid[]) WITH ORDINALITY AS w (tenant_key, event_key, line)"
                " JOIN prompt_record r ON r.tenant_key = w.tenant_key AND r.event_key = w.event_key"
                " AND r.event_key >= %s AND r.event_key <= %s",
                (tenant_keys.tolist(), keys, min(keys), max(keys)),
            )
            found[[line for (line,) in cursor.fetchall()]] = True
        return found

    def _watched_users(self) -> set[tuple[int, int]]:
        with self._connection().cursor() as cursor:
            cursor.execute(_BEGIN, prepare=False)
            for _ in range(3):
                cursor.nextset()
            check_revision(_only_value(cursor), self._revision)
            cursor.nextset()
            return set(cursor.fetchall())

    def _standing(self) -> LedgerStanding:
        with self._connection().cursor() as cursor:
            # Whoever moves the horizon, or closes a month, takes this table in EXCLUSIVE MODE: after all batches in flight,
            # before the next.
            cursor.execute(_standing_sql(), prepare=False)
            while cursor.nextset():
                pass
            [found] = cursor.fetchall()
            return LedgerStanding(*found)

    def _closed_months(self, tenant_keys: list[int], earliest_us: int) -> list[ClosedMonth]:
        with self._connection().cursor() as cursor:
            cursor.execute(_CLOSED_MONTHS, (tenant_keys, earliest_us))
            return [ClosedMonth(*row) for row in cursor.fetchall()]

    def _post(self, group: EntryGroup, now_us: int) -> None:
        table = schema.adjustment
        row = group_row(group, "postgresql", now_us)
        statement = insert_ignoring(table, "postgresql").returning(table.c.adjustment_key)
        inserted = str(statement.compile(dialect=self._engine.dialect, column_keys=list(row)))
        with self._connection().cursor() as cursor:
            key = _only_value(cursor.execute(inserted, row))
            if key is not None:
                copy_entries(cursor, [key], EntryStream([group]), now_us)

    # --- totals --------------------------------------------------------------------------------------------------

    def _add_totals(self, totals: Mapping[TotalsTable, Totals]) -> None:
        with self._connection().cursor() as cursor:
            copy_to_totals(cursor, totals, known=self._known.known(totals, partial(are_most, cursor)))
        self._added = totals

    # --- the rest ------------------------------------------------------------------------------------------------

    def _insert_quarantine(self, batch: Batch) -> None:
        self._execute(insert_ignoring(schema.quarantine, "postgresql"), quarantine_rows(batch))

    def _insert_conflicts(self, conflicts: Sequence[Conflict], batch: Batch) -> None:
        rows = conflict_rows(list(conflicts), batch)
        for row in rows:
            row["event_key"] = stored_key("postgresql", row["event_key"])
        self._execute(insert_ignoring(schema.conflict, "postgresql"), rows)

    def _save_progress(self, rows: list[dict[str, Any]], committed_at_us: int) -> None:
        if not rows:
            return
        ordered = sorted(rows, key=lambda row: (row["topic"], row["partition"]))
        values = [{**row, "committed_at_us": committed_at_us} for row in ordered]
        if (
            len(values) not in self._progress_sql
        ):  # it takes long to put together, and most batches are of as many partitions
            statement = progress_upsert("postgresql").values(values)
            self._progress_sql[len(values)] = str(statement.compile(dialect=self._engine.dialect))
        numbered = {f"{name}_m{number}": value for number, row in enumerate(values) for name, value in row.items()}
        self._connection().execute(self._progress_sql[len(values)], numbered)

    def _execute(self, statement: Any, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        dialect = self._engine.dialect
        text = str(statement.compile(dialect=dialect, column_keys=list(rows[0])))
        with self._connection().cursor() as cursor:
            cursor.executemany(text, rows)

    # --- partitions ----------------------------------------------------------------------------------------------

    def ensure_partitions(self, ended_at_us: NDArray[np.int64]) -> None:
        """Make the partitions that these times fall into, in transactions of their own, before the batch."""
        months = np.unique(months_of(ended_at_us, "us")).tolist()
        missing = [month for month in months if month not in self._months]
        if missing:
            with reading(self._engine) as connection:
                first_month = month_of(datetime_of(records_from_us(connection)))
            # A month that retention has dropped is not made again: nothing of it will be recorded.
            make_partitions(self._engine, missing, from_month=first_month)
            self._months.update(month for month in missing if month >= first_month)


def _id_lists(records: Records) -> list[bytes]:
    return rows_by_month(records.columns["tenant_key"], records.event_keys, records.event_ids)


@cache
def _standing_sql() -> str:
    """The scratch tables, and where the ledger stands."""
    return (
        f"{make_scratch_sql()}; LOCK TABLE retention IN ROW SHARE MODE;"
        f" SELECT COALESCE(MAX(records_from_us), 0), {POSTGRESQL_NOW_US}, {CLOSED_BEFORE_US} FROM retention"
    )


def _only_value(cursor: psycopg.Cursor[Any]) -> Any:
    row = cursor.fetchone()
    return None if row is None else row[0]
