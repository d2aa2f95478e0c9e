"""Archiving: the records of a closed and signed month are written to files, proven to be what was closed, and added to the table.

In this order, so that a run that is cut short anywhere is simply begun again: (1) files, each complete under its name or not there;
(2) the month's tree is made again of the files, and has to be the one that was signed; (3) a snapshot of the table; (4) the rows by
which readers find the files. What came after the month was closed is in files of its own, which a later run adds to.
"""

import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from rice_stream.channels.months import Month
from rice_stream.errors import DamagedArchiveError, NotFoundError, UsageError
from rice_stream.instants import rfc3339
from rice_stream.store.archive.columns import FILE_ROWS, ROW_GROUP_ROWS
from rice_stream.store.archive.iceberg import ArchiveTable
from rice_stream.store.archive.kept import (
    ArchivedFile,
    ArchivedMonth,
    find_archived,
    late_records,
    packed,
    save_month,
    unpacked,
)
from rice_stream.store.archive.month_rows import RecordRows, RowsOfMonth, month_rows
from rice_stream.store.archive.part_files import write_part
from rice_stream.store.archive.reading import ArchivedRows, part_of
from rice_stream.store.audit import Actor, AuditedChange, record
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import Connection, Engine, reading, writing
from rice_stream.store.horizon import records_from_us
from rice_stream.store.period_building import built_month
from rice_stream.store.period_store import StoredPeriod, all_periods
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.snapshot import snapshot
from rice_stream.store.stored_records import factors_by_key, tenant_keys

Say = Callable[[str, int], None]
"""Is told what is being done, and with how many records it has been so far."""
_GROUPS_OF_A_FILE = FILE_ROWS // ROW_GROUP_ROWS
_PRINCIPALS = ("user_key", "api_key_key")


@dataclass(frozen=True, slots=True)
class MonthToArchive:
    """A signed month whose records are kept, not yet wholly in the archive."""

    tenant_id: str
    period: StoredPeriod


def months_to_archive(
    engine: Engine, *, tenant: str | None = None, month: str | None = None, before: str | None = None
) -> list[MonthToArchive]:
    """Those of a tenant (None: of all), of one month or of all before one, in the order of tenants and months.

    NotFoundError: there is no such tenant. UsageError: it is no month, or the one month is not signed, or its records have been
    dropped.
    """
    for text in filter(None, (month, before)):
        Month.of(text, "UTC")
    with reading(engine) as connection:
        known = tenant_keys(connection)
        if tenant is not None and tenant not in known:
            raise NotFoundError(f"tenant {tenant!r}: there is none; `rice-stream tenant list` shows all")
        names = {key: name for name, key in known.items() if tenant in (None, name)}
        kept_from_us = records_from_us(connection)
        there = [period for period in all_periods(connection) if period.tenant_key in names]
        if month is not None:
            there = [period for period in there if period.month == month]
            _check(there, kept_from_us, f"{month} of {tenant}")
        wanted = []
        for period in there:
            is_kept = period.state == "closed" and period.low_us >= kept_from_us
            if is_kept and (before is None or period.month < before) and not _is_whole(connection, period):
                wanted.append(MonthToArchive(names[period.tenant_key], period))
    return wanted


def _check(there: list[StoredPeriod], kept_from_us: int, which: str) -> None:
    if not there or there[0].state != "closed":
        raise UsageError(f"--month: {which} is not closed and signed; `rice-stream close` closes it")
    if there[0].low_us < kept_from_us:
        raise UsageError(
            f"--month: records of {which} have been dropped: they are kept from {rfc3339(kept_from_us)} on"
        )


def _is_whole(connection: Connection, period: StoredPeriod) -> bool:
    late = late_records(connection, period.tenant_key, period.low_us, period.high_us)
    found = find_archived(connection, period.tenant_key, period.month)
    return found.late == late if found is not None else not period.records and not late


