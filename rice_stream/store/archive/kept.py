"""What the database knows of the archive: which closed months are in it, in which files, and what retention has dropped since.

Functions on a connection are parts of the caller's transaction. The files say what is in them; nothing here reads one.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from rice_stream.instants import SECOND_US, SLOT_S
from rice_stream.store import schema
from rice_stream.store.event_key_columns import column_key, key_bounds, key_bytes
from rice_stream.store.horizon import records_from_us

CATALOGUE_SCHEMA = "rice_archive"
"""On PostgreSQL the two tables of Iceberg's catalogue have a schema of their own."""
_PRINCIPAL_BYTES = 4


class ArchivedMonth(NamedTuple):
    """A closed month of a tenant that is in the archive."""

    tenant_key: int
    month: str
    low_us: int
    high_us: int
    records: int
    late: int
    """How many of the records came after the month was closed."""
    root: bytes
    table_uri: str
    snapshot_id: int
    principals: bytes
    archived_us: int
    archived_by: str


class ArchivedFile(NamedTuple):
    """One file: records of a month in the order of their keys, from `first_key` to `last_key`."""

    number: int
    path: str
    is_late: bool
    records: int
    size_bytes: int
    sha256: bytes
    first_key: bytes
    last_key: bytes


def archived_months(connection: Connection) -> list[ArchivedMonth]:
    """Those of all tenants, in the order of tenants and months."""
    return [ArchivedMonth(*row) for row in connection.execute(_months().order_by("tenant_key", "month"))]


def find_archived(connection: Connection, tenant_key: int, month: str) -> ArchivedMonth | None:
    """The month of a tenant; None: it is not in the archive."""
    table = schema.archived_month
    row = connection.execute(_months().where(table.c.tenant_key == tenant_key, table.c.month == month)).first()
    return None if row is None else ArchivedMonth(*row)


def files_of(connection: Connection, tenant_key: int, month: str) -> list[ArchivedFile]:
    """The files of a month, in their order."""
    table = schema.archived_file
    query = select(*(table.c[name] for name in ArchivedFile._fields)).order_by(table.c.number)
    found = connection.execute(query.where(table.c.tenant_key == tenant_key, table.c.month == month))
    return [_file(row) for row in found]


def dropped_files(connection: Connection, tenant_key: int, low_us: int, high_us: int) -> list[ArchivedFile]:
    """Files with records of a tenant that ended in [low_us, high_us), of months of which retention has dropped any.

    They may hold records that the database has still: those from the horizon on.
    """
    return dropped_by_tenant(connection, low_us, high_us, tenant_key).get(tenant_key, [])


def dropped_by_tenant(
    connection: Connection, low_us: int, high_us: int, tenant_key: int | None = None
) -> dict[int, list[ArchivedFile]]:
    """The same of all tenants that the connection may see and that have any, by their key, or of one."""
    horizon_us = records_from_us(connection)
    if low_us >= horizon_us:
        return {}
    months, files = schema.archived_month, schema.archived_file
    query = (
        select(files.c.tenant_key, *(files.c[name] for name in ArchivedFile._fields))
        .join(months, (months.c.tenant_key == files.c.tenant_key) & (months.c.month == files.c.month))
        .where(months.c.low_us < min(high_us, horizon_us), months.c.high_us > low_us)
        .order_by(files.c.tenant_key, months.c.low_us, files.c.number)
    )
    if tenant_key is not None:
        query = query.where(months.c.tenant_key == tenant_key)
    found: dict[int, list[ArchivedFile]] = {}
    for row in connection.execute(query):
        found.setdefault(row.tenant_key, []).append(_file(row))
    return found


def first_gap_us(connection: Connection, tenant_keys: Sequence[int], low_us: int, high_us: int) -> int | None:
    """The first of `gaps_us`; None: there is none."""
    return min(gaps_us(connection, tenant_keys, low_us, high_us).values(), default=None)


def gaps_us(connection: Connection, tenant_keys: Sequence[int], low_us: int, high_us: int) -> dict[int, int]:
    """By tenant, where there is one, the first instant of [low_us, high_us), or the quarter hour that begins there, from which on
    records have been dropped that are not in the archive. Of quarter hours without totals nothing was dropped."""
    horizon_us = min(records_from_us(connection), high_us)
    months: dict[int, list[ArchivedMonth]] = {}
    for month in archived_months(connection):
        months.setdefault(month.tenant_key, []).append(month)
    found = {key: _gap_us(connection, key, months.get(key, []), low_us, horizon_us) for key in tenant_keys}
    return {key: gap_us for key, gap_us in found.items() if gap_us is not None}


