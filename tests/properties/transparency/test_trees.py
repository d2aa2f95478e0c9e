"""Trees and proofs against the recursive definitions of RFC 9162, section 2.1, for any numbers of leaves."""

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rice_stream.transparency.inclusion import ProofError, check_consistency, check_inclusion
from rice_stream.transparency.kept_trees import BLOCK_LEAVES, GrowingTree, KeptTree
from rice_stream.transparency.merkle import Frontier, leaf_hash, split_hashes

LEAVES = [number.to_bytes(2, "big") for number in range(3 * BLOCK_LEAVES + 7)]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]
SIZES = st.one_of(
    st.integers(0, 40), st.integers(0, len(LEAVES)), st.integers(-2, 2).map(lambda around: 2 * BLOCK_LEAVES + around)
)


def defined_root(leaves: list[bytes]) -> bytes:
    """MTH of the RFC."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    split = next(2**power for power in range(20) if 2 ** (power + 1) >= len(leaves))
    return sha256(b"\1" + defined_root(leaves[:split]) + defined_root(leaves[split:])).digest()


def defined_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of the RFC."""
    if len(leaves) == 1:
        return []
    split = next(2**power for power in range(20) if 2 ** (power + 1) >= len(leaves))
    if index < split:
        return [*defined_path(index, leaves[:split]), defined_root(leaves[split:])]
    return [*defined_path(index - split, leaves[split:]), defined_root(leaves[:split])]


def defined_subproof(first: int, leaves: list[bytes], *, known: bool = True) -> list[bytes]:
    """SUBPROOF of the RFC; with `known` it is PROOF."""
    if first == len(leaves):
        return [] if known else [defined_root(leaves)]
    split = next(2**power for power in range(20) if 2 ** (power + 1) >= len(leaves))
    if first <= split:
        return [*defined_subproof(first, leaves[:split], known=known), defined_root(leaves[split:])]
    return [*defined_subproof(first - split, leaves[split:], known=False), defined_root(leaves[:split])]


def kept(size: int) -> KeptTree:
    tree = GrowingTree()
    tree.add(HASHES[:size])
    return KeptTree(size, tree.blocks, lambda start, end: HASHES[start:end])


@settings(max_examples=40, deadline=None)
@given(SIZES, st.lists(st.integers(0, len(LEAVES)), max_size=3))
def test_a_root_is_the_same_however_the_leaves_came(size: int, stops: list[int]) -> None:
    """One by one, or in parts with only the frontier kept between them; and so are the hashes of blocks."""
    frontier = Frontier()
    for each in HASHES[:size]:
        frontier.append(each)
    whole, done, blocks = GrowingTree(), 0, b""
    for stop in [*sorted(each for each in stops if each <= size), size]:
        whole = GrowingTree.going_on(whole.size, whole.frontier)
        whole.add(HASHES[done:stop])
        done, blocks = stop, blocks + whole.blocks
    assert whole.root() == frontier.root() == kept(size).root() == defined_root(LEAVES[:size])
    assert whole.frontier == frontier.to_bytes()
    full = range(0, size - size % BLOCK_LEAVES, BLOCK_LEAVES)
    assert split_hashes(blocks) == [defined_root(LEAVES[start : start + BLOCK_LEAVES]) for start in full]


@settings(max_examples=40, deadline=None)
@given(SIZES.filter(bool), st.data())
def test_a_leaf_is_proven_and_no_other_in_its_place(size: int, data: st.DataObject) -> None:
    """The proof is the one that the RFC defines; another leaf, place, root or a changed proof is refused."""
    index = data.draw(st.integers(0, size - 1))
    root, proof = defined_root(LEAVES[:size]), kept(size).inclusion(index)
    assert proof == defined_path(index, LEAVES[:size])
    check_inclusion(index, size, HASHES[index], proof, root)
    other = data.draw(st.integers(0, len(LEAVES) - 1).filter(lambda number: number != index))
    wrong = [
        (other, HASHES[index], proof, root),
        (index, HASHES[other], proof, root),
        (index, HASHES[index], proof, bytes(32)),
    ]
    wrong.append((index, HASHES[index], [*proof, bytes(32)], root))
    if proof:
        place = data.draw(st.integers(0, len(proof) - 1))
        wrong += [
            (index, HASHES[index], proof[:-1], root),
            (index, HASHES[index], [*proof[:place], bytes(32), *proof[place + 1 :]], root),
        ]
    for number, leaf, hashes, of in wrong:
        with pytest.raises(ProofError):
            check_inclusion(number, size, leaf, hashes, of)


@settings(max_examples=40, deadline=None)
@given(SIZES, SIZES, st.data())
def test_a_tree_that_goes_on_is_proven_and_one_that_was_rewritten_is_not(
    one: int, two: int, data: st.DataObject
) -> None:
    """The proof is the one that the RFC defines; another beginning, another end or a changed proof is refused."""
    first, second = sorted((one, two))
    before, after = defined_root(LEAVES[:first]), defined_root(LEAVES[:second])
    proof = kept(second).consistency(first)
    assert proof == (defined_subproof(first, LEAVES[:second]) if first else [])
    check_consistency(first, second, before, after, proof)
    if first == 0:
        return
    wrong = [(bytes(32), after, proof), (before, bytes(32), proof), (before, after, [*proof, bytes(32)])]
    if proof:
        place = data.draw(st.integers(0, len(proof) - 1))
        wrong += [(before, after, proof[1:]), (before, after, [*proof[:place], bytes(32), *proof[place + 1 :]])]
    for earlier, later, hashes in wrong:
        with pytest.raises(ProofError):
            check_consistency(first, second, earlier, later, hashes)
