"""What is remembered of events that are read together is bounded, and events that have too little in common are left alone."""

import pytest

from rice_stream.events.together import reader
from rice_stream.events.together.layouts import layout_of
from rice_stream.events.together.octets import Octets
from rice_stream.events.together.reader import EVENTS_MIN, ReadTogether, TogetherReader
from tests.support.fakes import event, value_of


def values(first_user: int, **changes: object) -> list[bytes]:
    """Events of as many users, from this one on."""
    return [
        value_of(event(event_id=f"e-{number}", user_id=f"user-{first_user + number}", **changes))
        for number in range(EVENTS_MIN)
    ]


def read(one: TogetherReader, some: list[bytes]) -> ReadTogether | None:
    return one.read(len(some), lambda: Octets.of(some))


def test_a_block_is_read_with_the_names_that_its_events_share() -> None:
    """Only what is there: users are numbered in the order in which they were met."""
    found = read(TogetherReader(), values(0))
    assert found is not None
    assert found.odd.tolist() == []
    assert found.who.tolist() == list(range(EVENTS_MIN))
    assert found.names.who.combination(3) == ("acme", "search", None, None, "user-3", None)
    assert found.what.tolist() == [0] * EVENTS_MIN
    assert found.ids[5] == b"e-5"
    assert found.ended_at_us.tolist() == [1_795_348_800_000_000] * EVENTS_MIN
    assert found.duration_us.tolist() == [1_500_000] * EVENTS_MIN
    assert found.counts["input_tokens"].tolist() == [10] * EVENTS_MIN


def test_names_are_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns made before keep the names that they were made with."""
    monkeypatch.setattr(reader, "NAMES_MAX", 2 * EVENTS_MIN - 1)
    monkeypatch.setattr(reader, "_READ_BETWEEN_MIN", 0)
    one = TogetherReader()
    before = read(one, values(0))
    assert before is not None
    read(one, values(EVENTS_MIN))
    after = read(one, values(5 * EVENTS_MIN))
    assert after is not None
    assert after.names.who is not before.names.who
    assert len(after.names.who) == EVENTS_MIN
    assert before.names.who.combination(0)[4] == "user-0"


def test_events_of_ever_new_users_are_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learning costs more than reading one by one where what was learnt does not come again."""
    monkeypatch.setattr(reader, "NAMES_MAX", 2 * EVENTS_MIN - 1)
    monkeypatch.setattr(reader, "_BLOCKS_LEFT_ALONE", 3)
    one = TogetherReader()
    found = [read(one, values(number * EVENTS_MIN)) is not None for number in range(8)]
    assert found == [True, True, True, False, False, False, True, True]


def test_blocks_of_another_kind_are_asked_ever_more_seldom() -> None:
    """A topic may hold events that are not read together (here: with fields that nobody knows); trying is not free."""
    one = TogetherReader()
    unknown = values(0, note="hi")
    tried = 0
    for _ in range(100):
        tried += one._left_alone == 0
        assert read(one, unknown) is None
    assert tried <= 7
    one._left_alone = 0
    assert read(one, values(0)) is not None


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{}",
        b"[1]",
        b'{"a":1}',
        value_of([event()]),
        value_of(event(messages=[{"role": "user"}])),
        value_of(event(tenant_id=...)),
        value_of(event(request_model=...)),
        value_of(event())[:-1],
        value_of(event()) + b"{}",
        value_of(event()).replace(b'"team_id"', b'"tenant_id"'),
        b" " + value_of(event()),
    ],
)
def test_what_is_no_flat_event_with_all_it_needs_has_no_layout(value: bytes) -> None:
    """It is read otherwise, or refused there."""
    assert layout_of(value) is None


def test_a_layout_covers_its_event_without_gaps() -> None:
    """Every byte is a part of a run, stands before a value, or is one."""
    value = value_of(event())
    layout = layout_of(value)
    assert layout is not None
    assert {own.field for own in layout.own} == {"event_id", "started_at", "ended_at", "input_tokens", "output_tokens"}
    assert [run.fields for run in layout.runs] == [("tenant_id", "team_id"), ("request_model",)]
    edges = [0, *(at for at, octet in enumerate(value) if octet == ord(",")), len(value) - len(layout.end)]
    places = [(own.edge, own.until) for own in layout.own] + [(run.edge, run.until) for run in layout.runs]
    parts = sorted((edges[edge], edges[until]) for edge, until in places)
    assert parts[0][0] == 0
    assert parts[-1][1] == edges[-1]
    assert [end for _, end in parts[:-1]] == [start for start, _ in parts[1:]]
