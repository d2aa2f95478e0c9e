"""`rice-stream audit verify`, of what figures rest on: rows that no tree has are held against their own digests and against the
audit trail; if one was changed, which. Corrections, and rules and decisions, are in modules of their own."""

import hashlib
from collections.abc import Iterator
from itertools import product
from typing import Any

from sqlalchemy import Connection, select, text

from rice_stream.basis import basis_names
from rice_stream.instants import rfc3339
from rice_stream.meter.factors import digest_of
from rice_stream.proof.audit_verification import VerifiedTrail
from rice_stream.proof.correction_verification import correction_problems
from rice_stream.proof.rules_verification import rule_problems
from rice_stream.proof.told_changes import erased_names, has_erased, told_changes
from rice_stream.reference.kept import is_of_version
from rice_stream.reference.sets.parsing import parse_content
from rice_stream.store import schema
from rice_stream.store.engine import Engine
from rice_stream.store.kept_tables import KEPT, kept_content, kept_versions
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.snapshot import snapshot

_WITHOUT_FACTORS = """
SELECT DISTINCT t.factor_key FROM month_total t WHERE NOT EXISTS (SELECT 1 FROM factor_use f WHERE f.factor_key = t.factor_key)
ORDER BY 1
"""


def verify_grounds(engine: Engine, found: VerifiedTrail) -> None:
    """Add what is wrong with uses of factors, the tables and sets that they come from, corrections, and rules and decisions.

    StoreUnavailableError: as from a report.
    """
    with snapshot(engine, EVERYTHING) as connection:
        for problems in (_of_factors, _of_tables, _of_sets, correction_problems, rule_problems):
            for problem in problems(connection):
                found.problem(problem)


def _of_factors(connection: Connection) -> Iterator[str]:
    for row in connection.execute(select(schema.factor_use)).mappings():
        columns = {name: value for name, value in row.items() if name not in ("factor_key", "digest")}
        if not _has_digest(columns, bytes(row["digest"])):
            which = f"{row['model']}, {row['region']}, {row['method_version']}"
            yield f"factors {row['factor_key']} ({which}): they are others than those of their digest; they were changed"

    for (key,) in connection.execute(text(_WITHOUT_FACTORS)):
        yield f"factors {key}: totals rest on them, and they are missing"
    for flags, names in connection.execute(select(schema.basis.c.basis_flags, schema.basis.c.names)):
        if names != ",".join(basis_names(flags)):
            yield f"basis {flags}: its row says otherwise of names than its flags"


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


def _of_tables(connection: Connection) -> Iterator[str]:
    """Versions of the reference tables. Of those that were kept before the trail told of it, their version alone speaks: it is
    over every cell, and not over which rows are the user's own."""
    told = {each.subject_id: each.after.get("sha256") for each in told_changes(connection, KEPT)}
    kept = kept_versions(connection)
    for version, _ in kept:
        content = kept_content(connection, version) or b""
        digest = told.get(version)
        if not (is_of_version(content, version) if digest is None else hashlib.sha256(content).hexdigest() == digest):
            yield f"reference tables {version}: they are others than those of their version; they were changed"
    for version in sorted(told.keys() - {one.version for one in kept}):
        yield f"reference tables {version}: the audit trail says that they were kept, and they are missing"


def _of_sets(connection: Connection) -> Iterator[str]:
    told = {each.subject_id: each for each in told_changes(connection, "factors.add")}
    erased = erased_names(connection)
    for row in connection.execute(select(schema.factor_set)).mappings():
        which = f"factor set {row['digest'][:12]} ({row['name']})"
        content, added = bytes(row["content"]), told.pop(row["digest"], None)
        if hashlib.sha256(content).hexdigest() != row["digest"]:
            yield f"{which}: its content is not that of its digest; it was changed"
            continue
        for name, value in _in_content(content).items():
            if row[name] != value:
                yield f"{which}: its row says otherwise of {name} than its content"
        if added is None:
            yield f"{which}: the audit trail does not tell of it"
        elif not added.is_erased:
            now = {"effective_from": rfc3339(row["effective_from_us"]), "added_by": row["added_by"]}
            for name, value in {**added.after, "added_by": added.actor}.items():
                if name in now and now[name] != value and not has_erased(now[name], erased):
                    yield f"{which}: its row says otherwise of {name} than the audit trail"
    for digest in told:
        yield f"factor set {digest[:12]}: the audit trail tells of it, and it is missing"


def _in_content(content: bytes) -> dict[str, Any]:
    found = parse_content(content)
    names = ("kind", "name", "source", "licence", "published", "valid_from_us", "valid_to_us")
    return {**{name: getattr(found, name) for name in names}, "row_count": len(found.rows)}
