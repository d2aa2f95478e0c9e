"""What contracts cover of the months of tenants, and what there is to cover, in the database."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, text

from rice_stream.canonical_json import canonical_json
from rice_stream.instants import HOUR_S, SECOND_US
from rice_stream.store import schema
from rice_stream.store.audit import Actor, AuditedChange, record

COVERED = "contracts.cover"
"""The action whose entry in the trail tells what contracts cover of a month: its `sha256` is over all of it."""
_ROWS_AT_ONCE = 5_000


class TenantMonth(NamedTuple):
    """A month of a tenant: its name, and where it begins and ends (epoch microseconds)."""

    tenant_key: int
    month: str
    low_us: int
    high_us: int


class CoveredHour(NamedTuple):
    """What a contract covers of an hour (start in epoch seconds), and what carbon by the market rested on there besides."""

    contract: str
    hour_start_s: int
    instrument: str
    granularity: str
    contract_instrument: str
    contract_granularity: str
    covered_uwh: int


def used_energy(connection: Connection, month: TenantMonth) -> dict[tuple[int, int], int]:
    """Facility energy (micro-watt-hours) of prompts as corrected by now, by hour and factors; also of those whose records have been
    dropped."""
    # Quarter hours: an hour of UTC may lie in two months of a time zone.
    statement = (
        f"SELECT slot_start_s / {HOUR_S} AS hour, factor_key, SUM(facility_energy_uwh) FROM slot_total"
        " WHERE tenant_key = :tenant_key AND slot_start_s >= :low_s AND slot_start_s < :high_s GROUP BY 1, factor_key"
    )
    asked = {
        "tenant_key": month.tenant_key,
        "low_s": month.low_us // SECOND_US,
        "high_s": month.high_us // SECOND_US,
    }
    return {(int(hour) * HOUR_S, key): int(energy) for hour, key, energy in connection.execute(text(statement), asked)}


def covered_elsewhere(connection: Connection, contracts: Sequence[str], month: TenantMonth) -> list[dict[str, Any]]:
    """What these contracts cover of other months and tenants: `[{"contract", "month", "hour_start_s", "covered_uwh"}]`."""
    table = schema.contract_coverage.c
    own = (table.tenant_key == month.tenant_key) & (table.month == month.month)
    query = (
        select(table.contract, table.month, table.hour_start_s, func.sum(table.covered_uwh).label("covered_uwh"))
        .where(table.contract.in_(contracts), ~own)
        .group_by(table.contract, table.month, table.hour_start_s)
    )
    return [{**row, "covered_uwh": int(row["covered_uwh"])} for row in connection.execute(query).mappings()]


def set_aside(
    connection: Connection, month: TenantMonth, tenant_id: str, hours: Sequence[CoveredHour], by: Actor
) -> None:
    """Save what contracts cover of the month by now, and tell the trail of it where that changed; the end of a transaction."""
    before = covered_digests(connection, month).get((tenant_id, month.month))
    save_covered(connection, month, hours)
    now = covered_digests(connection, month).get((tenant_id, month.month))
    if now != before:
        told = {"hours": len(hours), "covered_uwh": str(sum(hour.covered_uwh for hour in hours)), "sha256": now}
        record(connection, by, [AuditedChange(COVERED, "period", month.month, tenant_id, after=told)])


def save_covered(connection: Connection, month: TenantMonth, hours: Sequence[CoveredHour]) -> None:
    """What contracts cover of the month by now, in the place of what they did."""
    table = schema.contract_coverage
    of_month = {"tenant_key": month.tenant_key, "month": month.month}
    connection.execute(delete(table).where(table.c.tenant_key == month.tenant_key, table.c.month == month.month))
    rows: list[Mapping[str, Any]] = [{**of_month, **hour._asdict()} for hour in hours]
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        connection.execute(insert(table), rows[first : first + _ROWS_AT_ONCE])


def covered_digests(connection: Connection, only: TenantMonth | None = None) -> dict[tuple[str, str], str]:
    """(tenant, month) -> a digest of all that contracts cover of it; `only`: of this one."""
    table, tenant = schema.contract_coverage.c, schema.tenant.c
    query = (
        select(tenant.tenant_id, table.month, *(table[name] for name in CoveredHour._fields))
        .join_from(schema.contract_coverage, schema.tenant, tenant.tenant_key == table.tenant_key)
        .order_by(table.tenant_key, table.month, table.hour_start_s)
    )
    if only is not None:
        query = query.where(table.tenant_key == only.tenant_key, table.month == only.month)
    hours: dict[tuple[str, str], list[bytes]] = defaultdict(list)
    for row in connection.execute(query):
        hours[row.tenant_id, row.month].append(canonical_json([*row[2:-1], str(row.covered_uwh)]))
    # In an order that is the same on every database, whatever it sorts texts by.
    return {whose: hashlib.sha256(b"\n".join(sorted(rows))).hexdigest() for whose, rows in hours.items()}


def has_covered(connection: Connection, month: TenantMonth) -> bool:
    """Whether any contract covers something of the month."""
    table = schema.contract_coverage.c
    query = select(table.contract).where(table.tenant_key == month.tenant_key, table.month == month.month).limit(1)
    return connection.execute(query).first() is not None


def applied_last(connection: Connection, tenant_id: str, month: str, method_version: str) -> str | None:
    """The basis of the last run of this kind of the month; None: there is none, or it was cut short."""
    table = schema.restatement.c
    of_month = (table.tenant_id == tenant_id) & (table.factor_version == month)
    query = (
        select(table.basis, table.state)
        .where(of_month, table.method_version == method_version, table.dry_run == 0)
        .order_by(table.number.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return str(row.basis) if row is not None and row.state == "done" else None
