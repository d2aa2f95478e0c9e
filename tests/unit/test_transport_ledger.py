"""The ledger of chunks: what may be committed when acks come in any order."""

from hypothesis import given
from hypothesis import strategies as st

from rice_stream.transport import Ledger


def test_an_unacked_chunk_holds_back_everything_behind_it() -> None:
    """Committing past it would lose its events at the next restart."""
    ledger = Ledger()
    for last_offset in (9, 19, 29):
        ledger.hand_out(last_offset)
    assert ledger.ack(19)
    assert ledger.ack(29)
    assert ledger.committable() is None
    assert ledger.ack(9)
    assert ledger.committable() == 30
    assert ledger.committable() is None


def test_an_ack_counts_once_and_only_for_a_chunk_that_was_handed_out() -> None:
    ledger = Ledger()
    ledger.hand_out(4)
    assert not ledger.ack(5)
    assert ledger.ack(4)
    assert not ledger.ack(4)


@given(st.data())
def test_the_committed_offset_is_always_one_past_the_unbroken_run_of_acks(data: st.DataObject) -> None:
    """For any chunk ends (with holes between them), any order of acks, and commits in between."""
    ends = sorted(data.draw(st.sets(st.integers(0, 1000), min_size=1, max_size=30)))
    order = data.draw(st.permutations(ends))
    ledger = Ledger()
    for end in ends:
        ledger.hand_out(end)
    acked: set[int] = set()
    committed = -1
    for end in order:
        assert ledger.ack(end)
        acked.add(end)
        if data.draw(st.booleans()):
            offset = ledger.committable()
            committed = committed if offset is None else offset
            run = [e for i, e in enumerate(ends) if set(ends[: i + 1]) <= acked]
            assert committed == (run[-1] + 1 if run else -1)
    final = ledger.committable()
    assert (final if final is not None else committed) == ends[-1] + 1
