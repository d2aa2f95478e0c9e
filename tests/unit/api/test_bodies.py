"""Bodies of requests: all of what was sent is read, or the request is refused."""

import gzip
import json
import zlib
from collections.abc import Callable

import pytest
from httpx import Response

from tests.support.fakes import event
from tests.unit.api.conftest import Door

TWO = [json.dumps(event(event_id=name)).encode() + b"\n" for name in ("first", "second")]


def post(door: Door, packed: bytes, encoding: str = "gzip") -> Response:
    """The answer to a body that is packed already."""
    headers = {"content-type": "application/x-ndjson", "content-encoding": encoding}
    return door.client.post("/v1/events", content=packed, headers=headers)


def test_every_member_of_a_gzip_body_is_read(door: Callable[..., Door]) -> None:
    """As `cat a.gz b.gz`, bgzip and appending loggers write it (RFC 1952, 2.2)."""
    made = door()
    answer = post(made, gzip.compress(TWO[0]) + gzip.compress(b"") + gzip.compress(TWO[1]))
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2, "ignored": 0})
    assert [json.loads(sent.value)["event_id"] for sent in made.publisher.events] == ["first", "second"]


@pytest.mark.parametrize("length", [1, 2_047, 2_048, 2_049, 5_000])
def test_members_of_any_length_follow_each_other(door: Callable[..., Door], length: int) -> None:
    """Wherever the border between two of them lies."""
    # Stored, not packed, so that the member is as long as its content says.
    line = TWO[0].rstrip() + b" " * length + b"\n"
    answer = post(door(), gzip.compress(line, 0) + gzip.compress(TWO[1], 0))
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2, "ignored": 0})


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(TWO[0]) + b"no gzip"),
        ("gzip", gzip.compress(TWO[0]) + b"\x00" * 20),
        ("gzip", gzip.compress(TWO[0]) + gzip.compress(TWO[1])[:-1]),
        ("gzip", gzip.compress(TWO[0]) + gzip.compress(TWO[1])[:2]),
        ("gzip", b""),
        ("deflate", zlib.compress(TWO[0]) + zlib.compress(TWO[1])),
        ("deflate", zlib.compress(TWO[0])[:-1]),
    ],
)
def test_what_follows_a_member_and_is_none_is_refused(
    door: Callable[..., Door], encoding: str, packed: bytes
) -> None:
    """400, and nothing of the body is taken."""
    made = door()
    answer = post(made, packed, encoding)
    assert answer.status_code == 400, answer.text
    assert made.publisher.events == []


def test_the_limit_holds_for_all_members_together(door: Callable[..., Door]) -> None:
    """413: none of them is too large, their sum is."""
    zeros = gzip.compress(b" " * 600)
    assert post(door(http_body_max_bytes=1_024), zeros + zeros).status_code == 413


def test_a_body_of_very_many_empty_members_is_refused(door: Callable[..., Door]) -> None:
    """413: each costs as much as its twenty bytes would as a request."""
    assert post(door(), gzip.compress(b"") * 10_001).status_code == 413
