"""Merkle trees of RFC 9162 (and RFC 6962) with SHA-256: hashes of leaves and nodes, and roots of leaves that come one by one."""

from collections.abc import Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
"""The root of a tree without leaves."""


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf. Its prefix differs from that of nodes, so that no node can be passed off as a leaf."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node with two children."""
    return sha256(b"\x01" + left + right).digest()


def parents(hashes: Sequence[bytes]) -> list[bytes]:
    """The nodes above a row of hashes, two by two; the last one of an odd number has none."""
    return [sha256(b"\x01" + left + right).digest() for left, right in zip(hashes[::2], hashes[1::2], strict=False)]


def complete_root(hashes: Sequence[bytes]) -> bytes:
    """The root of a complete tree: of 1, 2, 4, 8, ... leaves, by their hashes. ValueError: there is another number of them."""
    if not hashes or len(hashes) & (len(hashes) - 1):
        raise ValueError(f"a complete tree has a power of two of leaves, not {len(hashes)}")
    while len(hashes) > 1:
        hashes = parents(hashes)
    return hashes[0]


class Frontier:
    """A tree that leaves are added to, of which only the largest complete subtrees are kept, at most one of each height.

    That is enough for its root and to go on from, so a root of any number of leaves takes one pass and a few hashes of memory.
    """

    __slots__ = ("_hashes", "_size")

    def __init__(self) -> None:
        """Without leaves."""
        self._size = 0
        self._hashes: list[bytes] = []

    @classmethod
    def from_bytes(cls, size: int, kept: bytes) -> "Frontier":
        """What `to_bytes` of a tree of that size gave. ValueError: it is not that of such a tree."""
        if size < 0 or len(kept) != size.bit_count() * HASH_BYTES:
            raise ValueError(f"{len(kept)} bytes are not what is kept of a tree of {size} leaves")
        frontier = cls()
        frontier._size = size
        frontier._hashes = split_hashes(kept)
        return frontier

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._size

    def append(self, added: bytes, level: int = 0) -> None:
        """Add the hash of a leaf, or the root of a complete subtree of two to the power of `level` leaves.

        ValueError: a subtree of that size does not follow here.
        """
        if self._size & ((1 << level) - 1):
            raise ValueError(f"{1 << level} leaves at once do not follow after {self._size}")
        before = self._size >> level
        while before & 1:
            added = node_hash(self._hashes.pop(), added)
            before >>= 1
        self._hashes.append(added)
        self._size += 1 << level

    def root(self) -> bytes:
        """The root of all leaves up to now."""
        if not self._hashes:
            return EMPTY_ROOT
        *lefts, root = self._hashes
        for left in reversed(lefts):
            root = node_hash(left, root)
        return root

    def to_bytes(self) -> bytes:
        """What is kept, 32 bytes for each subtree, the largest first."""
        return b"".join(self._hashes)


def split_hashes(joined: bytes) -> list[bytes]:
    """Hashes that were written one after the other. ValueError: the last one is not whole."""
    if len(joined) % HASH_BYTES:
        raise ValueError(f"{len(joined)} bytes are no whole number of hashes of {HASH_BYTES} bytes")
    return [joined[start : start + HASH_BYTES] for start in range(0, len(joined), HASH_BYTES)]
