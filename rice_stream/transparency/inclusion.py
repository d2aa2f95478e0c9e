"""Proofs of RFC 9162, section 2.1: that a leaf is in a tree, and that a tree is the beginning of a larger one.

A proof is a list of hashes of ranges of leaves. What ranges they are follows from the numbers alone, so whoever makes a proof
asks for them here, and whoever checks one needs the hashes only. Numbers of leaves begin with 0.
"""

from collections.abc import Sequence

from rice_stream.transparency.merkle import HASH_BYTES, node_hash

LeafRange = tuple[int, int]
"""The first leaf, and the first that does not belong to it any more."""


class ProofError(ValueError):
    """The proof does not prove what it should; says why."""


def inclusion_ranges(index: int, size: int) -> list[LeafRange]:
    """The ranges whose hashes prove that the leaf of this number is in a tree of that size; the smallest comes first.

    ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf number {index}")
    ranges = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _left_of(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(first: int, second: int) -> list[LeafRange]:
    """The ranges whose hashes prove that a tree of `first` leaves is the beginning of one of `second`; none where they are equal.

    An empty tree is the beginning of every other, which needs no proof. ValueError: the first is larger.
    """
    if not 0 <= first <= second:
        raise ValueError(f"a tree of {first} leaves is no beginning of one of {second}")
    if first == 0:
        return []
    ranges = []
    start, end = 0, second
    while first != end:
        middle = start + _left_of(end - start)
        if first <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    if start:
        ranges.append((start, end))
    return ranges[::-1]


def check_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf of this hash is number `index` of the tree of that size and root. ProofError: it is not proven."""
    if not 0 <= index < size:
        raise ProofError(f"a tree of {size} leaves has no leaf number {index}")
    found = leaf
    number, last = index, size - 1
    for each in _hashes(proof):
        if last == 0:
            raise ProofError("the proof of inclusion is too long")
        if number & 1 or number == last:
            found = node_hash(each, found)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            found = node_hash(found, each)
        number, last = number >> 1, last >> 1
    if last:
        raise ProofError("the proof of inclusion is too short")
    if found != root:
        raise ProofError(f"leaf {index} with this content is not in the tree of this root")


def check_consistency(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of `first` leaves is the beginning of that of `second`. ProofError: it is not proven."""
    hashes = list(_hashes(proof))
    if not 0 <= first <= second:
        raise ProofError(f"a tree of {first} leaves is no beginning of one of {second}")
    if first in (0, second):
        if hashes:
            raise ProofError("the proof of consistency is too long")
        if first and first_root != second_root:
            raise ProofError(f"there are two trees of {first} leaves with different roots")
        return
    if first & (first - 1) == 0:
        hashes.insert(0, first_root)
    if not hashes:
        raise ProofError("the proof of consistency is too short")
    _walk_up(first - 1, second - 1, hashes, first_root, second_root)


def _walk_up(number: int, last: int, hashes: Sequence[bytes], first_root: bytes, second_root: bytes) -> None:
    """RFC 9162, section 2.1.4.2, from step 3 on: both roots are made of the same hashes."""
    while number & 1:
        number, last = number >> 1, last >> 1
    found_first = found_second = hashes[0]
    for each in hashes[1:]:
        if last == 0:
            raise ProofError("the proof of consistency is too long")
        if number & 1 or number == last:
            found_first, found_second = node_hash(each, found_first), node_hash(each, found_second)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            found_second = node_hash(found_second, each)
        number, last = number >> 1, last >> 1
    if last:
        raise ProofError("the proof of consistency is too short")
    if found_first != first_root:
        raise ProofError("the earlier root is not that of the beginning of the later tree")
    if found_second != second_root:
        raise ProofError("the later root is not that of a tree that begins with the earlier one")


def _hashes(proof: Sequence[bytes]) -> Sequence[bytes]:
    if any(len(each) != HASH_BYTES for each in proof):
        raise ProofError(f"the proof holds something that is no hash of {HASH_BYTES} bytes")
    return proof


def _left_of(size: int) -> int:
    """The leaves of the left child of a node over `size` leaves: the largest power of two that is less."""
    return 1 << (size - 1).bit_length() - 1
