"""Finding the record of an event by the id that its sender gave it."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from rice_stream.errors import NotFoundError, UsageError
from rice_stream.events.keys import event_key
from rice_stream.instants import DAY_US, epoch_us, in_utc, parse_time, rfc3339
from rice_stream.meter.recompute import StoredKind, stored_kind
from rice_stream.store.archive.finding import archived_records
from rice_stream.store.engine import Engine
from rice_stream.store.erased_names import is_stand_in
from rice_stream.store.event_id_places import places_of
from rice_stream.store.event_key_columns import RecordKey, key_bound, key_bytes
from rice_stream.store.prepared import named_rows_of, rows_of, statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters, team_in, tenant_id_in, tenant_key_in
from rice_stream.store.scoped import found_once, scoped_reading
from rice_stream.store.snapshot import snapshot, without_scans
from rice_stream.store.views import PROMPT_JOINS, prompt_columns

_LISTED_MAX = 5
_KINDS_KEPT = 1_000
_OF_A_KIND = (
    "detail",
    "pue",
    "region_resolved",
    "rci_low_gco2e_per_kwh",
    "rci_mid_gco2e_per_kwh",
    "rci_high_gco2e_per_kwh",
)
"""The columns of `factor_use` that `stored_kind` reads."""
_FIRST_BESIDES = "stored_event_key"
_BESIDES = f"r.event_key AS {_FIRST_BESIDES}, r.tenant_key, r.basis_flags AS record_basis_flags, f.*"
"""Columns of a record besides those of the view."""
_MS = (("low", 0), ("high", 1))
"""Ends of a millisecond, which keys begin with."""

_AT_PLACE = "r.tenant_key = :place_key AND r.event_key >= :own_low AND r.event_key < :own_high"
_BY_ID_ALONE = "(SELECT * FROM prompt_record WHERE event_id = :event_id OFFSET 0) r"
"""On PostgreSQL, by the index of event ids whoever's they are: the planner takes it for one that finds much, and would rather read
all records of a tenant."""


class StoredRecord(NamedTuple):
    """One prompt: its row with the columns of the view `prompt_emission`, its flags, and its row of `factor_use`."""

    view: dict[str, Any]
    basis_flags: int
    factor: Mapping[str, Any]
    kind: StoredKind
    """What that row says, read."""
    key: RecordKey


def find_record(
    connection: Connection,
    scope: Scope,
    event_id: str,
    tenant: str | None = None,
    ended_at: datetime | None = None,
) -> StoredRecord:
    """The one record of this event id, within a tenant and at an instant where these are given; where the database has none any
    more, from the archive.

    Raises:
        NotFoundError: there is none. Who sees everything is told where it is in quarantine or contradicted a record.
        UsageError: there are several.
        DamagedArchiveError: a file of the archive is not what was written.
    """
    seen = scope.within(tenant)
    if ended_at is None:
        names, rows = _listed_rows(connection, scope, seen, event_id)
        if not rows:
            names, rows = _rows_of_id(connection, seen, event_id)
    else:
        when, bounds = _ended_at(connection.dialect.name, epoch_us(in_utc(ended_at)))
        names, rows = _rows(connection, seen, event_id, "prompt_record r", when, bounds)
    if not rows:
        names, rows = _archived_rows(connection, seen, event_id, ended_at)
    if not rows:
        raise NotFoundError(_why_not_found(connection, scope, event_id, tenant))
    # What is besides has names that the view has too.
    width = names.index(_FIRST_BESIDES)
    views = [_plain(dict(zip(names[:width], row[:width], strict=True))) for row in rows]
    if len(rows) > 1:
        raise UsageError(_which_one(event_id, views))
    event_key_, tenant_key, basis_flags, *factor = rows[0][width:]
    key = RecordKey(tenant_key, key_bytes(event_key_))
    _check_key(views[0], key.event_key)
    factors = dict(zip(names[width + 3 :], factor, strict=True))
    return StoredRecord(views[0], basis_flags, factors, _kind_of(*(factors[name] for name in _OF_A_KIND)), key)


def _rows(
    connection: Connection, seen: Scope, event_id: str, records: str, when: str, bounds: Mapping[str, Any]
) -> tuple[list[str], Sequence[Sequence[Any]]]:
    """Names of columns, and rows: the view's columns, then those of _BESIDES."""
    # Not from the view: on PostgreSQL it reads with its owner's rights, and so shows every tenant to whoever may read it.
    asked = statement(
        f"SELECT {prompt_columns(connection.dialect.name, str)}, {_BESIDES} FROM {records}\n{PROMPT_JOINS}\n"
        f"WHERE r.event_id = :event_id AND {when} AND {tenant_key_in(seen, 'r.tenant_key')}"
        f" AND {tenant_id_in(seen)} AND {team_in(seen)}"
    )
    return named_rows_of(connection, asked, {"event_id": event_id, **bounds, **scope_parameters(seen)})


