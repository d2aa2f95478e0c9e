"""Writing to SQLite: the same transaction as on PostgreSQL, one writer at a time."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from rice_stream.meter.amounts import Totals
from rice_stream.quantities import Ints
from rice_stream.store import schema
from rice_stream.store.added_totals import insert_to_totals
from rice_stream.store.adjustments import insert_group
from rice_stream.store.batch import Batch, Conflict, Records
from rice_stream.store.batch_rows import conflict_rows, quarantine_rows
from rice_stream.store.closed_months import ClosedMonth, closed_before_us, closed_months
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import batch_failure
from rice_stream.store.entries import EntryGroup
from rice_stream.store.failures import NotStorableError
from rice_stream.store.group_rows import insert_entries
from rice_stream.store.horizon import records_from_us
from rice_stream.store.identity_rules import KnownRules, check_rules
from rice_stream.store.laid_out_rows import TEXT, RowColumn, columns_of_records, keys_as_values
from rice_stream.store.probe import PROBE_COLUMNS, PROBED_LINE, known_and_differing, probe_columns, probe_sql
from rice_stream.store.revisions import REVISION_QUERY, check_revision
from rice_stream.store.sqlite_rows import send_rows
from rice_stream.store.statements import insert_ignoring, progress_upsert
from rice_stream.store.totals_tables import TotalsTable
from rice_stream.store.writer import KnownKeyError, LedgerStanding, Writer

_KNOWN_KEY = frozenset({sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE})


class SqliteWriter(Writer):
    """One connection per transaction; the write lock is taken when the transaction begins."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine
        self._connection: Connection | None = None

    def close(self) -> None:
        self._connection = None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with self._engine.begin() as connection:
                self._connection = connection
                yield
        except (DBAPIError, sqlite3.Error) as error:
            raise batch_failure("SQLite did not take the batch", error) from error
        except OverflowError as error:  # an integer that the driver cannot bind
            raise NotStorableError(error) from error
        finally:
            self._connection = None

    def _open(self) -> Connection:
        if self._connection is None:
            raise AssertionError("statements run inside a transaction only")
        return self._connection

    def _check_rules(self, rules: KnownRules, latest_end_us: int) -> None:
        # BEGIN IMMEDIATE has locked out every other writer.
        connection = self._open()
        check_rules(rules, latest_end_us, lambda statement: list(connection.exec_driver_sql(statement)))

    def _watched_users(self) -> set[tuple[int, int]]:
        # BEGIN IMMEDIATE has locked out every other writer, and every migration.
        check_revision(self._open().exec_driver_sql(REVISION_QUERY).scalar(), self._revision)
        rows = self._open().exec_driver_sql("SELECT tenant_key, user_key FROM watched_user").all()
        return {(tenant_key, user_key) for tenant_key, user_key in rows}

    def _standing(self) -> LedgerStanding:
        connection = self._open()
        return LedgerStanding(records_from_us(connection), database_now_us(connection), closed_before_us(connection))

    def _closed_months(self, tenant_keys: list[int], earliest_us: int) -> list[ClosedMonth]:
        return closed_months(self._open(), tenant_keys, earliest_us)

    def _post(self, group: EntryGroup, now_us: int) -> None:
        key = insert_group(self._open(), group, now_us)
        if key is not None:
            insert_entries(self._open(), key, group, now_us)

    def _insert(self, records: Records) -> None:
        columns = columns_of_records(records)
        names = ", ".join((*(column.name for column in columns), TEXT))
        connection = self._open()
        try:
            with connection.begin_nested():
                send_rows(connection, f"INSERT INTO prompt_record ({names}) {{}}".format, columns, records.event_ids)
        except IntegrityError as error:
            if getattr(error.orig, "sqlite_errorcode", None) not in _KNOWN_KEY:
                raise
            raise KnownKeyError from error

    def _probe(self, records: Records) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        connection = self._open()
        names = ", ".join((PROBED_LINE, *PROBE_COLUMNS))
        connection.exec_driver_sql(f"CREATE TEMP TABLE IF NOT EXISTS probe ({names})")
        connection.exec_driver_sql("DELETE FROM probe")
        send_rows(connection, f"INSERT INTO probe ({names}) {{}}".format, probe_columns(records))
        # CROSS JOIN keeps SQLite from walking the records: the probe comes first, each line is one key look-up.
        statement = (
            probe_sql("probe")
            .replace("IS NOT DISTINCT FROM", "IS")
            .replace(" JOIN prompt_record", " CROSS JOIN prompt_record")
        )
        found = connection.exec_driver_sql(statement).all()
        return known_and_differing((line, bool(differs)) for line, differs in found)

    def _hold_days(self, *, even: bool, odd: bool) -> None:
        # BEGIN IMMEDIATE has locked out every other writer.
        pass

    def _stored(self, tenant_keys: Ints, event_keys: NDArray[np.uint8]) -> NDArray[np.bool_]:
        connection = self._open()
        connection.exec_driver_sql("CREATE TEMP TABLE IF NOT EXISTS wanted (line, tenant_key, event_key)")
        connection.exec_driver_sql("DELETE FROM wanted")
        lines = np.arange(len(event_keys))
        columns = {"line": lines, "tenant_key": tenant_keys, "event_key": keys_as_values(event_keys)}
        send_rows(connection, "INSERT INTO wanted {}".format, [RowColumn(*column) for column in columns.items()])
        statement = (
            "SELECT w.line FROM wanted w CROSS JOIN prompt_record r"
            " ON r.tenant_key = w.tenant_key AND r.event_key = w.event_key"
        )
        found = np.zeros(len(lines), dtype=np.bool_)
        found[[line for (line,) in connection.exec_driver_sql(statement)]] = True
        return found

    def _add_totals(self, totals: Mapping[TotalsTable, Totals]) -> None:
        for table, sums in totals.items():
            insert_to_totals(self._open(), table, sums)

    def _insert_quarantine(self, batch: Batch) -> None:
        rows = quarantine_rows(batch)
        if rows:
            self._open().execute(insert_ignoring(schema.quarantine, "sqlite"), rows)

    def _insert_conflicts(self, conflicts: Sequence[Conflict], batch: Batch) -> None:
        rows = conflict_rows(list(conflicts), batch)
        if rows:
            self._open().execute(insert_ignoring(schema.conflict, "sqlite"), rows)

    def _save_progress(self, rows: list[dict[str, Any]], committed_at_us: int) -> None:
        if rows:
            values = [{**row, "committed_at_us": committed_at_us} for row in rows]
            self._open().execute(progress_upsert("sqlite"), values)

    def ensure_partitions(self, ended_at_us: NDArray[np.int64]) -> None:
        """SQLite has no partitions: nothing to make."""
