"""Orders to close a month as they are answered: how far each has come, and why one has failed."""

from collections.abc import Callable
from typing import Any

from rice_stream.errors import NotFoundError
from rice_stream.instants import rfc3339
from rice_stream.reports.pages import packed, page, unpacked
from rice_stream.reports.whole_tenants import rows_of_whole_tenants_later
from rice_stream.store.closing_store import StoredClosing, closing_of
from rice_stream.store.engine import Engine
from rice_stream.store.schema_periods import closing
from rice_stream.store.scope import Scope


def closing_page(engine: Engine, scope: Scope, *, after: bytes | None = None, limit: int = 100) -> dict[str, Any]:
    """Latest first: `{"rows": as of `described`, "next"}`; nothing for who sees some teams only: a month is the whole tenant's."""
    return closing_page_later(engine, scope, after=after, limit=limit)()


def closing_page_later(
    engine: Engine, scope: Scope, *, after: bytes | None = None, limit: int = 100
) -> Callable[[], dict[str, Any]]:
    """The same, once: asked now, and waited for when it is called (`asked_ahead`)."""
    wanted, given = ([], {}) if after is None else (["number < :before"], {"before": unpacked(after, 1)[0]})
    rows = rows_of_whole_tenants_later(engine, scope, closing, *wanted, limit=limit + 1, **given)
    return lambda: page([closing_of(row) for row in rows()], limit, lambda row: packed(row.number), described)


def named_closing(engine: Engine, scope: Scope, closing_id: str) -> dict[str, Any]:
    """One order. NotFoundError: there is none of this id in the scope."""
    for row in rows_of_whole_tenants_later(engine, scope, closing, "closing_id = :closing_id", closing_id=closing_id)():
        return described(closing_of(row))
    raise NotFoundError(f"there is no order {closing_id!r} to close a month")


def described(order: StoredClosing) -> dict[str, Any]:
    """An order as JSON."""
    return {
        "closing_id": order.closing_id,
        "tenant_id": order.tenant_id,
        "month": order.month,
        "soft": order.soft,
        "accept": dict(order.accepted),
        "state": order.state,
        "step": order.step or None,
        "records": order.records,
        "records_expected": order.records_expected,
        "author_kind": order.author.kind,
        "author": order.author.name,
        "ordered_at": rfc3339(order.ordered_us),
        "finished_at": None if order.finished_us is None else rfc3339(order.finished_us),
        "problem": order.problem,
    }
