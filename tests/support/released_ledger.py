"""Ledgers as earlier versions left them, in `data/released/VERSION`: rows of every table, and what was answered then."""

import gzip
import json
import re
import uuid
from pathlib import Path
from typing import Any

from sqlalchemy import Boolean, Connection, Engine, MetaData, Table, insert, inspect, select, text

from rice_stream.instants import datetime_of
from rice_stream.store import schema
from rice_stream.store.calendars import ensure_months
from rice_stream.store.migrate import migrate
from rice_stream.store.partition_ddl import make_partitions
from rice_stream.store.partitions import month_of
from tests.support.places import DATA, ROOT

RELEASED = DATA / "released"
LEDGER_KINDS = ("sqlite", "postgresql")
"""On which databases a version has left one."""
CALENDAR = "month_start"
"""What migrations and `ensure_months` put there; it is not kept."""
_SECTION = re.compile(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", re.MULTILINE)


def released_versions() -> list[str]:
    """Those that have a section in CHANGELOG.md, latest first."""
    return _SECTION.findall((ROOT / "CHANGELOG.md").read_text("utf-8"))


def kept_versions() -> list[str]:
    """Those whose ledgers are kept."""
    return sorted(path.name for path in RELEASED.iterdir() if path.is_dir())


def read_ledger(version: str, kind: str) -> dict[str, Any]:
    """The ledger of a version on a kind of database: `{"version", "schema", "tables", "rows", "asked", "answers", "audit"}`."""
    document: dict[str, Any] = json.loads(gzip.decompress(_file(version, kind).read_bytes()))
    return document


def keep_ledger(kind: str, document: dict[str, Any]) -> Path:
    """Write it, and return its file: the same document is the same bytes."""
    file = _file(document["version"], kind)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress(json.dumps(document, ensure_ascii=False).encode(), mtime=0))
    return file


def _file(version: str, kind: str) -> Path:
    return RELEASED / version / f"{kind}.json.gz"


def table_columns(engine: Engine) -> dict[str, list[str]]:
    """The columns of every table of the ledger, in their order."""
    inspector = inspect(engine)
    tables = set(inspector.get_table_names()) & set(schema.metadata.tables)
    return {table: [column["name"] for column in inspector.get_columns(table)] for table in sorted(tables)}


def dumped_rows(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """The rows of every table of a ledger; bytes, and PostgreSQL's UUIDs, as `{"bytes": hexadecimal}`."""
    with engine.connect() as connection:
        return {
            table.name: [
                {name: _plain(value) for name, value in row.items()}
                for row in connection.execute(text(f'SELECT * FROM "{table.name}"')).mappings()
            ]
            for table in schema.metadata.sorted_tables
            if table.name != CALENDAR
        }


def fill_ledger(engine: Engine, revision: str, rows: dict[str, list[dict[str, Any]]]) -> None:
    """Bring an empty database to a schema and put rows into it, as the version of that schema had stored them."""
    migrate(engine, revision)
    if engine.dialect.name == "postgresql":
        make_partitions(engine, {month_of(datetime_of(row["ended_at_us"])) for row in rows["prompt_record"]})
    metadata = MetaData()
    with engine.begin() as connection:
        for zone in {row["time_zone"] for row in rows["tenant"]}:
            ensure_months(connection, zone)
        for name, of_table in rows.items():
            table = Table(name, metadata, autoload_with=connection)
            if of_table:
                connection.execute(
                    insert(table), [{k: _stored(table, k, v) for k, v in row.items()} for row in of_table]
                )
        if engine.dialect.name == "postgresql":
            _count_on(connection)


def differences(before: Any, now: Any, place: str = "") -> list[str]:
    """Where something that was said is said otherwise or no more; there may be more than before."""
    if isinstance(before, dict) and isinstance(now, dict):
        return [each for name in before for each in differences(before[name], now.get(name), f"{place}.{name}")]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = enumerate(zip(before, now, strict=True))
        return [each for number, (old, new) in pairs for each in differences(old, new, f"{place}[{number}]")]
    if place.endswith(".embodied_gco2e") and isinstance(now, dict) and not isinstance(before, dict):
        return differences(before, now["mid"], place)  # it was its middle alone
    return [] if before == now else [f"{place}: {before!r} is now {now!r}"]


def _plain(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return {"bytes": value.hex}
    return {"bytes": bytes(value).hex()} if isinstance(value, bytes | memoryview) else value


def _stored(table: Table, column: str, value: Any) -> Any:
    if isinstance(value, dict):
        content = bytes.fromhex(value["bytes"])
        return uuid.UUID(bytes=content) if "UUID" in str(table.c[column].type) else content
    return bool(value) if isinstance(table.c[column].type, Boolean) else value


def _count_on(connection: Connection) -> None:
    """Numbers that the database gives out go on after those that were put in."""
    given = text(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
        " AND (is_identity = 'YES' OR column_default LIKE 'nextval%')"
    )
    for name, column in connection.execute(given).all():
        top = connection.scalar(select(text(f'MAX("{column}")')).select_from(text(f'"{name}"')))
        if top is not None:
            counting = text("SELECT setval(pg_get_serial_sequence(:table, :column), :top)")
            connection.execute(counting, {"table": name, "column": column, "top": top})
