"""The chunks of one partition that were handed out: only an unbroken run of stored chunks may be committed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rice_stream.worker.handed_out import HandedOutChunks, SetAside


def handed_out(*last_offsets: int) -> HandedOutChunks:
    chunks = HandedOutChunks()
    for offset in last_offsets:
        chunks.hand_out(offset)
    return chunks


def still_kept(chunks: HandedOutChunks) -> int:
    """How many chunks are remembered: what is committed must not stay in memory."""
    return len(chunks._handed_out)


def test_nothing_is_committed_before_it_is_acknowledged() -> None:
    assert HandedOutChunks().committable() is None
    assert handed_out(9).committable() is None


def test_an_acknowledged_chunk_commits_the_offset_behind_it_once() -> None:
    chunks = handed_out(9)
    assert chunks.ack(9)
    assert chunks.committable() == 10
    assert chunks.committable() is None
    assert still_kept(chunks) == 0


def test_a_chunk_waits_for_those_before_it() -> None:
    chunks = handed_out(9, 19, 29)
    assert chunks.ack(29)
    assert chunks.ack(19)
    assert chunks.committable() is None
    assert chunks.ack(9)
    assert chunks.committable() == 30


def test_the_unbroken_run_is_committed_and_the_rest_waits() -> None:
    chunks = handed_out(9, 19, 29)
    chunks.ack(9)
    chunks.ack(29)
    assert chunks.committable() == 10
    assert still_kept(chunks) == 2
    chunks.ack(19)
    assert chunks.committable() == 30


def test_an_ack_counts_once_and_only_for_a_chunk_that_waits() -> None:
    chunks = handed_out(9)
    assert not chunks.ack(8)
    assert chunks.ack(9)
    assert not chunks.ack(9)
    chunks.committable()
    assert not chunks.ack(9)


def test_chunks_come_in_order() -> None:
    chunks = handed_out(9)
    for offset in (9, 3):
        with pytest.raises(ValueError, match="in order"):
            chunks.hand_out(offset)


def test_offsets_without_records_at_the_end_need_no_ack() -> None:
    """Transaction markers at 10 and 11: reading stands at 12, and so may the commit, once what is before is stored."""
    chunks = handed_out(9)
    chunks.pass_over(12)
    assert chunks.committable() is None
    chunks.ack(9)
    assert chunks.committable() == 12


def test_passing_over_what_was_handed_out_changes_nothing() -> None:
    chunks = handed_out(9)
    for position in (0, 5, 10):
        chunks.pass_over(position)
    assert chunks.committable() is None
    assert still_kept(chunks) == 1


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
    chunks = HandedOutChunks()
    position, committed = 0, 0
    chunk_of: dict[int, int] = {}
    stored: set[int] = set()
    for action, number in history:
        if action == "hand_out":
            last = position + number - 1
            chunks.hand_out(last)
            chunk_of.update(dict.fromkeys(range(position, last + 1), last))
            position = last + 1
        elif action == "pass_over":
            position += number
            chunks.pass_over(position)
        elif action == "ack":
            waits = number in chunk_of.values() and number not in stored
            assert chunks.ack(number) == waits
            if waits:
                stored.add(number)
        elif (offset := chunks.committable()) is not None:
            assert offset > committed
            committed = offset
            assert all(chunk_of[o] in stored for o in range(offset) if o in chunk_of)
    for last in set(chunk_of.values()) - stored:
        assert chunks.ack(last)
    assert (chunks.committable() or committed) == position
    assert still_kept(chunks) == 0


def test_what_is_set_aside_is_read_again_from_the_first_chunk_that_is_not_stored() -> None:
    """Acks of what was handed out before are void; what is acked in an unbroken run is still committed."""
    chunks = HandedOutChunks()
    for last in (4, 9, 14):
        chunks.hand_out(last)
    chunks.ack(4)
    chunks.ack(14)
    kept = chunks.without_unacked()
    assert kept.last == 4
    assert not kept.ack(9)
    assert not kept.ack(14)
    assert kept.committable() == 5
    kept.hand_out(9)
    assert kept.ack(9)
    assert kept.committable() == 10


def test_a_partition_waits_until_its_time_and_longer_where_it_was_set_aside_again() -> None:
    aside = SetAside()
    aside.add("a", 5.0)
    aside.add("b", 9.0)
    due = aside.due(6.0)
    assert due == {"a": 5.0}
    aside.add("a", 20.0)
    aside.settle(due)
    assert "a" in aside, "it was set aside again while it was taken up"
    aside.settle(aside.due(20.0))
    assert "a" not in aside
    assert "b" not in aside
    aside.add("c", 1.0)
    aside.drop(["c", "unknown"])
    assert not aside.due(100.0)
