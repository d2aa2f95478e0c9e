"""Proof that a prompt is in what was closed and signed of its month: a file for somebody outside, who needs no database for it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import text

from rice_stream.errors import NotFoundError
from rice_stream.instants import rfc3339
from rice_stream.reports.record_keys import FoundKey, find_key
from rice_stream.store.archive.kept import find_archived
from rice_stream.store.engine import Connection, Engine
from rice_stream.store.event_key_columns import stored_key
from rice_stream.store.horizon import records_from_us
from rice_stream.store.period_leaves import LeafReader
from rice_stream.store.period_store import StoredPeriod, period_of, period_tree
from rice_stream.store.scope import Scope
from rice_stream.store.snapshot import snapshot
from rice_stream.transparency.kept_trees import BLOCK_LEAVES, KeptTree
from rice_stream.transparency.merkle import leaf_hash, split_hashes
from rice_stream.transparency.month_trees import NO_EVENT, MonthTree

_READ_AT_ONCE = BLOCK_LEAVES + 1
"""Records: one block of leaves at most, and the first of the next."""


def month_proof(
    engine: Engine, scope: Scope, event_id: str, *, tenant: str | None = None, ended_at: datetime | None = None
) -> dict[str, Any]:
    """The proof file of a prompt: its record, the entries that corrected it before its month was closed, and what was asserted.

    Beside what a proof file holds: `"period": {"tenant_id", "month", "records"}`, and `"later_entries": [{"entry_group", "cause",
    "reason", "recorded_at"}]`, groups that correct the prompt and came after the month was closed.

    NotFoundError: there is no such prompt that may be seen; its month is not closed and signed, or does not hold it; or its leaves
    are gone. UsageError: as from `find_record`.
    """
    from rice_stream.transparency.notes import NoteKey  # what checks signatures takes a while to load
    from rice_stream.transparency.proof_files import ProvenLeaf, ProvenTree, proof_file

    found = find_key(engine, scope, event_id, tenant, ended_at)
    if scope.teams:
        raise NotFoundError(
            "proofs of a month are for those who see the whole tenant: a month is not of some of its teams"
        )
    with snapshot(engine, scope) as connection:
        period = _signed_period(connection, found)
        tree = period_tree(connection, period.tenant_key, period.month)
        assert tree is not None  # noqa: S101
        leaves = _Leaves(connection, period, tree)
        own = leaves.of_event(found.key.event_key)
        if not own:
            raise NotFoundError(
                f"{event_id}: it came after {period.month} of {found.tenant_id} was closed, and is no part of what was signed"
            )
        assert period.assertion is not None  # noqa: S101
        own.append((tree.size - 1, period.assertion.encode()))
        kept = KeptTree(tree.size, tree.blocks, leaves.hashes)
        proven = [ProvenLeaf(leaf, index, 0, kept.inclusion(index)) for index, leaf in own]
        later = _later_entries(connection, found, period)
    assert period.signed_by is not None  # noqa: S101
    assert period.note is not None  # noqa: S101
    file = proof_file([NoteKey.parse(period.signed_by)], [ProvenTree("month", [period.note], [], proven)])
    what = {"tenant_id": found.tenant_id, "month": period.month, "records": period.records}
    return {**file, "period": what, "later_entries": later}


def _signed_period(connection: Connection, found: FoundKey) -> StoredPeriod:
    period = period_of(connection, found.key.tenant_key, found.ended_at_us)
    if period is None:
        raise NotFoundError(f"{found.event_id}: its month is not closed yet; `rice-stream close` closes one")
    if period.state != "closed":
        raise NotFoundError(
            f"{found.event_id}: {period.month} of {found.tenant_id} is not signed yet; `rice-stream close` without --soft does"
        )
    if (
        period.low_us < records_from_us(connection)
        and find_archived(connection, period.tenant_key, period.month) is None
    ):
        raise NotFoundError(
            f"{found.event_id}: some records of {period.month} have been dropped, and it is not in the archive:"
            " proofs of it were to be made before"
        )
    return period


def _later_entries(connection: Connection, found: FoundKey, period: StoredPeriod) -> list[dict[str, Any]]:
    statement = text(
        "SELECT DISTINCT g.digest, g.cause, g.reason, g.recorded_us, g.adjustment_key FROM adjustment_entry e"
        " JOIN adjustment g ON g.adjustment_key = e.adjustment_key WHERE e.tenant_key = :tenant_key"
        " AND e.event_key = :event_key AND e.adjustment_key > :entries_up_to ORDER BY g.adjustment_key"
    )
    event_key = stored_key(connection.dialect.name, found.key.event_key)
    asked = {"tenant_key": period.tenant_key, "event_key": event_key, "entries_up_to": period.entries_up_to}
    return [
        {
            "entry_group": bytes(row.digest).hex(),
            "cause": row.cause,
            "reason": row.reason,
            "recorded_at": rfc3339(row.recorded_us),
        }
        for row in connection.execute(statement, asked)
    ]


class _Block(NamedTuple):
    leaves: list[bytes]
    event_keys: list[bytes]


class _Leaves:
    """Leaves of a month, read block by block from where each is known to begin."""

    def __init__(self, connection: Connection, period: StoredPeriod, tree: MonthTree) -> None:
        self._reader = LeafReader(connection, period.bounds, period.columns)
        self._tree = tree
        self._assertion = (period.assertion or "").encode()
        self._blocks: dict[int, _Block] = {}

    def of_event(self, event_key: bytes) -> list[tuple[int, bytes]]:
        """(number, leaf) of an event's record and entries; none where it is not in the tree."""
        number = self._tree.block_of(event_key)
        found: list[tuple[int, bytes]] = []
        while number * BLOCK_LEAVES < self._tree.size:
            block = self._block(number)
            pairs = zip(block.leaves, block.event_keys, strict=True)
            found += [
                (number * BLOCK_LEAVES + place, leaf) for place, (leaf, key) in enumerate(pairs) if key == event_key
            ]
            if not block.event_keys or block.event_keys[-1] > event_key or block.event_keys[-1] == NO_EVENT:
                break
            number += 1
        return found

    def hashes(self, start: int, end: int) -> Sequence[bytes]:
        """For `KeptTree`: of leaves within one block."""
        if self._tree.leaf_hashes is not None:
            return split_hashes(self._tree.leaf_hashes)[start:end]
        number, place = divmod(start, BLOCK_LEAVES)
        return [leaf_hash(leaf) for leaf in self._block(number).leaves[place : place + end - start]]

    def _block(self, number: int) -> _Block:
        if number not in self._blocks:
            wanted = min(BLOCK_LEAVES, self._tree.size - number * BLOCK_LEAVES)
            leaves: list[bytes] = []
            keys: list[bytes] = []
            start = self._tree.block_start(number)
            if start.event_key != NO_EVENT:
                for chunk in self._reader.chunks(start, _READ_AT_ONCE):
                    leaves += chunk.leaves
                    keys += chunk.event_keys
                    if len(leaves) >= wanted:
                        break
            if number * BLOCK_LEAVES + wanted == self._tree.size:
                leaves[wanted - 1 :], keys[wanted - 1 :] = [self._assertion], [NO_EVENT]
            self._blocks[number] = _Block(leaves[:wanted], keys[:wanted])
        return self._blocks[number]
