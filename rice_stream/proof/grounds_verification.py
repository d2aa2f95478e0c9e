"""`rice-stream audit verify`, of what figures rest on and of why they were corrected: rows that no tree has are held against their
own digests and against the audit trail; if one was changed, which."""

import hashlib
import json
from collections.abc import Iterator
from itertools import product
from typing import Any

from sqlalchemy import Connection, select

from rice_stream.meter.factors import digest_of
from rice_stream.proof.audit_verification import VerifiedTrail
from rice_stream.store import schema
from rice_stream.store.engine import Engine
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.snapshot import snapshot

_IN_CONTENT = ("kind", "name", "source", "licence", "published")
_AUTHOR = ("author_kind", "author_name")


def verify_grounds(engine: Engine, found: VerifiedTrail) -> None:
    """Add what is wrong with uses of factors, factor sets, and groups of corrections that somebody posted.

    StoreUnavailableError: as from a report.
    """
    with snapshot(engine, EVERYTHING) as connection:
        for problems in (_of_factors(connection), _of_sets(connection), _of_corrections(connection)):
            for problem in problems:
                found.problem(problem)


def _of_factors(connection: Connection) -> Iterator[str]:
    for row in connection.execute(select(schema.factor_use)).mappings():
        columns = {name: value for name, value in row.items() if name not in ("factor_key", "digest")}
        if not _has_digest(columns, bytes(row["digest"])):
            which = f"{row['model']}, {row['region']}, {row['method_version']}"
            yield f"factors {row['factor_key']} ({which}): they are others than those of their digest; they were changed"


def _has_digest(columns: dict[str, Any], digest: bytes) -> bool:
    """A database does not tell 1 from 1.0, which the digest does."""
    whole = [name for name, value in columns.items() if isinstance(value, float) and value.is_integer()]
    return any(
        digest_of(
            {**columns, **{name: int(columns[name]) for name, is_int in zip(whole, chosen, strict=True) if is_int}}
        )
        == digest
        for chosen in product((False, True), repeat=len(whole))
    )


def _of_sets(connection: Connection) -> Iterator[str]:
    for row in connection.execute(select(schema.factor_set)).mappings():
        which = f"factor set {row['digest'][:12]} ({row['name']})"
        content = bytes(row["content"])
        if hashlib.sha256(content).hexdigest() != row["digest"]:
            yield f"{which}: its content is not that of its digest; it was changed"
            continue
        said = json.loads(content)
        for name in _IN_CONTENT:
            if row[name] != said[name]:
                yield f"{which}: its row says otherwise of {name} than its content"


def _of_corrections(connection: Connection) -> Iterator[str]:
    """Every void is told of in the trail, with its reason and author, and so is every restatement; where names were erased since,
    reasons are other ones by now."""
    voids, restatements = _told(connection, "record.void"), _told(connection, "restatement.begin")
    adjustment, restatement = schema.adjustment.c, schema.restatement.c
    query = select(adjustment.digest, adjustment.reason, adjustment.author_kind, adjustment.author_name)
    for row in connection.execute(query.where(adjustment.cause == "void")).mappings():
        group = bytes(row["digest"]).hex()
        if group not in voids:
            yield f"correction {group} (void): the audit trail does not tell of it"
        yield from _differences(f"correction {group} (void)", row, voids.get(group))
    told = select(restatement.restatement_id, restatement.reason, restatement.author_kind, restatement.author_name)
    for row in connection.execute(told.where(restatement.dry_run == 0)).mappings():
        yield from _differences(f"restatement {row['restatement_id']}", row, restatements.get(row["restatement_id"]))


def _told(connection: Connection, action: str) -> dict[str, Any]:
    """What entries of the trail tell, by the group or the restatement that they are of; None: names were erased from one."""
    entry = schema.audit_entry.c
    query = select(entry.subject_id, entry.actor_kind, entry.actor_name, entry.after, entry.erased_leaf)
    found: dict[str, Any] = {}
    for row in connection.execute(query.where(entry.action == action)).mappings():
        after = json.loads(row["after"])
        said = {"reason": after["reason"], "author_kind": row["actor_kind"], "author_name": row["actor_name"]}
        found[after.get("entry_group", row["subject_id"])] = None if row["erased_leaf"] is not None else said
    return found


def _differences(which: str, row: Any, told: Any) -> Iterator[str]:
    for name in () if told is None else ("reason", *_AUTHOR):
        if row[name] != told[name]:
            yield f"{which}: its row says otherwise of its {name.removesuffix('_name')} than the audit trail"