def _rows_of_id(connection: Connection, seen: Scope, event_id: str) -> tuple[list[str], Sequence[Sequence[Any]]]:
    """By the id alone: PostgreSQL asks the filters of ids of all records."""
    is_postgresql = connection.dialect.name == "postgresql"
    with without_scans(connection):
        return _rows(connection, seen, event_id, _BY_ID_ALONE if is_postgresql else "prompt_record r", "TRUE", {})


def _listed_rows(
    connection: Connection, scope: Scope, seen: Scope, event_id: str
) -> tuple[list[str], Sequence[Sequence[Any]]]:
    """By the id alone, from where the lists of ids say that it may be: all of its records, or none where the lists do not tell."""
    names: list[str] = []
    found: list[Sequence[Any]] = []
    for place in places_of(connection, scope, event_id) or ():
        bounds = {f"own_{end}": key_bound("postgresql", place.key_ms + more) for end, more in _MS}
        names, rows = _rows(
            connection, seen, event_id, "prompt_record r", _AT_PLACE, {**bounds, "place_key": place.tenant_key}
        )
        found += rows
    return names, found


def _archived_rows(
    connection: Connection, seen: Scope, event_id: str, ended_at: datetime | None
) -> tuple[list[str], Sequence[Sequence[Any]]]:
    """The same of records that retention has dropped and the archive holds."""
    names: list[str] = []
    found: list[Sequence[Any]] = []
    ended_at_us = None if ended_at is None else epoch_us(in_utc(ended_at))
    for record in archived_records(connection, seen, event_id, ended_at_us):
        relation, values = record.relation(connection.dialect.name)
        names, rows = _rows(connection, seen, event_id, relation, "TRUE", values)
        found += rows
    return names, found


def find_record_once(
    connection: Connection,
    scope: Scope,
    event_id: str,
    tenant: str | None = None,
    ended_at: datetime | None = None,
) -> StoredRecord:
    """The same, looked up once for all questions of one moment."""
    question = "record", scope, event_id, tenant, ended_at
    return found_once(connection, question, lambda: find_record(connection, scope, event_id, tenant, ended_at))


def recorded(
    engine: Engine, scope: Scope, event_id: str, tenant: str | None = None, ended_at: datetime | None = None
) -> dict[str, Any]:
    """The record alone, as it is explained. The errors of `find_record`."""
    with snapshot(engine, scope, keeps_join_order=True) as connection:
        return find_record_once(connection, scope, event_id, tenant, ended_at).view


def is_recorded(engine: Engine, scope: Scope, event_id: str, tenant: str, ended_at: datetime) -> bool:
    """Whether there is a record of this event, which ended at this instant; may be asked again and again."""
    seen = scope.within(tenant)
    with scoped_reading(engine, seen) as connection:
        when, bounds = _ended_at(connection.dialect.name, epoch_us(in_utc(ended_at)))
        own = f"{when} AND {tenant_key_in(seen, 'r.tenant_key')}"
        asked = statement(f"SELECT 1 FROM prompt_record r WHERE r.event_id = :event_id AND {own} LIMIT 1")
        return bool(rows_of(connection, asked, {"event_id": event_id, **bounds, **scope_parameters(seen)}))