def _gap_us(
    connection: Connection, tenant_key: int, months: Sequence[ArchivedMonth], low_us: int, horizon_us: int
) -> int | None:
    slots = schema.slot_total.c
    while low_us < horizon_us:
        low_s, high_s = low_us // SECOND_US // SLOT_S * SLOT_S, -(-horizon_us // SECOND_US)
        within = (slots.slot_start_s >= low_s) & (slots.slot_start_s < high_s)
        first_s = connection.scalar(select(func.min(slots.slot_start_s)).where(slots.tenant_key == tenant_key, within))
        if first_s is None:
            return None
        first_us: int = max(first_s * SECOND_US, low_us)
        ends_us = [each.high_us for each in months if each.low_us <= first_us < each.high_us]
        if not ends_us:
            return first_us
        low_us = max(ends_us)
    return None


def late_records(connection: Connection, tenant_key: int, low_us: int, high_us: int) -> int:
    """How many records came into a month after it was closed."""
    entries, dialect = schema.adjustment_entry, connection.dialect.name
    low, high = (column_key(dialect, key_bytes(bound)) for bound in key_bounds(dialect, low_us, high_us))
    within = (
        (entries.c.tenant_key == tenant_key)
        & (entries.c.counted == 0)
        & (entries.c.event_key >= low)
        & (entries.c.event_key < high)
        & (entries.c.ended_at_us >= low_us)
        & (entries.c.ended_at_us < high_us)
    )
    return connection.scalar(select(func.count(entries.c.event_key.distinct())).where(within)) or 0


def unarchived_from_us(connection: Connection, before_us: int) -> int | None:
    """Where the first signed month begins, of those before an instant whose records are kept, that is not wholly in the archive.

    None: there is none. Of a month that nothing ended in there is nothing to keep.
    """
    periods, kept_from_us = schema.period, records_from_us(connection)
    query = (
        select(*(periods.c[name] for name in ("tenant_key", "month", "low_us", "high_us", "records")))
        .where(periods.c.state == "closed", periods.c.low_us < before_us, periods.c.low_us >= kept_from_us)
        .order_by(periods.c.low_us)
    )
    archived = {(each.tenant_key, each.month): each.late for each in archived_months(connection)}
    for tenant_key, month, low_us, high_us, records in connection.execute(query).all():
        late = archived.get((tenant_key, month), None if records else 0)
        if late is None or late != late_records(connection, tenant_key, low_us, high_us):
            return int(low_us)
    return None


def named_principals(connection: Connection) -> set[tuple[int, int]]:
    """(tenant_key, principal_key) of the users and API keys that records in the archive name."""
    table = schema.archived_month
    return {
        (tenant_key, key)
        for tenant_key, packed in connection.execute(select(table.c.tenant_key, table.c.principals))
        for key in unpacked(bytes(packed))
    }


def packed(principal_keys: Sequence[int]) -> bytes:
    """Keys as `principals` holds them."""
    return b"".join(key.to_bytes(_PRINCIPAL_BYTES, "big") for key in sorted(set(principal_keys)))


def unpacked(keys: bytes) -> list[int]:
    """The keys that `packed` was given."""
    return [int.from_bytes(keys[at : at + _PRINCIPAL_BYTES], "big") for at in range(0, len(keys), _PRINCIPAL_BYTES)]


def save_month(connection: Connection, month: ArchivedMonth, files: Sequence[ArchivedFile]) -> None:
    """Keep what a month is in the archive with, in the place of what was kept of it."""
    forget_month(connection, month.tenant_key, month.month)
    connection.execute(insert(schema.archived_month).values(month._asdict()))
    which = {"tenant_key": month.tenant_key, "month": month.month}
    rows = [{**which, **file._asdict(), "is_late": int(file.is_late)} for file in files]
    if rows:
        connection.execute(insert(schema.archived_file), rows)


def forget_month(connection: Connection, tenant_key: int, month: str) -> None:
    """The month is in the archive no more."""
    for table in (schema.archived_file, schema.archived_month):
        connection.execute(delete(table).where(table.c.tenant_key == tenant_key, table.c.month == month))


def _months() -> Any:
    return select(*(schema.archived_month.c[name] for name in ArchivedMonth._fields))


def _file(row: Any) -> ArchivedFile:
    values = {name: value for name, value in row._asdict().items() if name in ArchivedFile._fields}
    found = {name: bytes(values[name]) for name in ("sha256", "first_key", "last_key")}
    return ArchivedFile(**{**values, **found, "is_late": bool(values["is_late"])})
