"""A record's bytes -> its items: one rule, whatever format the items are in."""

import pytest

from rice_stream.events.framing import header_attributes, json_items, without_registry_frame

ID = b"\x00\x00\x00\x00\x07"
GUID = b"\x01" + bytes(range(16))


@pytest.mark.parametrize("frame", [ID, GUID], ids=["id", "guid"])
@pytest.mark.parametrize("body", [b'{"a":1}', b"[1]", b' {"a":1}', b"\n[1]", b'\r\n\t{"a":1}'])
def test_json_behind_a_frame_is_left_as_it_is(frame: bytes, body: bytes) -> None:
    """White space before it included: no list of message indexes can look like that."""
    assert without_registry_frame(frame + body) == body


@pytest.mark.parametrize("frame", [ID, GUID], ids=["id", "guid"])
@pytest.mark.parametrize("indexes", [b"\x00", b"\x02\x00", b"\x04\x02\x00", b"\x02\x80\x01"])
def test_message_indexes_of_protobuf_go_with_the_frame(frame: bytes, indexes: bytes) -> None:
    """[0] written short, [0], [1, 0], and an index of two bytes."""
    assert without_registry_frame(frame + indexes + b"\x0a\x03abc") == b"\x0a\x03abc"


@pytest.mark.parametrize("value", [b"", b'{"a":1}', b"\x0a\x03abc", b"plain", b"\x02", b" \x00"])
def test_what_has_no_frame_is_left_as_it_is(value: bytes) -> None:
    """Only the two magic bytes begin one."""
    assert without_registry_frame(value) == value


@pytest.mark.parametrize(
    ("value", "items"),
    [
        (b'{"a":1}', [b'{"a":1}']),
        (b' {"a":\n1}\n', [b'{"a":\n1}']),
        (b'[{"a":1}, 2]', [b'{"a":1}', b"2"]),
        (b"[]", [b"[]"]),
        (b"[1, broken", [b"[1, broken"]),
        (b'{"a":1}\n{"b":2}\r\n\n{"c":3}', [b'{"a":1}', b'{"b":2}', b'{"c":3}']),
        (b'{broken\n{"b":2}', [b"{broken", b'{"b":2}']),
        (b"word", [b"word"]),
        (b"", [b""]),
    ],
)
def test_items_of_a_record(value: bytes, items: list[bytes]) -> None:
    """Text that is JSON as a whole is one item however many lines it has; else each line is one."""
    assert json_items(value) == items


def test_headers_are_attributes_of_a_cloudevent_only_where_all_that_every_one_has_are_there() -> None:
    """Names in any case; a header without a value says nothing."""
    headers = (("CE_id", b"1"), ("ce_source", b"s"), ("ce_specversion", b"1.0"), ("ce_type", b"t"), ("x", b"y"))
    assert header_attributes(headers) == {"id": "1", "source": "s", "specversion": "1.0", "type": "t"}
    assert header_attributes(headers[1:]) == {}
    assert header_attributes(()) == {}
