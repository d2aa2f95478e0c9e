"""Checkpoints of the audit trail: signed, one after the other, each going on from what is kept of the one before.

A checkpoint is no entry of the trail, or each would be a reason for the next. Making and changing the key that signs is one.
"""

import secrets
from typing import Protocol

from rice_stream.errors import RiceError
from rice_stream.instants import SECOND_US
from rice_stream.store.audit import Actor
from rice_stream.store.checkpoint_store import (
    NewCheckpoint,
    StoredCheckpoint,
    add_checkpoint,
    hold_checkpoints,
    latest_checkpoint,
    leaf_hashes_after,
    named_checkpoint,
    oldest_uncovered_us,
)
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import Connection, Engine, reading, writing
from rice_stream.store.signing_keys import SigningKey, add_signing_key, seal_key_again, signing_keys
from rice_stream.transparency.checkpoints import Checkpoint
from rice_stream.transparency.kept_trees import GrowingTree
from rice_stream.transparency.notes import SEED_BYTES, NoteKey, signed

ENTRIES_MAX = 65_536
"""Of one checkpoint: the first one of an old installation is made in parts."""
_ORIGIN_BYTES = 8


class SigningBox(Protocol):
    """Encrypts private keys, and knows its own keys (`runtime.secret_box`)."""

    @property
    def key_ids(self) -> tuple[str, ...]:
        """What the keys are known by, the one that seals first."""

    def seal_key(self, name: str, seed: bytes) -> tuple[bytes, str]:
        """Encrypted, and the id of the key. UsageError: there is no key."""

    def open_key(self, name: str, sealed: bytes) -> bytes:
        """What was sealed. UsageError: none of the keys fits."""


class SignedTree(Protocol):
    """What is signed of a tree, and kept of it (`transparency.kept_trees`)."""

    @property
    def size(self) -> int:
        """Number of leaves."""

    @property
    def frontier(self) -> bytes:
        """What it goes on from."""

    @property
    def blocks(self) -> bytes:
        """The hashes of its full blocks."""

    def root(self) -> bytes:
        """Its root."""


class BrokenCheckpointError(RiceError):
    """What is kept of the latest checkpoint is not what was signed: nothing goes on from it."""


def make_checkpoints(engine: Engine, box: SigningBox, *, origin: str | None, by: Actor) -> StoredCheckpoint | None:
    """Sign what the trail is now; None: there is a checkpoint of that already.

    `origin` is the name of this installation's tree, for the first one: without it, it is made. Whoever comes at the same time
    waits. UsageError: the key cannot be made or opened without RICE_SECRETS_KEY; BrokenCheckpointError: somebody has changed the
    latest checkpoint; StoreUnavailableError: the database did not do it.
    """
    with reading(engine) as connection:
        latest = latest_checkpoint(connection)
        if not leaf_hashes_after(connection, 0 if latest is None else latest[0].size, 1):
            return None
        has_key = bool(signing_keys(connection))
    if not has_key:
        _make_first_key(engine, box, origin, by)
    made = None
    while (one := _make_one(engine, box)) is not None:
        made = one
    return made


def make_when_due(
    engine: Engine, box: SigningBox, *, origin: str | None, every_s: float, by: Actor
) -> StoredCheckpoint | None:
    """Make one where an entry has waited for so long; None: none has."""
    with reading(engine) as connection:
        latest = latest_checkpoint(connection)
        oldest_us = oldest_uncovered_us(connection, 0 if latest is None else latest[0].size)
        if oldest_us is None or database_now_us(connection) - oldest_us < every_s * SECOND_US:
            return None
    return make_checkpoints(engine, box, origin=origin, by=by)


def rotate_key(engine: Engine, box: SigningBox, *, origin: str | None, by: Actor) -> StoredCheckpoint | None:
    """Put a new key in force, and sign a checkpoint with it and with the one before, so that each vouches for the other.

    The key before stays listed, for what it has signed. Errors as with `make_checkpoints`.
    """
    with writing(engine) as connection:
        hold_checkpoints(connection)
        before = signing_keys(connection)
        name = before[-1].name if before else origin or _new_origin()
        also = [box.open_key(name, before[-1].sealed)] if before else []
        _add_key(connection, box, name, by)
    made = None
    while (one := _make_one(engine, box, also)) is not None:
        made = one
    return made


