"""The prompts themselves, one row each: page by page in the order of time (`prompt_stream` has all of them).

A row has the fields of the view `prompt_emission`: who, when, on what and how much, never any text of a prompt.
"""

import heapq
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import text

from rice_stream.instants import rfc3339
from rice_stream.reports.pages import PAGE_ROWS, not_a_position, page
from rice_stream.reports.prompt_filter import PromptFilter
from rice_stream.reports.windows import bounds_us
from rice_stream.store.asked_ahead import named_rows_later
from rice_stream.store.engine import Connection, Engine
from rice_stream.store.event_key_columns import key_bounds, key_bytes, stored_key
from rice_stream.store.horizon import records_from_us
from rice_stream.store.prepared import statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import attribution_in, scope_parameters, tenant_id_in
from rice_stream.store.scoped import found_once
from rice_stream.store.snapshot import snapshot
from rice_stream.store.views import PROMPT_JOINS, prompt_columns

TIMES = ("started_at", "ended_at")
"""Columns whose values in a stream are epoch microseconds."""
_KEY_BYTES, _TENANT_BYTES = 16, 4


class _Key(NamedTuple):
    """Where a record stands: events in the order of time, those of one instant in the order of their keys."""

    event_key: bytes
    tenant_key: int


def prompts(
    engine: Engine,
    scope: Scope,
    asked: PromptFilter,
    *,
    after: bytes | None = None,
    limit: int = PAGE_ROWS,
    newest_first: bool = True,
) -> dict[str, Any]:
    """One page: `{"rows": [the fields of prompt_emission, times as RFC 3339 text], "next"}`.

    In the order of event keys, which is that of time to the millisecond; events without a time of their own lie at the beginning
    of their day. Who sees some teams only sees what they were charged for.

    Raises:
        UsageError: bounds that contradict each other, or a position of another list.
    """
    return prompts_later(engine, scope, asked, after=after, limit=limit, newest_first=newest_first)()


def prompts_later(
    engine: Engine,
    scope: Scope,
    asked: PromptFilter,
    *,
    after: bytes | None = None,
    limit: int = PAGE_ROWS,
    newest_first: bool = True,
) -> Callable[[], dict[str, Any]]:
    """The same, once: asked now, and waited for when it is called (`asked_ahead`)."""
    with snapshot(engine, scope, keeps_join_order=True) as connection:
        find = _found_at_once if connection.dialect.name == "postgresql" else _found_by_keys
        found = find(connection, scope, asked, after, limit + 1, newest_first=newest_first)

    def told() -> dict[str, Any]:
        names, rows = found()
        names = names[len(_Key._fields) :]
        # Those that are kept end after those that are not: where they fill the page, the archive has nothing before them.
        if not newest_first or len(rows) <= limit:
            names, rows = _with_archived(
                engine, scope, asked, after, limit + 1, (names, rows), newest_first=newest_first
            )
        return page(rows, limit, _position, partial(_described, names))

    return told


def _with_archived(
    engine: Engine,
    scope: Scope,
    asked: PromptFilter,
    after: bytes | None,
    limit: int,
    found: tuple[Sequence[str], Sequence[Any]],
    *,
    newest_first: bool,
) -> tuple[Sequence[str], Sequence[Any]]:
    """Names of fields and the first prompts, of those that are kept (`found`) and those of the archive, each once."""
    names, kept = found
    seen = scope.within(asked.tenant)
    from_us, _ = bounds_us(asked.start, asked.end, asked.time_zone)
    with snapshot(engine, scope) as connection:
        if from_us >= found_once(connection, "horizon", partial(records_from_us, connection)):
            return names, kept
        fields = (
            f"SELECT {prompt_columns(connection.dialect.name, str)} FROM prompt_record r\n{PROMPT_JOINS}\nWHERE 1 = 0"
        )
        names = tuple(connection.execute(text(fields)).keys())
        # What reads the archive is loaded where something has been dropped, not at the start of every server.
        from rice_stream.reports.archived_pages import PageAsked, archived_page

        last = None if after is None else _key_at(after)
        tenant_ids = {key: tenant_id for tenant_id, key in tenant_keys(connection, seen)}
        archived = archived_page(connection, seen, tenant_ids, PageAsked(asked, last, limit, newest_first), names)
    if not archived:
        return names, kept
    rows = {_Key(row[0], row[1]): row for row in archived} | {_Key(key_bytes(row[0]), row[1]): row for row in kept}
    return names, [rows[key] for key in sorted(rows, reverse=newest_first)[:limit]]


def tenant_keys(connection: Connection, scope: Scope) -> list[tuple[str, int]]:
    """(id, key) of the tenants of the scope, by id."""
    query = f"SELECT t.tenant_id, t.tenant_key FROM tenant t WHERE {tenant_id_in(scope)} ORDER BY t.tenant_id"
    return [(row[0], row[1]) for row in connection.execute(text(query), scope_parameters(scope))]


