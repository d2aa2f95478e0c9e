"""`rice-stream audit verify`: whether the trail is what was written, and what its checkpoints say it is; if not, where."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from rice_stream.store import schema
from rice_stream.store.audit import entry_bytes
from rice_stream.store.audit_erasing import left_told
from rice_stream.store.checkpoint_store import hash_of_entry
from rice_stream.store.engine import Engine, reading
from rice_stream.store.signing_keys import signing_keys
from rice_stream.transparency.checkpoints import Checkpoint
from rice_stream.transparency.kept_trees import GrowingTree
from rice_stream.transparency.merkle import leaf_hash, split_hashes
from rice_stream.transparency.notes import NoteError, NoteKey, SignedNote

PROBLEMS_MAX = 1000
"""Of which each is told; where there are more, that is."""
_ROWS = 1000
_GAP_MAX = 100_000
"""Missing entries of which each is counted: somebody may have given an entry or a checkpoint any number there is."""


@dataclass(slots=True)
class VerifiedTrail:
    """What was found: how many entries and checkpoints there are, and what is wrong with which of them."""

    entries: int = 0
    checkpoints: int = 0
    months: int = 0
    problems: list[str] = field(default_factory=list)
    more: int = 0

    def problem(self, text: str) -> None:
        """One more."""
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(text)
        else:
            self.more += 1

    def as_json(self) -> dict[str, Any]:
        """The answer of the command."""
        rest = [f"and {self.more} more"] if self.more else []
        counted = {"entries": self.entries, "checkpoints": self.checkpoints, "months": self.months}
        return {"ok": not self.problems, **counted, "problems": [*self.problems, *rest]}


def verify_trail(engine: Engine, published: Sequence[str] = ()) -> VerifiedTrail:
    """Read all of the trail and of its checkpoints; both may go on meanwhile.

    `published`: signed checkpoints that were got from elsewhere; the trail has to go on from each of them.
    StoreUnavailableError: the database did not answer.
    """
    found = VerifiedTrail()
    with reading(engine) as connection:
        # In this order: whatever comes meanwhile is only more than what is needed for what was read before.
        rows = connection.execute(select(schema.checkpoint).order_by(schema.checkpoint.c.id)).all()
        keys = [NoteKey(key.name, key.public_key) for key in signing_keys(connection)]
        kept = _checkpoints(rows, keys, found)
        outside = _outside(published, keys, found)
        walk = _Walk(connection, found)
        for checkpoint in kept:
            walk.cover(checkpoint, outside)
        walk.finish(outside)
    return found


@dataclass(frozen=True, slots=True)
class _Kept:
    """A checkpoint of the trail; `root` is the one that was signed, or that is stored where no signature holds."""

    id: int
    size: int
    root: bytes
    frontier: bytes
    blocks: bytes
    leaf_hashes: bytes
    after_gap: bool
    """One before it is missing, so what it adds is not known."""


def _checkpoints(rows: Sequence[Any], keys: Sequence[NoteKey], found: VerifiedTrail) -> list[_Kept]:
    """Those of the trail, smaller first; what is wrong with one by itself is noted."""
    kept, expected, size, after_gap = [], 1, 0, False
    for row in rows:
        if row.id != expected:
            after_gap = True
            found.problem(f"{_numbered('checkpoint', expected, row.id - 1)} missing")
        expected = row.id + 1
        found.checkpoints += 1
        root = _signed_root(row, keys, found)
        if row.kind != "audit":
            found.months += 1
            continue
        if row.size <= size:
            found.problem(f"checkpoint {row.id}: it is of {row.size} entries, and one before it is of {size}")
            continue
        size = row.size
        added = bytes(row.blocks), bytes(row.leaf_hashes or b"")
        kept.append(_Kept(row.id, row.size, root, bytes(row.frontier), *added, after_gap=after_gap))
        after_gap = False
    return kept


def _signed_root(row: Any, keys: Sequence[NoteKey], found: VerifiedTrail) -> bytes:
    try:
        note = SignedNote.parse(row.note)
        signers = {str(key) for key in note.signers(keys)}
        signed = Checkpoint.parse(note.text)
    except NoteError as error:
        found.problem(f"checkpoint {row.id}: {error}")
        return bytes(row.root)
    stored = (row.origin, row.size, bytes(row.root))
    if stored != (signed.origin, signed.size, signed.root) or row.signed_by not in signers:
        found.problem(f"checkpoint {row.id}: its row says otherwise than the note that was signed")
    return signed.root


def _outside(published: Sequence[str], keys: Sequence[NoteKey], found: VerifiedTrail) -> dict[int, bytes]:
    """Roots by size, of published checkpoints of the trail."""
    roots: dict[int, bytes] = {}
    for number, text in enumerate(published, start=1):
        try:
            note = SignedNote.parse(text)
            note.signers(keys)
            checkpoint = Checkpoint.parse(note.text)
        except NoteError as error:
            found.problem(f"published checkpoint {number}: {error}")
            continue
        if checkpoint.origin not in {key.name for key in keys}:
            continue  # of a month
        if roots.setdefault(checkpoint.size, checkpoint.root) != checkpoint.root:
            found.problem(f"published checkpoint {number}: another of {checkpoint.size} entries has another root")
    return roots


class _Walk:
    """Goes through the entries once, in their order, and asks of each checkpoint whether they give its root."""

    def __init__(self, connection: Connection, found: VerifiedTrail) -> None:
        self._connection = connection
        self._found = found
        self._tree = GrowingTree()
        self._rows = self._all_rows()
        self._next = next(self._rows, None)
        self._expected = 1
        self._erased: dict[int, str] = {}
        self._told: dict[str, str] = {}

    def cover(self, kept: _Kept, outside: Mapping[int, bytes]) -> None:
        """Compare one checkpoint with the entries that it adds to the one before."""
        first, before = self._tree.size, (self._tree.size, self._tree.frontier)
        hashes = list(self._hashes_up_to(kept.size))
        stored = _whole_hashes(kept.leaf_hashes, kept.size - first)
        from_entries = _grown(before, hashes)
        if from_entries is not None and from_entries.root() == kept.root:
            tree = from_entries
            as_added = kept.after_gap or (stored, kept.blocks) == (hashes, tree.blocks)
            if kept.frontier != tree.frontier or not as_added:
                self._found.problem(
                    f"checkpoint {kept.id}: what is kept to go on from it was changed; its entries are as signed"
                )
        else:
            tree = self._blame(kept, first, before, hashes, stored)
        self._compare_outside(first, hashes if stored is None else stored, kept.size, outside, before)
        self._tree = tree

    def finish(self, outside: Mapping[int, bytes]) -> None:
        """Entries after the last checkpoint, and published checkpoints of those."""
        before = (self._tree.size, self._tree.frontier)
        hashes = list(self._hashes_up_to(None))
        end = before[0] + len(hashes)
        self._compare_outside(before[0], hashes, end, outside, before)
        for size in sorted(size for size in outside if size > end):
            self._found.problem(f"entries {end + 1} to {size} are missing: a published checkpoint covers them")
        for number, left in self._erased.items():
            if self._told.get(str(number)) != left:
                self._found.problem(
                    f"entry {number}: names were erased from it, and no entry of an erasure tells what is left"
                )

    def _blame(
        self,
        kept: _Kept,
        first: int,
        before: tuple[int, bytes],
        hashes: Sequence[bytes | None],
        stored: Sequence[bytes] | None,
    ) -> GrowingTree:
        """The entries do not give the root: which of them, by what is kept of it; returns the tree to go on with."""
        by_stored = _grown(before, stored)
        if stored is not None and by_stored is not None and by_stored.root() == kept.root:
            for number, (now, then) in enumerate(zip(hashes, stored, strict=False), start=first + 1):
                if now is not None and now != then:
                    self._found.problem(
                        f"entry {number}: it is not the one that checkpoint {kept.id} covers; it was changed"
                    )
            return by_stored
        where = _numbered("entry", first + 1, kept.size)
        self._found.problem(f"checkpoint {kept.id}: {where} not what gives its root, nor is what is kept of them")
        try:
            resumed = GrowingTree.going_on(kept.size, kept.frontier)
        except ValueError:
            resumed = None
        if resumed is not None and resumed.root() == kept.root:
            return resumed
        known = _grown(before, [each or bytes(32) for each in hashes])
        assert known is not None  # noqa: S101
        return known

    def _compare_outside(
        self,
        first: int,
        hashes: Sequence[bytes | None],
        end: int,
        outside: Mapping[int, bytes],
        before: tuple[int, bytes],
    ) -> None:
        for size in sorted(size for size in outside if first < size <= end):
            tree = _grown(before, hashes[: size - first])
            if tree is None or tree.root() != outside[size]:
                text = f"the published checkpoint of {size} entries is not of this trail: entries up to {size} were rewritten"
                self._found.problem(text)

    def _hashes_up_to(self, size: int | None) -> Iterator[bytes | None]:
        """The hash of each entry up to this number, None for one that is missing; without a number those that are left."""
        while self._next is not None and (size is None or self._next["id"] <= size):
            number, row = self._next["id"], self._next
            self._next = next(self._rows, None)
            if number < 1:
                self._found.problem(f"entry {number}: there can be none, for numbers begin with 1")
                continue
            yield from self._missing(number - 1)
            yield self._checked(row)
            self._expected = number + 1
        if size is not None:
            yield from self._missing(size)

    def _missing(self, last: int) -> Iterator[None]:
        if self._expected <= last:
            self._found.problem(f"{_numbered('entry', self._expected, last)} missing")
            yield from (None for _ in range(min(last + 1 - self._expected, _GAP_MAX)))
            self._expected = last + 1

    def _checked(self, row: Mapping[str, Any]) -> bytes:
        entry = bytes(row["entry"])
        self._found.entries += 1
        try:
            fits = entry_bytes(row) == entry
        except ValueError:
            fits = False
        if not fits:
            self._found.problem(f"entry {row['id']}: its columns say otherwise than its canonical bytes")
        else:
            self._told |= left_told(row)
        if row["erased_leaf"] is not None:
            self._erased[row["id"]] = leaf_hash(entry).hex()
        return hash_of_entry(entry, row["erased_leaf"])

    def _all_rows(self) -> Iterator[dict[str, Any]]:
        table = schema.audit_entry
        query = select(table).order_by(table.c.id).limit(_ROWS)
        last: int | None = None
        while True:
            following = query if last is None else query.where(table.c.id > last)
            rows = [dict(row) for row in self._connection.execute(following).mappings()]
            yield from rows
            if len(rows) < _ROWS:
                return
            last = rows[-1]["id"]


def _grown(before: tuple[int, bytes], hashes: Sequence[bytes | None] | None) -> GrowingTree | None:
    """The tree with these leaves more; None where one of them is not known."""
    if hashes is None:
        return None
    known = [each for each in hashes if each is not None]
    if len(known) < len(hashes):
        return None
    tree = GrowingTree.going_on(*before)
    tree.add(known)
    return tree


def _whole_hashes(joined: bytes, count: int) -> list[bytes] | None:
    try:
        hashes = split_hashes(joined)
    except ValueError:
        return None
    return hashes if len(hashes) == count else None


def _numbered(what: str, first: int, last: int) -> str:
    several = "entries" if what == "entry" else f"{what}s"
    return f"{what} {first} is" if first == last else f"{several} {first} to {last} are"
