"""The prompts of a tenant right before and right after one of them, as links to them need them."""

from collections.abc import Callable
from typing import Any

from rice_stream.instants import rfc3339
from rice_stream.reports.prompt_filter import PromptFilter
from rice_stream.reports.prompts import tenant_keys
from rice_stream.store.asked_ahead import rows_later
from rice_stream.store.engine import Engine
from rice_stream.store.event_key_columns import RecordKey, stored_key
from rice_stream.store.horizon import records_from_us
from rice_stream.store.prepared import statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import attribution_in, scope_parameters, tenant_key_in
from rice_stream.store.scoped import scoped_reading

_SIDES = (("<", "DESC"), (">", "ASC"))
_NEXT = (
    "SELECT * FROM (SELECT {place} AS place, r.event_id, r.ended_at_us FROM prompt_record r"
    " WHERE r.tenant_key = :tenant_key AND r.event_key {beyond} :event_key AND {whose}"
    " ORDER BY r.event_key {direction} LIMIT 1) r{place}"
)
Neighbours = tuple[dict[str, Any] | None, dict[str, Any] | None]


def neighbours_later(engine: Engine, scope: Scope, key: RecordKey) -> Callable[[], Neighbours]:
    """Gives, once, `{"event_id", "ended_at"}` of the one before and the one after in the order of pages of prompts, as far as the
    scope sees them; None: there is none. Asked now, and waited for when it is called (`asked_ahead`)."""
    whose = f"{tenant_key_in(scope, 'r.tenant_key')} AND {attribution_in(scope, 'r')}"
    asked = statement(
        " UNION ALL ".join(
            _NEXT.format(place=place, beyond=beyond, direction=direction, whose=whose)
            for place, (beyond, direction) in enumerate(_SIDES)
        )
    )
    with scoped_reading(engine, scope) as connection:
        of_it = {"tenant_key": key.tenant_key, "event_key": stored_key(connection.dialect.name, key.event_key)}
        rows = rows_later(connection, asked, {**of_it, **scope_parameters(scope)})

    def told() -> Neighbours:
        found = {place: {"event_id": event_id, "ended_at": rfc3339(ended)} for place, event_id, ended in rows()}
        if 0 not in found:
            # Nothing that is kept comes before it: what does, if anything, is in the archive, and what comes after it may be.
            found |= _archived(engine, scope, key)
        return found.get(0), found.get(1)

    return told


def _archived(engine: Engine, scope: Scope, key: RecordKey) -> dict[int, dict[str, Any]]:
    """Those of the archive, by their place."""
    with scoped_reading(engine, scope) as connection:
        if not records_from_us(connection):
            return {}
        # What reads the archive is loaded where something has been dropped, not at the start of every server.
        from rice_stream.reports.archived_pages import PageAsked, archived_page

        tenant_ids = {one: name for name, one in tenant_keys(connection, scope) if one == key.tenant_key}
        asked = PromptFilter(), (key.event_key, key.tenant_key), 1
        pages = [
            archived_page(
                connection, scope, tenant_ids, PageAsked(*asked, newest_first=is_before), ("event_id", "ended_at")
            )
            for is_before in (True, False)
        ]
    found = {place: rows[0][2:] for place, rows in enumerate(pages) if rows}
    return {place: {"event_id": event_id, "ended_at": rfc3339(ended)} for place, (event_id, ended) in found.items()}