def prompt_conditions(dialect: str, scope: Scope, asked: PromptFilter) -> tuple[str, dict[str, Any]]:
    """What holds for the records `r` that are asked for, besides their tenant."""
    from_us, to_us = bounds_us(asked.start, asked.end, asked.time_zone)
    key_low, key_high = key_bounds(dialect, from_us, to_us)
    bounds = (
        "r.event_key >= :key_low AND r.event_key < :key_high AND r.ended_at_us >= :from_us AND r.ended_at_us < :to_us"
    )
    parameters = {"key_low": key_low, "key_high": key_high, "from_us": from_us, "to_us": to_us}
    if asked.recorded_until_us is not None:
        bounds += " AND COALESCE(r.recorded_us, 0) <= :recorded_until_us"
        parameters["recorded_until_us"] = asked.recorded_until_us
    return (
        " AND ".join([bounds, attribution_in(scope, "r"), *asked.where.conditions("r")]),
        {**parameters, **asked.where.parameters, **scope_parameters(scope)},
    )


# --- a page ----------------------------------------------------------------------------------------------------------

_Found = Callable[[], tuple[Sequence[str], Sequence[Any]]]
"""Gives the names of columns, and rows: event key and tenant key, then the values of a prompt's fields."""


def _found_at_once(
    connection: Connection,
    scope: Scope,
    asked: PromptFilter,
    after: bytes | None,
    limit: int,
    *,
    newest_first: bool,
) -> _Found:
    """The first prompts after a position, on PostgreSQL. The key of the table begins with the tenant: the first ones of each tenant
    are looked up in it, the first of these are taken, and what is said of them is fetched for these alone."""
    seen = scope.within(asked.tenant)
    of_tenant, parameters, direction = _of_tenant("postgresql", seen, asked, after, newest_first=newest_first)
    wanted = (
        f"SELECT p.* FROM tenant t CROSS JOIN LATERAL ({of_tenant.format(tenant='t.tenant_key')}) p"
        f" WHERE {tenant_id_in(seen)} ORDER BY p.event_key {direction}, p.tenant_key {direction} LIMIT :limit"
    )
    return _described_by(
        connection,
        f"({wanted}) w JOIN prompt_record r ON r.tenant_key = w.tenant_key AND r.event_key = w.event_key",
        f"w.event_key {direction}, w.tenant_key {direction}",
        {**parameters, "limit": limit},
    )


def _found_by_keys(
    connection: Connection,
    scope: Scope,
    asked: PromptFilter,
    after: bytes | None,
    limit: int,
    *,
    newest_first: bool,
) -> _Found:
    """The same on SQLite, tenant by tenant."""
    seen = scope.within(asked.tenant)
    of_tenant, parameters, _ = _of_tenant("sqlite", seen, asked, after, newest_first=newest_first)
    of_each = text(of_tenant.format(tenant=":tenant_key"))
    found = (
        [_Key(*row) for row in connection.execute(of_each, {**parameters, "limit": limit, "tenant_key": tenant_key})]
        for _, tenant_key in tenant_keys(connection, seen)
    )
    keys = list(islice(heapq.merge(*found, reverse=newest_first), limit))
    if not keys:
        return lambda: ((), ())
    rows = ", ".join(f"({place}, {key.tenant_key}, :key{place})" for place, key in enumerate(keys))
    # CROSS JOIN keeps SQLite from walking the records: each wanted key is one look-up.
    wanted = (
        f"(SELECT column1 AS place, column2 AS tenant_key, column3 AS event_key FROM (VALUES {rows})) w"
        " CROSS JOIN prompt_record r ON r.tenant_key = w.tenant_key AND r.event_key = w.event_key"
    )
    return _described_by(
        connection, wanted, "w.place", {f"key{place}": key.event_key for place, key in enumerate(keys)}
    )


def _of_tenant(
    dialect: str, seen: Scope, asked: PromptFilter, after: bytes | None, *, newest_first: bool
) -> tuple[str, dict[str, Any], str]:
    """SELECT of the first keys after a position of one `{tenant}`, its parameters besides `limit`, and its direction."""
    conditions, parameters = prompt_conditions(dialect, seen, asked)
    direction, beyond = ("DESC", "<") if newest_first else ("ASC", ">")
    if after is not None:
        last = _key_at(after)
        parameters |= {"last_key": stored_key(dialect, last.event_key), "last_tenant": last.tenant_key}
        conditions += (
            f" AND r.event_key {beyond}= :last_key AND (r.event_key, r.tenant_key) {beyond} (:last_key, :last_tenant)"
        )
    first = (
        "SELECT r.event_key, r.tenant_key FROM prompt_record r WHERE r.tenant_key = {tenant} AND "
        f"{conditions} ORDER BY r.event_key {direction} LIMIT :limit"
    )
    return first, parameters, direction


def _described_by(connection: Connection, wanted: str, order: str, parameters: dict[str, Any]) -> _Found:
    """The records `r` of a FROM clause that begins with the wanted keys `w`."""
    columns = prompt_columns(connection.dialect.name, str)
    described = statement(
        f"SELECT w.event_key, w.tenant_key, {columns} FROM {wanted}\n{PROMPT_JOINS}\nORDER BY {order}"
    )
    return named_rows_later(connection, described, parameters)


def _described(names: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    values = dict(zip(names, row[len(_Key._fields) :], strict=True))
    for name in TIMES:
        values[name] = None if values[name] is None else rfc3339(values[name])
    return values


def _position(row: Sequence[Any]) -> bytes:
    event_key, tenant_key, *_ = row
    return key_bytes(event_key) + int(tenant_key).to_bytes(_TENANT_BYTES, "big")


def _key_at(position: bytes) -> _Key:
    if len(position) != _KEY_BYTES + _TENANT_BYTES:
        raise not_a_position()
    return _Key(position[:_KEY_BYTES], int.from_bytes(position[_KEY_BYTES:], "big"))
