"""What is kept of one record's refused items is bounded, and nothing of them goes uncounted."""

import pytest

from rice_stream.events.decoding import decode_batch
from rice_stream.events.records import FURTHER_ITEMS, Decoded, RawRecord, Refused
from rice_stream.events.refused_items import (
    REFUSED_PER_RECORD_MAX,
    bounded,
    bounded_by_record,
    count_items,
    tally_records,
)
from tests.support.fakes import event, value_of


def decoded(*values: object) -> Decoded:
    """These values as records of one partition, from offset 0 on."""
    return decode_batch([RawRecord("events", 0, offset, value_of(value)) for offset, value in enumerate(values)])[1]


def refused(item: int, offset: int = 0) -> Refused:
    return Refused(RawRecord("events", 0, offset, b"[]"), item, "not_json", f"item {item}", "{}")


def test_up_to_the_bound_all_refused_items_are_kept_one_by_one() -> None:
    items = [refused(item) for item in range(REFUSED_PER_RECORD_MAX)]
    assert bounded(items) == items


def test_past_the_bound_one_stands_for_all_others_and_says_how_many() -> None:
    """It is at the place of the first of them."""
    kept = bounded(refused(2 * item) for item in range(REFUSED_PER_RECORD_MAX + 1_234))
    assert [each.item for each in kept] == [2 * item for item in range(REFUSED_PER_RECORD_MAX + 1)]
    assert (kept[-1].reason, kept[-1].items, kept[-1].payload) == (FURTHER_ITEMS, 1_234, '{"items":1234}')
    assert kept[-1].detail == "1,234 more of the record's items were refused, from item 200 on"
    assert count_items(kept) == REFUSED_PER_RECORD_MAX + 1_234


def test_bounding_again_with_more_refused_items_loses_none() -> None:
    """Retention refuses items after decoding has; the order of the record decides which are kept, record by record."""
    of_decoding = bounded(refused(item) for item in range(1_000, 1_500))
    early, other = [refused(item) for item in range(30)], refused(7, offset=1)
    kept = bounded_by_record([*of_decoding, other, *early])
    assert count_items(kept) == 500 + 30 + 1
    first = [each for each in kept if each.record.offset == 0]
    assert [each.item for each in first[:31]] == [*range(30), 1_000]
    assert (len(first), first[-1].reason, first[-1].items) == (REFUSED_PER_RECORD_MAX + 1, FURTHER_ITEMS, 430)
    assert other in kept


def test_neighbours_of_a_record_of_bad_items_are_events() -> None:
    """In the record itself, and in the records before and after it."""
    mixed = [*range(500), event(event_id="within"), *range(500)]
    found = decoded(event(event_id="before"), mixed, event(event_id="after"))
    assert [each.event_id for each in found.events] == ["before", "within", "after"]
    assert (len(found.refused), count_items(found.refused)) == (REFUSED_PER_RECORD_MAX + 1, 1_000)


@pytest.mark.parametrize(
    ("values", "tally"),
    [
        ([event(), event()], (2, 0)),
        ([[event(), event(event_id="b")]], (1, 0)),
        ([[0] * 1_000], (0, 1)),
        ([event(), [0] * 1_000, [0, event()], 0], (2, 2)),
        ([], (0, 0)),
    ],
    ids=["plain", "array", "one bad record", "mixed", "none"],
)
def test_records_are_tallied_not_items(values: list[object], tally: tuple[int, int]) -> None:
    """A record with any event is taken; one with refused items only is refused, once."""
    assert tally_records(decoded(*values)) == tally
