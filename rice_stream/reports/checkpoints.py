"""Checkpoints as they are listed: what was signed when, with which key, and where each place stands."""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from rice_stream.instants import SECOND_US, epoch_us, rfc3339
from rice_stream.reports.pages import packed, unpacked
from rice_stream.store import schema
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import scoped_reading

LIMIT_DEFAULT = 100
_SHOWN = ("id", "kind", "origin", "size", "root", "note", "signed_by", "made_at_us")


def checkpoint_page(
    engine: Engine, scope: Scope, *, after: bytes | None = None, limit: int = LIMIT_DEFAULT, kind: str | None = None
) -> dict[str, Any]:
    """A page of the checkpoints, latest first: `{"rows", "next"}`. Hashes and numbers, and no names.

    UsageError: a position of another list.
    """
    before = None if after is None else unpacked(after, 1)[0]
    found = checkpoints(engine, scope, before=before, limit=limit + 1, kind=kind)
    rows = found[:limit]
    return {"rows": rows, "next": packed(rows[-1]["id"]) if len(found) > limit else None}


def checkpoints(
    engine: Engine, scope: Scope, *, before: int | None = None, limit: int = LIMIT_DEFAULT, kind: str | None = None
) -> list[dict[str, Any]]:
    """The same by numbers: those before this one. Who does not see everything sees those of the trail, and none of months."""
    columns = schema.checkpoint.c
    query = select(*(columns[name] for name in _SHOWN)).order_by(columns.id.desc()).limit(limit)
    for only in [kind, None if scope.is_everything else "audit"]:
        if only is not None:
            query = query.where(columns.kind == only)
    if before is not None:
        query = query.where(columns.id < before)
    with scoped_reading(engine, scope) as connection:
        return [_described(row) for row in connection.execute(query)]


def checkpoint_health(engine: Engine, scope: Scope, now: datetime) -> dict[str, Any]:
    """How checkpoints stand: `{"latest", "age_s", "uncovered", "uncovered_s", "holds", "problem"}`.

    `latest` is a row as above, or None; `uncovered` counts the entries that it does not cover, the oldest of which was made
    `uncovered_s` ago: both None for who does not see all entries. `holds`: the latest one's signature and what is kept of it
    fit its root; whether every entry does, `rice-stream audit verify` says.
    """
    now_us = epoch_us(now)
    columns, entries = schema.checkpoint.c, schema.audit_entry.c
    query = select(schema.checkpoint).where(columns.kind == "audit").order_by(columns.id.desc()).limit(1)
    with scoped_reading(engine, scope) as connection:
        row = connection.execute(query).first()
        size = 0 if row is None else row.size
        last, oldest = None, None
        if scope.is_everything:
            last = connection.scalar(select(func.max(entries.id))) or 0
            oldest = connection.scalar(select(entries.at_us).where(entries.id > size).order_by(entries.id).limit(1))
    problem = None if row is None else _problem_of(row)
    return {
        "latest": None if row is None else _described(row),
        "age_s": None if row is None else (now_us - row.made_at_us) / SECOND_US,
        "uncovered": None if last is None else max(last - size, 0),
        "uncovered_s": None if oldest is None else (now_us - oldest) / SECOND_US,
        "holds": None if row is None else problem is None,
        "problem": problem,
    }


def place_rows(engine: Engine, scope: Scope) -> list[dict[str, Any]]:
    """Where each place stands that checkpoints are published to; for who sees everything."""
    with scoped_reading(engine, scope) as connection:
        latest = connection.scalar(select(func.max(schema.checkpoint.c.id))) or 0
        rows = connection.execute(select(schema.checkpoint_target).order_by(schema.checkpoint_target.c.target))
        return [
            {
                "place": row.target,
                "behind": max(latest - row.checkpoint_id, 0),
                "failures": row.failures,
                "failing_since": None if row.failing_since_us is None else rfc3339(row.failing_since_us),
                "published_at": None if row.published_at_us is None else rfc3339(row.published_at_us),
                "problem": row.problem,
            }
            for row in rows
        ]


def _problem_of(row: Any) -> str | None:
    from rice_stream.transparency.checkpoints import Checkpoint  # what checks signatures takes a while to load
    from rice_stream.transparency.merkle import Frontier
    from rice_stream.transparency.notes import NoteError, NoteKey, SignedNote

    try:
        note = SignedNote.parse(row.note)
        note.signers([NoteKey.parse(row.signed_by)])
        signed = Checkpoint.parse(note.text)
        kept = Frontier.from_bytes(row.size, bytes(row.frontier)).root()
    except (NoteError, ValueError) as error:
        return str(error)
    if (signed.origin, signed.size, signed.root, kept) != (row.origin, row.size, bytes(row.root), signed.root):
        return "its row says otherwise than the note that was signed"
    return None


def _described(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "origin": row.origin,
        "size": row.size,
        "root": bytes(row.root).hex(),
        "made_at": rfc3339(row.made_at_us),
        "key": row.signed_by,
        "note": row.note,
    }