def seal_keys_again(engine: Engine, box: SigningBox) -> int:
    """Encrypt with the first key of secrets what another of them sealed; returns how many keys. UsageError: one is not opened."""
    if len(box.key_ids) < 2:
        return 0
    with writing(engine) as connection:
        hold_checkpoints(connection)
        others = [key for key in signing_keys(connection) if key.sealed_by in box.key_ids[1:]]
        for key in others:
            seal_key_again(connection, key, *box.seal_key(key.name, box.open_key(key.name, key.sealed)))
    return len(others)


def sign_month(connection: Connection, box: SigningBox, name: str, tree: SignedTree, *, by: Actor) -> StoredCheckpoint:
    """Sign the tree of a closed month, as a part of the transaction that closes it; the same tree again is the same checkpoint.

    `name` is the month's within this installation, of keys and not of names: the origin is `ORIGIN/month/` and this. Errors as
    with `make_checkpoints`, of which there has to have been one, or the key is made here with an origin of its own.
    BrokenCheckpointError: there is another tree of that month and size.
    """
    hold_checkpoints(connection)
    if not signing_keys(connection):
        _add_key(connection, box, _new_origin(), by)
    key = signing_keys(connection)[-1]
    origin = f"{key.name}/month/{name}"
    root = tree.root()
    before = named_checkpoint(connection, origin, tree.size)
    if before is not None:
        if before.root != root:
            raise BrokenCheckpointError(
                f"checkpoint {before.id}: there is another tree of {origin} with {tree.size} leaves"
            )
        return before
    note = signed(str(Checkpoint(origin, tree.size, root)), key.name, box.open_key(key.name, key.sealed))
    what = (origin, tree.size, root, str(note), str(note_key(key)), tree.frontier, tree.blocks)
    return add_checkpoint(connection, NewCheckpoint("month", *what))


def note_key(key: SigningKey) -> NoteKey:
    """Its public half, as signed notes name it."""
    return NoteKey(key.name, key.public_key)


def _make_first_key(engine: Engine, box: SigningBox, origin: str | None, by: Actor) -> None:
    with writing(engine) as connection:
        hold_checkpoints(connection)
        if not signing_keys(connection):
            _add_key(connection, box, origin or _new_origin(), by)


def _new_origin() -> str:
    """Unique, and says nothing of who runs it."""
    return f"rice-stream/{secrets.token_hex(_ORIGIN_BYTES)}"


def _add_key(connection: Connection, box: SigningBox, name: str, by: Actor) -> None:
    seed = secrets.token_bytes(SEED_BYTES)
    public = NoteKey.of_seed(name, seed)
    add_signing_key(connection, name, public.key, box.seal_key(name, seed), shown=str(public), by=by)


def _make_one(engine: Engine, box: SigningBox, also: list[bytes] | None = None) -> StoredCheckpoint | None:
    with writing(engine) as connection:
        hold_checkpoints(connection)
        key = signing_keys(connection)[-1]
        tree = _tree_so_far(connection)
        hashes = leaf_hashes_after(connection, tree.size, ENTRIES_MAX)
        if not hashes:
            return None
        tree.add(hashes)
        checkpoint = Checkpoint(key.name, tree.size, tree.root())
        note = signed(str(checkpoint), key.name, box.open_key(key.name, key.sealed), *(also or []))
        what = (key.name, tree.size, checkpoint.root, str(note), str(note_key(key)), tree.frontier, tree.blocks)
        return add_checkpoint(connection, NewCheckpoint("audit", *what, b"".join(hashes)))


def _tree_so_far(connection: Connection) -> GrowingTree:
    latest = latest_checkpoint(connection)
    if latest is None:
        return GrowingTree()
    checkpoint, frontier = latest
    try:
        tree = GrowingTree.going_on(checkpoint.size, frontier)
    except ValueError:
        tree = GrowingTree()
    if tree.root() != checkpoint.root:
        raise BrokenCheckpointError(
            f"checkpoint {checkpoint.id}: what is kept of its tree does not give its root; `rice-stream audit verify` says what"
            " was changed, and no other is made until it is put back"
        )
    return tree
