"""Where the records of an event id may be, from the lists of ids: whose they are, and when, which their keys begin with."""

from typing import NamedTuple

from rice_stream.store.engine import Connection
from rice_stream.store.event_id_lists import SPLIT_BITS, SPLITS_MAX, place_of, signed, tag_of
from rice_stream.store.prepared import rows_of, statement
from rice_stream.store.scope import Scope

_PLACES_MAX = 100
"""More than so many ids with one tag are no accident; they are not looked at one by one."""


class RecordPlace(NamedTuple):
    """Whose a record is, and when its event ended, as its key says."""

    tenant_key: int
    key_ms: int


def places_of(connection: Connection, scope: Scope, event_id: str) -> list[RecordPlace] | None:
    """All places in which a record of the id can be; few others have none of it.

    None: the lists do not tell it. They are the whole ledger's, so who sees a part of it is told nothing of them; some months may
    not be listed yet; SQLite has none.
    """
    if connection.dialect.name != "postgresql" or not scope.is_everything:
        return None
    found = rows_of(connection, _LOOK, {"tag": signed(tag_of(event_id.encode()))})
    if len(found) > _PLACES_MAX or any(month is None for month, _ in found):
        return None
    return [RecordPlace(*place) for place in dict.fromkeys(place_of(place, month) for month, place in found)]


def _looked() -> str:
    """One look at the index for each depth; a row without a month where one is not listed yet."""
    tag = "CAST(:tag AS bigint)"
    depths = ", ".join(
        f"({splits}, CAST(({tag} & 4294967295) >> {32 - splits} AS integer))"
        for splits in range(0, SPLITS_MAX + 1, SPLIT_BITS)
    )
    return (
        f"SELECT l.month, l.places[p.at] FROM (VALUES {depths}) w (splits, bucket)"
        " JOIN event_id_list l ON l.splits = w.splits AND l.bucket = w.bucket"
        " CROSS JOIN LATERAL unnest(array_positions(l.tags, CAST(:tag AS integer))) p (at)"
        " UNION ALL SELECT NULL, NULL FROM event_id_gap"
    )


_LOOK = statement(_looked())
