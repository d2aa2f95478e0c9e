"""`rice-stream archive --check`: whether every file of the archive is what was written, and gives the root that was signed."""

from pathlib import Path
from typing import Any

from rice_stream.errors import DamagedArchiveError
from rice_stream.store.archive.kept import ArchivedFile, ArchivedMonth, archived_months, files_of
from rice_stream.store.archive.part_files import digest_of
from rice_stream.store.engine import Connection, Engine
from rice_stream.store.period_building import built_month
from rice_stream.store.period_store import find_period
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.snapshot import snapshot
from rice_stream.store.stored_records import tenant_keys


def verify_archive(engine: Engine) -> dict[str, Any]:
    """`{"ok", "months", "records", "bytes", "problems"}`: each file by its digest, then each month's tree made again of its files.

    StoreUnavailableError: as from a report.
    """
    problems: list[str] = []
    records = size_bytes = 0
    with snapshot(engine, EVERYTHING) as connection:
        names = {key: name for name, key in tenant_keys(connection).items()}
        months = archived_months(connection)
        for month in months:
            files = files_of(connection, month.tenant_key, month.month)
            records += month.records
            size_bytes += sum(file.size_bytes for file in files)
            which = f"month {month.month} of {names.get(month.tenant_key, f'tenant {month.tenant_key}')}"
            found = [problem for file in files if (problem := _of_file(file)) is not None]
            problems += [f"{which}: {each}" for each in found or _of_tree(connection, month, files)]
    counted = {"months": len(months), "records": records, "bytes": size_bytes}
    return {"ok": not problems, **counted, "problems": problems}


def _of_file(file: ArchivedFile) -> str | None:
    path = Path(file.path)
    if not path.is_file():
        return f"{path} is not there"
    if digest_of(path) != file.sha256:
        return f"{path} is not what was written: its SHA-256 was {file.sha256.hex()}"
    return None


def _of_tree(connection: Connection, month: ArchivedMonth, files: list[ArchivedFile]) -> list[str]:
    period = find_period(connection, month.tenant_key, month.month)
    if period is None or period.root != month.root:
        return ["it is in the archive with another root than the ledger has"]
    try:
        built = built_month(connection, period, files=[file for file in files if not file.is_late])
    except DamagedArchiveError as error:
        return [str(error)]
    return [] if built.tree.root_hash == month.root else ["its files and entries do not give the root that was signed"]
