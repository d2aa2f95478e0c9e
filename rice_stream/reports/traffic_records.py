"""Records of a stretch of time as columns, of a tenant or of a model, without voided ones: those kept, and those of the archive."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from rice_stream.errors import UsageError
from rice_stream.instants import rfc3339
from rice_stream.quantities import UNKNOWN, Ints
from rice_stream.reports.archived_prompts import ArchivedPrompts
from rice_stream.reports.prompt_filter import PromptFilter
from rice_stream.reports.prompts import tenant_keys
from rice_stream.reports.voided import not_voided
from rice_stream.store.archive.kept import dropped_by_tenant, first_gap_us
from rice_stream.store.event_key_columns import key_bounds, key_bytes
from rice_stream.store.horizon import records_from_us
from rice_stream.store.key_places import keys_of, places_of
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import attribution_in, scope_parameters, tenant_key_in

RECORDS_AT_ONCE = 50_000


class Traffic(NamedTuple):
    """Which records: of one tenant or of all, of one model name or of all, that ended in [from_us, to_us)."""

    from_us: int
    to_us: int
    tenant: str | None = None
    model: str | None = None


def traffic_records(
    connection: Connection, scope: Scope, traffic: Traffic, columns: Sequence[str], *, in_order: bool = False
) -> Iterator[Mapping[str, Ints]]:
    """The columns, UNKNOWN for null, thousands of records at a time. `in_order`: of time, in the archive of each tenant's.

    Raises:
        UsageError: records of the stretch have been dropped, and are not in the archive.
        DamagedArchiveError: a file is not what was written.
    """
    horizon_us = records_from_us(connection)
    if traffic.from_us < horizon_us:
        yield from _of_archive(connection, scope.within(traffic.tenant), traffic, columns, horizon_us)
        traffic = traffic._replace(from_us=horizon_us)
    if traffic.from_us < traffic.to_us:
        yield from _kept(connection, scope, traffic, columns, " ORDER BY r.event_key" if in_order else "")


def _kept(
    connection: Connection, scope: Scope, traffic: Traffic, columns: Sequence[str], order: str
) -> Iterator[Mapping[str, Ints]]:
    conditions, parameters = _conditions(connection, scope, traffic)
    wanted = ", ".join(f"COALESCE(r.{name}, {UNKNOWN})" for name in columns)
    statement = f"SELECT {wanted} FROM prompt_record r WHERE {' AND '.join(conditions)}{order}"
    result = connection.execute(text(statement), parameters, execution_options={"yield_per": RECORDS_AT_ONCE})
    for rows in result.partitions(RECORDS_AT_ONCE):
        yield dict(zip(columns, np.array([tuple(row) for row in rows], dtype=np.int64).T, strict=True))


def _conditions(connection: Connection, scope: Scope, traffic: Traffic) -> tuple[list[str], dict[str, Any]]:
    """Conditions that hold for the records `r` of the traffic that are of the scope and not voided, and their parameters."""
    seen = scope.within(traffic.tenant)
    key_low, key_high = key_bounds(connection.dialect.name, traffic.from_us, traffic.to_us)
    conditions = [
        "r.event_key >= :key_low",
        "r.event_key < :key_high",
        "r.ended_at_us >= :low",
        "r.ended_at_us < :high",
        tenant_key_in(seen, "r.tenant_key"),
        attribution_in(seen, "r"),
        not_voided("r"),
    ]
    parameters: dict[str, Any] = {
        "key_low": key_low,
        "key_high": key_high,
        "low": traffic.from_us,
        "high": traffic.to_us,
        **scope_parameters(seen),
    }
    if traffic.model is not None:
        conditions.append(f"r.factor_key IN ({_OF_MODEL})")
        parameters["model"] = traffic.model
    return conditions, parameters


_OF_MODEL = "SELECT factor_key FROM factor_use WHERE :model IN (model, model_resolved)"


def _of_archive(
    connection: Connection, seen: Scope, traffic: Traffic, columns: Sequence[str], horizon_us: int
) -> Iterator[Mapping[str, Ints]]:
    bounds_us = traffic.from_us, min(traffic.to_us, horizon_us)
    tenants = [key for _, key in tenant_keys(connection, seen)]
    _check_archived(connection, tenants, bounds_us, horizon_us)
    files = dropped_by_tenant(connection, *bounds_us)
    of_model = None
    if traffic.model is not None:
        of_model = np.array(connection.scalars(text(_OF_MODEL), {"model": traffic.model}).all(), dtype=np.int64)
    for tenant_key in tenants:
        if tenant_key not in files:
            continue
        voided = _voided(connection, tenant_key, bounds_us)
        prompts = ArchivedPrompts(connection, seen, tenant_key, PromptFilter(), bounds_us)
        for rows in prompts.batches(files[tenant_key], RECORDS_AT_ONCE, {*columns, "factor_key"}):
            wanted: NDArray[np.bool_] = np.ones(len(rows), dtype=np.bool_)
            places = places_of(rows.event_keys, voided)
            wanted[places[places >= 0]] = False
            if of_model is not None:
                wanted &= np.isin(rows.numbers["factor_key"], of_model)
            if wanted.any():
                yield {name: rows.numbers[name][wanted] for name in columns}


def _check_archived(
    connection: Connection, tenants: Collection[int], bounds_us: tuple[int, int], horizon_us: int
) -> None:
    gap_us = first_gap_us(connection, list(tenants), *bounds_us)
    if gap_us is not None:
        raise UsageError(
            f"--from: records before {rfc3339(horizon_us)} have been dropped (retention), and not all from {rfc3339(gap_us)} on"
            " are in the archive; begin at the former or later, or ask for the months of a tenant that are in it"
        )


def _voided(connection: Connection, tenant_key: int, bounds_us: tuple[int, int]) -> NDArray[np.uint8]:
    low, high = key_bounds(connection.dialect.name, *bounds_us)
    statement = (
        "SELECT event_key FROM adjustment WHERE tenant_key = :tenant_key AND cause = 'void'"
        " AND event_key >= :low AND event_key < :high"
    )
    asked = {"tenant_key": tenant_key, "low": low, "high": high}
    return keys_of(b"".join(map(key_bytes, connection.scalars(text(statement), asked))))