def _ended_at(dialect: str, ended_at_us: int) -> tuple[str, dict[str, Any]]:
    """A condition for the records that ended at an instant, and its parameters: by their keys, which an index finds at once."""
    ended_ms, day_ms = ended_at_us // 1000, ended_at_us // DAY_US * DAY_US // 1000
    # The second is the key of an event without a time of its own.
    starts = {"own": ended_ms, "of_day": day_ms}
    bounds = {f"{name}_{end}": key_bound(dialect, ms + more) for name, ms in starts.items() for end, more in _MS}
    either = " OR ".join(f"r.event_key >= :{name}_low AND r.event_key < :{name}_high" for name in starts)
    return f"r.ended_at_us = :ended_at_us AND ({either})", {"ended_at_us": ended_at_us, **bounds}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """The row with times as RFC 3339 text."""
    for name in ("started_at", "ended_at"):
        if values[name] is not None:
            values[name] = rfc3339(values[name])
    return values


def _check_key(view: Mapping[str, Any], stored: bytes) -> None:
    """Raises UsageError where the record's key is not that of what the record says.

    Of names that were erased nothing can be told: keys were made of those before.
    """
    if any(map(is_stand_in, (view["tenant_id"], view["source"] or ""))):
        return
    ended_at_us = epoch_us(parse_time(view["ended_at"]))
    # The second is that of an event without a time of its own.
    times_us = ended_at_us, ended_at_us - ended_at_us % DAY_US
    if all(event_key(view["tenant_id"], view["source"], view["event_id"], time_us) != stored for time_us in times_us):
        raise UsageError(
            f"the record of event {view['event_id']!r} does not carry the key of its own tenant, source and time: it was"
            " changed after it was stored; see `rice-stream verify`"
        )


@lru_cache(maxsize=_KINDS_KEPT)
def _kind_of(*values: Any) -> StoredKind:
    """As `stored_kind`: many records are of one kind, and to read what it says takes longer than to find a record."""
    return stored_kind(dict(zip(_OF_A_KIND, values, strict=True)))


def _which_one(event_id: str, records: Sequence[Mapping[str, Any]]) -> str:
    listed = ", ".join(f"{row['tenant_id']} at {row['ended_at']}" for row in records[:_LISTED_MAX])
    more = "" if len(records) <= _LISTED_MAX else f" and {len(records) - _LISTED_MAX} more"
    return (
        f"{len(records)} records have the event id {event_id!r}: {listed}{more}; say which with --tenant or --ended-at"
    )


def _why_not_found(connection: Connection, scope: Scope, event_id: str, tenant: str | None) -> str:
    whose = "" if tenant is None else f" of tenant {tenant!r}"
    what = f"no record has the event id {event_id!r}{whose}"
    if not scope.is_everything:
        return what
    held = connection.execute(
        text(
            "SELECT id, status, reason FROM quarantine WHERE payload LIKE :as_field ESCAPE '!' OR payload LIKE :as_id ESCAPE '!'"
        ),
        {"as_field": _like(f'"event_id":{_quoted(event_id)}'), "as_id": _like(f'"id":{_quoted(event_id)}')},
    ).first()
    if held is not None:
        return (
            f"{what}; it is in quarantine ({held.status}: {held.reason}), see `rice-stream quarantine show {held.id}`"
        )
    if connection.scalar(text("SELECT COUNT(*) FROM conflict WHERE event_id = :event_id"), {"event_id": event_id}):
        return f"{what}, but it is in the table `conflict`: it contradicted a record that has since been dropped"
    if tenant is not None:
        return f"{what}; without --tenant all tenants are looked through"
    return f"{what}: it has not arrived, or its record is older than retention allows"


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _like(part: str) -> str:
    escaped = part.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{escaped}%"