class Archiving:
    """An archive in a folder: one process at a time adds to it."""

    def __init__(self, engine: Engine, warehouse: Path, by: Actor) -> None:
        """`warehouse` is made where it is not there. `archive` waits for whoever adds to it already."""
        self._engine = engine
        self._warehouse = warehouse.absolute()
        self._by = by

    def archive(self, what: MonthToArchive, say: Say = lambda _what, _records: None) -> dict[str, Any]:
        """Archive a month, or what is left to do of it:
        `{"tenant_id", "month", "records", "late", "files", "bytes", "root", "snapshot"}`.

        DamagedArchiveError: the files are not what was closed. UsageError: the folder cannot be written, or its disk is full.
        StoreUnavailableError: the same again goes on where it was.
        """
        try:
            return self._archived(what, say)
        except OSError as error:
            raise UsageError(
                f"RICE_ARCHIVE_WAREHOUSE, --warehouse {self._warehouse}: cannot be written ({error}); the same again goes on where"
                " it was"
            ) from error

    def _archived(self, what: MonthToArchive, say: Say) -> dict[str, Any]:
        with self._alone(), snapshot(self._engine, EVERYTHING) as connection:
            period = what.period
            folder = self._warehouse / "rice" / "prompt_record" / f"tenant-{period.tenant_key}" / period.month
            principals: set[int] = set()
            files = self._write(connection, what, folder, principals, say)
            say("making the tree again", 0)
            _prove(connection, what, files)
            found = find_archived(connection, period.tenant_key, period.month)
        principals |= set(unpacked(found.principals)) if found is not None else set()
        table = ArchiveTable(self._engine, self._warehouse)
        root = (period.root or b"").hex()
        records, late = (sum(file.records for file in files if file.is_late >= least) for least in (False, True))
        told = {"rice.root": root, "rice.records": str(records)}
        snapshot_id = table.add(period.tenant_key, period.month, [Path(file.path) for file in files], told)
        answer = {
            "tenant_id": what.tenant_id,
            "month": period.month,
            "records": records,
            "late": late,
            "files": len(files),
            "bytes": sum(file.size_bytes for file in files),
            "root": root,
            "snapshot": str(snapshot_id),  # more digits than a double holds
        }
        with writing(self._engine) as connection:
            row = ArchivedMonth(
                tenant_key=period.tenant_key,
                month=period.month,
                low_us=period.low_us,
                high_us=period.high_us,
                records=records,
                late=late,
                root=period.root or b"",
                table_uri=table.uri,
                snapshot_id=snapshot_id,
                principals=packed(sorted(principals)),
                archived_us=database_now_us(connection),
                archived_by=str(self._by),
            )
            save_month(connection, row, files)
            told_after = {name: value for name, value in answer.items() if name not in ("tenant_id", "month")}
            change = AuditedChange("archive.add", "period", period.month, what.tenant_id, after=told_after)
            record(connection, self._by, [change])
        return answer

    def _write(
        self, connection: Connection, what: MonthToArchive, folder: Path, principals: set[int], say: Say
    ) -> list[ArchivedFile]:
        """All files of a month: those that are there from before, and those that were missing."""
        period = what.period
        late = late_records(connection, period.tenant_key, period.low_us, period.high_us)
        factors: dict[int, Mapping[str, Any]] = {}
        done = 0

        def seen(groups: Iterator[RecordRows]) -> Iterator[RecordRows]:
            nonlocal done
            for rows in groups:
                factors_by_key(connection, np.unique(rows.numbers["factor_key"]).tolist(), factors)
                for name in _PRINCIPALS:
                    principals.update(key for key in np.unique(rows.numbers[name]).tolist() if key > 0)
                done += len(rows)
                say("writing", done)
                yield rows

        stretch = RowsOfMonth(period.tenant_key, period.low_us, period.high_us, is_late=False, has_late=bool(late))
        files = [part_of(path, number, is_late=False) for number, path in enumerate(_there(folder, "part"))]
        for file in files:
            principals |= _principals_of(file)
        after = files[-1].last_key if files else None
        for path in _write_parts(
            folder,
            "part",
            len(files),
            seen(month_rows(connection, stretch, after, ROW_GROUP_ROWS)),
            period.month,
            factors,
        ):
            files.append(part_of(path, len(files), is_late=False))
        came_late = [
            part_of(path, len(files) + place, is_late=True) for place, path in enumerate(_there(folder, "late"))
        ]
        known: set[bytes] = set()
        for file in came_late:
            principals |= _principals_of(file)
            known |= {key for rows in _all_of(file, ()) for key in map(bytes, rows.event_keys)}
        missing = _but(known, month_rows(connection, stretch._replace(is_late=True), None, ROW_GROUP_ROWS))
        for path in _write_parts(folder, "late", len(came_late), seen(missing), period.month, factors):
            came_late.append(part_of(path, len(files) + len(came_late), is_late=True))
        return [*files, *came_late]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._warehouse.mkdir(parents=True, exist_ok=True)
        with (self._warehouse / ".rice-archive.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # ends with the process, however that ends
            yield


def _prove(connection: Connection, what: MonthToArchive, files: list[ArchivedFile]) -> None:
    period = what.period
    own = [file for file in files if not file.is_late]
    built = built_month(connection, period, files=own)
    if (built.tree.root_hash, built.assertion) != (period.root, period.assertion):
        raise DamagedArchiveError(
            f"{period.month} of {what.tenant_id}: the files do not give what was closed; `rice-stream audit verify` says whether"
            " the ledger still does. If so, files of an earlier run were damaged: remove those of this month"
            f" ({Path(own[0].path).parent if own else 'none'}) and archive again",
            f"tenant-{period.tenant_key}/{period.month}",
        )


def _there(folder: Path, kind: str) -> list[Path]:
    return sorted(folder.glob(f"{kind}-*.parquet"))


def _write_parts(
    folder: Path,
    kind: str,
    number: int,
    groups: Iterator[RecordRows],
    month: str,
    factors: Mapping[int, Mapping[str, Any]],
) -> Iterator[Path]:
    """Files of so many groups each, from a number on."""
    for first in groups:
        path = folder / f"{kind}-{number:05}.parquet"
        write_part(path, month, chain([first], islice(groups, _GROUPS_OF_A_FILE - 1)), factors)
        yield path
        number += 1


def _but(known: set[bytes], groups: Iterator[RecordRows]) -> Iterator[RecordRows]:
    for rows in groups:
        new = np.flatnonzero([key.tobytes() not in known for key in rows.event_keys])
        if new.size:
            yield rows.select(new)


def _all_of(file: ArchivedFile, columns: tuple[str, ...]) -> Iterator[RecordRows]:
    reader, after = ArchivedRows([file], columns), None
    while (rows := reader.after(after, ROW_GROUP_ROWS)) is not None:
        yield rows
        after = rows.event_keys[-1].tobytes()


def _principals_of(file: ArchivedFile) -> set[int]:
    found: set[int] = set()
    for rows in _all_of(file, _PRINCIPALS):
        for name in _PRINCIPALS:
            found |= {key for key in np.unique(rows.numbers[name]).tolist() if key > 0}
    return found
