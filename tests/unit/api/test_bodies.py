"""Bodies of requests: all of what was sent is read, or the request is refused."""

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable

import pytest

from rice_stream.api import bodies
from rice_stream.api.access import shares
from rice_stream.api.access.shares import IN_FLIGHT_MAX
from tests.support.asgi import Answer, ask
from tests.support.fakes import event
from tests.unit.api.conftest import Door

TWO = [json.dumps(event(event_id=name)).encode() + b"\n" for name in ("first", "second")]

NDJSON = [("content-type", "application/x-ndjson")]


def post(door: Door, packed: bytes, encoding: str = "gzip") -> Answer:
    """The answer to a body that is packed already."""
    return door.post("/v1/events", packed, content_type="application/x-ndjson", content_encoding=encoding)


def test_every_member_of_a_gzip_body_is_read(door: Callable[..., Door]) -> None:
    """As `cat a.gz b.gz`, bgzip and appending loggers write it (RFC 1952, 2.2)."""
    made = door()
    answer = post(made, gzip.compress(TWO[0]) + gzip.compress(b"") + gzip.compress(TWO[1]))
    assert (answer.status, answer.document) == (202, {"accepted": 2, "ignored": 0})
    assert [json.loads(sent.value)["event_id"] for sent in made.publisher.events] == ["first", "second"]


@pytest.mark.parametrize("length", [1, 2_047, 2_048, 2_049, 5_000])
def test_members_of_any_length_follow_each_other(door: Callable[..., Door], length: int) -> None:
    """Wherever the border between two of them lies."""
    # Stored, not packed, so that the member is as long as its content says.
    line = TWO[0].rstrip() + b" " * length + b"\n"
    answer = post(door(), gzip.compress(line, 0) + gzip.compress(TWO[1], 0))
    assert (answer.status, answer.document) == (202, {"accepted": 2, "ignored": 0})


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
def test_what_follows_a_member_and_is_none_is_refused(door: Callable[..., Door], encoding: str, packed: bytes) -> None:
    """400, and nothing of the body is taken."""
    made = door()
    answer = post(made, packed, encoding)
    assert answer.status == 400, answer.body
    assert made.publisher.events == []


def test_the_limit_holds_for_all_members_together(door: Callable[..., Door]) -> None:
    """413: none of them is too large, their sum is."""
    zeros = gzip.compress(b" " * 600)
    assert post(door(http_body_max_bytes=1_024), zeros + zeros).status == 413


def test_a_body_of_very_many_empty_members_is_refused(door: Callable[..., Door]) -> None:
    """413: each costs as much as its twenty bytes would as a request."""
    assert post(door(), gzip.compress(b"") * 10_001).status == 413


def test_a_body_that_does_not_get_on_is_given_up(door: Callable[..., Door], monkeypatch: pytest.MonkeyPatch) -> None:
    """408, and the connection is closed: what comes later on it would be read as another request."""
    monkeypatch.setattr(bodies, "PATIENCE_S", 0.01)
    made = door()
    answer = asyncio.run(ask(made.app, "POST", "/v1/events", [TWO[0]], NDJSON, complete=False))
    assert (answer.status, answer.headers["connection"]) == (408, "close")
    assert answer.headers["content-type"] == "application/problem+json"
    assert made.publisher.events == []


def test_senders_that_stop_within_a_body_do_not_hold_up_others(door: Callable[..., Door]) -> None:
    """More of them than requests may wait for the broker: one that is complete is taken all the same."""
    made = door()

    async def all_at_once() -> Answer:
        silent = [
            asyncio.create_task(ask(made.app, "POST", "/v1/events", [TWO[0]], NDJSON, complete=False))
            for _ in range(IN_FLIGHT_MAX + 10)
        ]
        for _ in range(100):
            await asyncio.sleep(0)
        try:
            return await ask(made.app, "POST", "/v1/events", [TWO[0]], NDJSON)
        finally:
            for task in silent:
                task.cancel()
            await asyncio.gather(*silent, return_exceptions=True)

    answer = asyncio.run(all_at_once())
    assert (answer.status, answer.document) == (202, {"accepted": 1, "ignored": 0})


def recorded(held: list[int], add: Callable[[bodies.HeldBytes, int], None]) -> Callable[[bodies.HeldBytes, int], None]:
    """`add`, with what is added written down."""

    def added(self: bodies.HeldBytes, count: int) -> None:
        held.append(count)
        add(self, count)

    return added


def test_bodies_that_are_not_complete_hold_a_bounded_number_of_bytes(
    door: Callable[..., Door], monkeypatch: pytest.MonkeyPatch
) -> None:
    """429 past it, and as soon as they are gone there is room again."""
    # Of all of them three quarters for those without a token of their own.
    monkeypatch.setattr(shares, "HELD_BYTES_MAX", 4 * len(TWO[0]))
    monkeypatch.setattr(bodies, "HELD_BYTES_MAX", 4 * len(TWO[0]))
    held: list[int] = []
    monkeypatch.setattr(bodies.HeldBytes, "add", recorded(held, bodies.HeldBytes.add))
    made = door()

    async def one_after_three() -> tuple[Answer, Answer]:
        silent = [
            asyncio.create_task(ask(made.app, "POST", "/v1/events", [TWO[0]], NDJSON, complete=False)) for _ in range(3)
        ]
        async with asyncio.timeout(60):
            while sum(held) < 2 * 3 * len(TWO[0]):  # of all together, and of one caller
                await asyncio.sleep(0)
        refused = await ask(made.app, "POST", "/v1/events", [TWO[0]], NDJSON)
        for task in silent:
            task.cancel()
        await asyncio.gather(*silent, return_exceptions=True)
        return refused, await ask(made.app, "POST", "/v1/events", [TWO[0]], NDJSON)

    refused, taken = asyncio.run(one_after_three())
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    assert taken.status == 202


def test_a_sender_that_goes_away_within_a_body_is_no_fault_of_ours(door: Callable[..., Door]) -> None:
    """It is counted as a bad request; nothing is raised, and nothing of it is taken."""
    made = door()
    answer = asyncio.run(ask(made.app, "POST", "/v1/events", [TWO[0]], NDJSON, complete=False, leaves=True))
    assert answer.status == 400
    assert made.publisher.events == []
