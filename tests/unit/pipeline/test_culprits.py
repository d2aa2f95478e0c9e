"""Taking chunks apart down to what is at fault: nothing is lost, nothing twice, whatever the order of trying."""

import json
from dataclasses import replace

import pytest

from rice_stream.events.formats.reading.options import DEFAULT_OPTIONS
from rice_stream.events.trust import MARK
from rice_stream.pipeline.chunks import BatchParts, Chunk, items_of
from rice_stream.pipeline.culprits import halves, reason_of, refused
from tests.support.fakes import chunk_of, event


def lines(first: int, count: int) -> bytes:
    return "\n".join([json.dumps(event(event_id=f"e-{first + k}")) for k in range(count)] + ["not JSON"]).encode()


def leaves(chunks: list[Chunk]) -> list[Chunk]:
    parts = halves(chunks, DEFAULT_OPTIONS)
    if parts is None:
        return chunks
    return leaves(parts[0]) + leaves(parts[1])


def contents(chunk: Chunk) -> list[str]:
    """Ids of events, `offset/item` of refused ones."""
    found: list[str] = []
    for _, block, _ in BatchParts([chunk], DEFAULT_OPTIONS, None):
        found += block.columns.event_id
        found += [f"{item.record.offset}/{item.item}" for item in block.decoded.refused]
    return found


@pytest.mark.parametrize("cut_at", [None, 3, 5])
def test_each_leaf_is_one_item_and_all_of_them_are_all(cut_at: int | None) -> None:
    """Also of a part that a batch took, which may end amid a record."""
    chunks = [chunk_of([lines(0, 4), event(event_id="e-4"), b"{"]), chunk_of([lines(5, 1)], offset=7)]
    if cut_at is not None:
        parts = BatchParts(chunks, DEFAULT_OPTIONS, cut_at)
        list(parts)
        chunks = [*parts.taken, *parts.left]
    found = leaves(chunks)
    assert [len(contents(leaf)) for leaf in found] == [1] * 9
    expected = [*(f"e-{k}" for k in range(6)), "0/4", "2/0", "7/1"]
    assert sorted(name for leaf in found for name in contents(leaf)) == sorted(expected)


def test_a_refused_leaf_keeps_its_place_and_no_text() -> None:
    chunk = chunk_of([lines(0, 2)], offset=5)
    for leaf in leaves([chunk]):
        gone = refused(leaf, ValueError("secret"), DEFAULT_OPTIONS)
        assert gone.opened is not None
        assert items_of(gone.opened.block) == 1
        (item,) = gone.opened.block.decoded.refused
        assert (item.record.offset, item.reason) == (5, "internal_error")
        assert "secret" not in item.detail + item.payload
        assert "ValueError" in item.detail


def test_a_record_that_cannot_even_be_decoded_is_refused_as_one_item(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise LookupError

    monkeypatch.setattr("rice_stream.events.decoding.read", fail)
    chunk = chunk_of([event(), lines(0, 3)])
    parts = halves([chunk], DEFAULT_OPTIONS)
    assert parts is not None
    assert halves(parts[1], DEFAULT_OPTIONS) is None
    gone = refused(parts[1][0], LookupError(), DEFAULT_OPTIONS)
    assert contents(gone) == ["1/0"]
    [record] = parts[1][0].records
    marked = replace(parts[1][0], records=[record._replace(headers=(("x", b"y"), *MARK))])
    refused_items = refused(marked, LookupError(), DEFAULT_OPTIONS).opened
    assert refused_items is not None
    assert {item.record.headers for item in refused_items.block.decoded.refused} == {MARK}, (
        "of its headers, the mark stays"
    )


def test_an_error_of_nobodys_data_has_no_reason() -> None:
    assert reason_of(KeyError("x"))[0] == "internal_error"
