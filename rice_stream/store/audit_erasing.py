"""Taking names out of the audit trail, so that every checkpoint and proof of it holds as before.

What an entry was as a leaf of the tree is kept, and that alone: its words are replaced. What is left of it is told by the entry of
the erasure, with a hash, so that nobody can pass other words off as the rest of an erased one.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, update

from rice_stream.store import schema
from rice_stream.store.audit import entry_bytes, json_value
from rice_stream.store.checkpoint_store import hash_of_entry
from rice_stream.store.erased_words import ErasedWords
from rice_stream.transparency.merkle import leaf_hash

ERASED = "names.erase"
"""The action whose entry tells of it: in its `after`, `entries` has the hash of what is left of each."""
Row = Mapping[str, Any]
WORDS = ("subject_id", "before", "after", "request_id")
_NAMELESS_SUBJECTS = ("period", "erasure", "prompt", "restatement", "closing")
"""Kinds of subjects whose ids are no names."""
_CHECKED_BY = ("period.close", "period.soft_close", ERASED)
"""Actions whose entries the ledger is checked against: they say sums and hashes."""
_ROWS = 500


def erase_person(connection: Connection, tenant_id: str, words: ErasedWords, authors: ErasedWords) -> dict[str, str]:
    """Take a person's name out of what is of the tenant, or of none; and whoever made a change, of whichever tenant (`authors`).

    Returns the hash of what is left of each entry, by its id; the transaction has its turn (`audit.wait_for_turn`).
    """
    columns = schema.audit_entry.c
    names = [columns[name] for name in WORDS]
    own = (columns.tenant_id == tenant_id) | columns.tenant_id.is_(None)
    condition = authors.likely_in(columns.actor_name) | (own & words.likely_in(*names))

    def left(row: Row) -> dict[str, Any]:
        actor = {"actor_name": authors.taken_out_of_author(row["actor_name"])}
        return actor | (_taken_out(row, words) if row["tenant_id"] in (tenant_id, None) else {})

    return _erase(connection, condition, left)


def erase_tenant(
    connection: Connection, tenant_id: str, stand_in: str, words: ErasedWords, name_of: Callable[[str], str]
) -> dict[str, str]:
    """Take out of the tenant's own entries everything that may be a name, and of those of none the tenant's.

    `name_of` gives what stands for another name of the tenant. Returns as `erase_person` does.
    """
    columns = schema.audit_entry.c
    texts = [columns[name] for name in (*WORDS, "actor_name")]
    condition = (columns.tenant_id == tenant_id) | (columns.tenant_id.is_(None) & words.likely_in(*texts))

    def left(row: Row) -> dict[str, Any]:
        found = _taken_out(row, words) | {"actor_name": words.taken_out(row["actor_name"])}
        if row["tenant_id"] is None:
            return found
        if row["subject_kind"] not in _NAMELESS_SUBJECTS:
            found["subject_id"] = row["subject_id"] and name_of(row["subject_id"])
        if row["action"] not in _CHECKED_BY:
            found |= {"before": None, "after": None}
        return {**found, "tenant_id": stand_in, "request_id": None}

    return _erase(connection, condition, left)


def left_told(row: Row) -> dict[str, str]:
    """What an entry of the trail tells of what is left of others: their hashes by id; nothing where it tells of no erasure."""
    after = json_value(row["after"]) if row["action"] == ERASED else None
    entries = after.get("entries") if isinstance(after, dict) else None
    return entries if isinstance(entries, dict) else {}


def _taken_out(row: Row, words: ErasedWords) -> dict[str, Any]:
    return {name: None if row[name] is None else words.taken_out(row[name]) for name in WORDS}


def _erase(
    connection: Connection, condition: ColumnElement[bool], left: Callable[[Row], dict[str, Any]]
) -> dict[str, str]:
    table = schema.audit_entry
    told = {}
    for row in _rows(connection, condition):
        changes = {name: value for name, value in left(row).items() if value != row[name]}
        if not changes:
            continue
        entry = entry_bytes({**row, **changes})
        changes |= {"entry": entry, "erased_leaf": hash_of_entry(row["entry"], row["erased_leaf"])}
        connection.execute(update(table).where(table.c.id == row["id"]).values(**changes))
        told[str(row["id"])] = leaf_hash(entry).hex()
    return told


def _rows(connection: Connection, condition: ColumnElement[bool]) -> Iterator[Row]:
    table = schema.audit_entry
    last = 0
    while True:
        query = select(table).where(table.c.id > last, condition).order_by(table.c.id).limit(_ROWS)
        rows = [dict(row) for row in connection.execute(query).mappings()]
        yield from rows
        if len(rows) < _ROWS:
            return
        last = rows[-1]["id"]
