"""The ledger of one partition: only an unbroken run of stored chunks may be committed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rice_stream.worker.faust_transport import Ledger


def handed_out(*last_offsets: int) -> Ledger:
    ledger = Ledger()
    for offset in last_offsets:
        ledger.hand_out(offset)
    return ledger


def test_nothing_is_committed_before_it_is_acknowledged() -> None:
    assert Ledger().committable() is None
    assert handed_out(9).committable() is None


def test_an_acknowledged_chunk_commits_the_offset_behind_it_once() -> None:
    ledger = handed_out(9)
    assert ledger.ack(9)
    assert ledger.committable() == 10
    assert ledger.committable() is None
    assert len(ledger) == 0


def test_a_chunk_waits_for_those_before_it() -> None:
    ledger = handed_out(9, 19, 29)
    assert ledger.ack(29)
    assert ledger.ack(19)
    assert ledger.committable() is None
    assert ledger.ack(9)
    assert ledger.committable() == 30


def test_the_unbroken_run_is_committed_and_the_rest_waits() -> None:
    ledger = handed_out(9, 19, 29)
    ledger.ack(9)
    ledger.ack(29)
    assert ledger.committable() == 10
    assert len(ledger) == 2
    ledger.ack(19)
    assert ledger.committable() == 30


def test_an_ack_counts_once_and_only_for_a_chunk_that_waits() -> None:
    ledger = handed_out(9)
    assert not ledger.ack(8)
    assert ledger.ack(9)
    assert not ledger.ack(9)
    ledger.committable()
    assert not ledger.ack(9)


def test_chunks_come_in_order() -> None:
    ledger = handed_out(9)
    for offset in (9, 3):
        with pytest.raises(ValueError, match="in order"):
            ledger.hand_out(offset)


def test_offsets_without_records_at_the_end_need_no_ack() -> None:
    """Transaction markers at 10 and 11: reading stands at 12, and so may the commit, once what is before is stored."""
    ledger = handed_out(9)
    ledger.pass_over(12)
    assert ledger.committable() is None
    ledger.ack(9)
    assert ledger.committable() == 12


def test_passing_over_what_was_handed_out_changes_nothing() -> None:
    ledger = handed_out(9)
    for position in (0, 5, 10):
        ledger.pass_over(position)
    assert ledger.committable() is None
    assert len(ledger) == 1


steps = st.lists(
    st.one_of(
        st.tuples(st.just("hand_out"), st.integers(1, 5)),
        st.tuples(st.just("pass_over"), st.integers(1, 5)),
        st.tuples(st.just("ack"), st.integers(0, 60)),
        st.tuples(st.just("commit"), st.just(0)),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(steps)
def test_no_order_of_acks_commits_a_chunk_that_is_not_stored(history: list[tuple[str, int]]) -> None:
    """Against a model that knows every single offset: what is committed is stored or was never a record, offsets only
    grow, and when all is acknowledged all is committed."""
    ledger = Ledger()
    position, committed = 0, 0
    chunk_of: dict[int, int] = {}
    stored: set[int] = set()
    for action, number in history:
        if action == "hand_out":
            last = position + number - 1
            ledger.hand_out(last)
            chunk_of.update(dict.fromkeys(range(position, last + 1), last))
            position = last + 1
        elif action == "pass_over":
            position += number
            ledger.pass_over(position)
        elif action == "ack":
            waits = number in chunk_of.values() and number not in stored
            assert ledger.ack(number) == waits
            if waits:
                stored.add(number)
        elif (offset := ledger.committable()) is not None:
            assert offset > committed
            committed = offset
            assert all(chunk_of[o] in stored for o in range(offset) if o in chunk_of)
    for last in set(chunk_of.values()) - stored:
        assert ledger.ack(last)
    assert (ledger.committable() or committed) == position
    assert len(ledger) == 0
