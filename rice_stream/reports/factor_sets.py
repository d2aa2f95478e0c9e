"""Factor sets: all of them, one with its rows, and how two differ."""

from collections.abc import Sequence
from typing import Any

from rice_stream.errors import NotFoundError, UsageError
from rice_stream.instants import iso_from_us, rfc3339
from rice_stream.reference.sets.differences import differences
from rice_stream.reference.sets.factor_set import FactorSet, row_content
from rice_stream.reference.sets.parsing import parse_content
from rice_stream.store.engine import Engine
from rice_stream.store.factor_set_store import StoredSet, load_contents, load_sets
from rice_stream.store.kept_tables import kept_versions
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import scoped_reading

_PREFIX_MIN = 6


def factor_sets(engine: Engine, scope: Scope, *, now_us: int) -> list[dict[str, Any]]:
    """All sets, in the order in which they are laid over the tables.

    `state` is `coming`, `in_force`, `replaced` (another edition of its kind and name has begun) or `withdrawn` (it has no rows,
    and so ends its name). Sets hold for all tenants: who does not see everything sees none.
    """
    if not scope.is_everything:
        return []
    with scoped_reading(engine, scope) as connection:
        stored = load_sets(connection)
    return [set_view(one, stored, now_us) for one in stored]


def factor_set(engine: Engine, scope: Scope, digest: str, *, now_us: int) -> dict[str, Any]:
    """One set with its `rows`; `digest` may be its first digits, or a name: that of its latest edition. NotFoundError: none."""
    stored, one, content = _found(engine, scope, digest, "DIGEST")
    head = {name: getattr(content, name) or None for name in ("url", "note")}
    # Its canonical order, whatever that of the file was.
    return {**set_view(one, stored, now_us), **head, "rows": [row_content(row) for row in content.rows]}


def factor_set_differences(engine: Engine, scope: Scope, a: str | FactorSet, b: str | FactorSet) -> dict[str, Any]:
    """Rows of B that A does not have, or has otherwise, and rows of A that B does not have; each by digest, name, or as it is.

    NotFoundError: there is no such set; UsageError: they are of two kinds.
    """
    before, after = (_content(engine, scope, one, said) for one, said in ((a, "A"), (b, "B")))
    return {
        "a": {"digest": before.digest, "kind": before.kind, "name": before.name},
        "b": {"digest": after.digest, "kind": after.kind, "name": after.name},
        "rows": differences(before, after),
    }


def tables_kept(engine: Engine, scope: Scope) -> list[dict[str, Any]]:
    """Versions of the tables below all sets that records were estimated with: `[{"version", "kept_at"}]`, the earliest first.

    Each can be used again (`restate --factors`). They hold for all tenants: who does not see everything sees none.
    """
    if not scope.is_everything:
        return []
    with scoped_reading(engine, scope) as connection:
        return [{"version": one.version, "kept_at": rfc3339(one.kept_at_us)} for one in kept_versions(connection)]


def set_view(one: StoredSet, stored: Sequence[StoredSet], now_us: int) -> dict[str, Any]:
    """A set as it is answered, beside all that there are."""
    return {
        "digest": one.digest,
        "kind": one.kind,
        "name": one.name,
        "state": _state(one, stored, now_us),
        "effective_from": rfc3339(one.effective_from_us),
        "row_count": one.row_count,
        "valid_from": None if one.valid_from_us is None else iso_from_us(one.valid_from_us),
        "valid_to": None if one.valid_to_us is None else iso_from_us(one.valid_to_us),
        "source": one.source,
        "licence": one.licence,
        "published": one.published,
        "added_by": one.added_by,
        "added_at": rfc3339(one.added_at_us),
    }


def _state(one: StoredSet, stored: Sequence[StoredSet], now_us: int) -> str:
    if one.effective_from_us > now_us:
        return "coming"
    begun = [each for each in stored if (each.kind, each.name) == (one.kind, one.name)]
    latest = [each for each in begun if each.effective_from_us <= now_us][-1]
    if latest.digest != one.digest:
        return "replaced"
    return "in_force" if one.row_count else "withdrawn"


def _content(engine: Engine, scope: Scope, asked: str | FactorSet, said: str) -> FactorSet:
    return asked if isinstance(asked, FactorSet) else _found(engine, scope, asked, said)[2]


def _found(engine: Engine, scope: Scope, asked: str, said: str) -> tuple[tuple[StoredSet, ...], StoredSet, FactorSet]:
    with scoped_reading(engine, scope) as connection:
        stored = load_sets(connection) if scope.is_everything else ()
        one = _chosen(stored, asked, said)
        return stored, one, parse_content(load_contents(connection, [one.digest])[one.digest])


def _chosen(stored: Sequence[StoredSet], asked: str, said: str) -> StoredSet:
    by_digest = [one for one in stored if len(asked) >= _PREFIX_MIN and one.digest.startswith(asked.lower())]
    named = [one for one in stored if one.name == asked]
    if len(by_digest) > 1 or (not by_digest and len({one.kind for one in named}) > 1):
        raise UsageError(
            f"{said}: {asked!r} are several sets; give more digits of the digest: `rice-stream factors list`"
        )
    if not by_digest and not named:
        raise NotFoundError(f"{said}: there is no factor set {asked!r}; see `rice-stream factors list`")
    return (by_digest or named)[-1]
