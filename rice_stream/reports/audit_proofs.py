"""Proof that an entry is in the trail: a file for somebody outside, who checks it without a database."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import select, text

from rice_stream.errors import NotFoundError, UsageError
from rice_stream.store import schema
from rice_stream.store.engine import Connection, Engine
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters, tenant_id_in
from rice_stream.store.scoped import scoped_reading
from rice_stream.transparency.kept_trees import KeptTree
from rice_stream.transparency.merkle import HASH_BYTES


def audit_proof(engine: Engine, scope: Scope, entry_id: int, *, since: int | None = None) -> dict[str, Any]:
    """The proof file of an entry, by the latest checkpoint; with `since` also that this goes on from the one of that size.

    NotFoundError: there is no such entry that may be seen, or no checkpoint covers it yet; UsageError: no checkpoint has the size.
    """
    from rice_stream.transparency.notes import NoteKey  # what checks signatures takes a while to load
    from rice_stream.transparency.proof_files import ProvenLeaf, ProvenTree, proof_file

    with scoped_reading(engine, scope) as connection:
        entry = _entry(connection, scope, entry_id)
        signed = _Signed(connection)
        if entry_id > signed.size:
            raise NotFoundError(
                f"entry {entry_id}: no checkpoint covers it yet; `rice-stream audit checkpoint` makes one, and so does"
                " `rice-stream serve` every RICE_CHECKPOINT_EVERY_S seconds"
            )
        tree = KeptTree(signed.size, signed.blocks, signed.leaf_hashes)
        leaf = [tree.inclusion(entry_id - 1)]
        sizes = [signed.size] if since in (None, signed.size) else [since or 0, signed.size]
        if not set(sizes) <= set(signed.sizes):
            near = ", ".join(map(str, signed.sizes[-10:]))
            raise UsageError(f"--since: there is no checkpoint of {since} entries; the latest are of {near}")
        consistency = [tree.consistency(sizes[0])] if len(sizes) > 1 else []
        notes, keys = signed.notes(connection, sizes)
    proven = ProvenLeaf(entry, entry_id - 1, len(sizes) - 1, leaf[0])
    return proof_file([NoteKey.parse(key) for key in keys], [ProvenTree("audit", notes, consistency, [proven])])


def _entry(connection: Connection, scope: Scope, entry_id: int) -> bytes:
    table = schema.audit_entry
    query = select(table.c.entry, table.c.erased_leaf).where(
        table.c.id == entry_id, text(tenant_id_in(scope, "audit_entry.tenant_id"))
    )
    found = None if scope.teams else connection.execute(query, scope_parameters(scope)).first()
    if found is None:
        raise NotFoundError(f"entry {entry_id}: there is none that you may see")
    if found.erased_leaf is not None:
        raise NotFoundError(
            f"entry {entry_id}: names were erased from it, so what it said cannot be shown any more; that nothing else was changed"
            " is proven by the checkpoints, and by files that were made before"
        )
    return bytes(found.entry)


class _Signed:
    """Sizes and hashes of the trail's checkpoints. Hashes of others' entries come from there: the entries need not be seen."""

    def __init__(self, connection: Connection) -> None:
        columns = schema.checkpoint.c
        query = select(columns.id, columns.size, columns.blocks).where(columns.kind == "audit").order_by(columns.id)
        rows = connection.execute(query).all()
        self._connection = connection
        self._ids = [row.id for row in rows]
        self.sizes: list[int] = [row.size for row in rows]
        self.size = self.sizes[-1] if rows else 0
        self.blocks = b"".join(bytes(row.blocks) for row in rows)

    def leaf_hashes(self, start: int, end: int) -> Sequence[bytes]:
        """Of the leaves from one number up to another: from the checkpoints that added them."""
        found = []
        bounds = [0, *self.sizes]
        first = bisect_right(self.sizes, start)
        for number, (begin, finish) in list(enumerate(pairwise(bounds)))[first:]:
            if begin >= end:
                break
            columns = schema.checkpoint.c
            joined = bytes(
                self._connection.scalar(select(columns.leaf_hashes).where(columns.id == self._ids[number])) or b""
            )
            places = range(max(start, begin) - begin, min(end, finish) - begin)
            found += [joined[place * HASH_BYTES : (place + 1) * HASH_BYTES] for place in places]
        return found

    def notes(self, connection: Connection, sizes: Sequence[int]) -> tuple[list[str], list[str]]:
        """The signed notes of these sizes, and the keys that signed them."""
        columns = schema.checkpoint.c
        wanted = [self._ids[self.sizes.index(size)] for size in sizes]
        rows = connection.execute(
            select(columns.note, columns.signed_by).where(columns.id.in_(wanted)).order_by(columns.id)
        ).all()
        return [row.note for row in rows], sorted({row.signed_by for row in rows})
