"""Whether records have been corrected since they were read: what is worked out from them then holds no longer.

What came late into a closed month (`late`) changes nothing that records amount to, and is left out: workers post it at any time.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, text

from rice_stream.store.event_key_columns import key_bytes, stored_key


class KeyStretch(NamedTuple):
    """Records of a tenant from a key to another, both of them included."""

    tenant_key: int
    first: bytes
    last: bytes


def latest_correction(connection: Connection, *, from_key: int = 0) -> int:
    """The key of the latest group that corrects anything, where it is not before `from_key`; 0: there is none."""
    statement = (
        "SELECT COALESCE(MAX(adjustment_key), 0) FROM adjustment WHERE adjustment_key >= :from_key AND cause <> 'late'"
    )
    return int(connection.scalar(text(statement), {"from_key": from_key}) or 0)


def is_corrected_since(connection: Connection, key: int, stretches: Sequence[KeyStretch], *, but_by: str) -> bool:
    """Whether a group after the one of `key`, of another restatement than `but_by`, corrects any of the records.

    Within a transaction of `posting`: whoever posts before it has committed.
    """
    others = _others_since(connection, key, but_by)
    return any(
        _corrects(connection, other, stretch)
        for other in others
        for stretch in stretches
        if stretch.tenant_key == other.tenant_key
    )


class _Group(NamedTuple):
    adjustment_key: int
    tenant_key: int
    event_key: bytes | None
    """Of a group about one event: a void of what amounts to nothing has no lines."""


def _others_since(connection: Connection, key: int, but_by: str) -> list[_Group]:
    statement = (
        "SELECT adjustment_key, tenant_key, event_key FROM adjustment WHERE adjustment_key > :key AND cause <> 'late'"
        " AND (restatement_id IS NULL OR restatement_id <> :but_by)"
    )
    found = connection.execute(text(statement), {"key": key, "but_by": but_by})
    return [
        _Group(adjustment_key, tenant_key, None if event_key is None else key_bytes(event_key))
        for adjustment_key, tenant_key, event_key in found
    ]


def _corrects(connection: Connection, group: _Group, stretch: KeyStretch) -> bool:
    if group.event_key is not None:
        return stretch.first <= group.event_key <= stretch.last
    statement = (
        "SELECT EXISTS (SELECT 1 FROM adjustment_entry WHERE tenant_key = :tenant_key AND event_key >= :first"
        " AND event_key <= :last AND adjustment_key = :adjustment_key)"
    )
    dialect = connection.dialect.name
    keys = {name: stored_key(dialect, getattr(stretch, name)) for name in ("first", "last")}
    asked = {"tenant_key": stretch.tenant_key, "adjustment_key": group.adjustment_key, **keys}
    return bool(connection.scalar(text(statement), asked))
