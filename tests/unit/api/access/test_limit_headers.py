"""What a caller is told of its limits, with every answer."""

import re
from collections.abc import Callable

import pytest

from rice_stream.api.access.limit_headers import limit_headers
from rice_stream.api.access.shares import share_of_token
from tests.support.fakes import event
from tests.unit.api.access.conftest import Database
from tests.unit.api.conftest import Door


@pytest.mark.parametrize(
    ("per_s", "policy", "state"),
    [
        (1_000, '"rate";q=1000;w=1', '"rate";r=1000;t=0'),
        (2.5, '"rate";q=2;w=1', '"rate";r=2;t=0'),
        (0.5, '"rate";q=1;w=2', '"rate";r=1;t=0'),
        (0.3, '"rate";q=1;w=4', '"rate";r=1;t=0'),
    ],
)
def test_rates_are_said_in_whole_numbers(per_s: float, policy: str, state: str) -> None:
    """Of a rate below one a second, in how many seconds there is one."""
    told = dict(limit_headers(share_of_token(per_s, 7)))
    assert told[b"ratelimit-policy"].decode() == f'{policy}, "concurrency";q=7;qu="concurrent-requests"'
    assert told[b"ratelimit"].decode() == f'{state}, "concurrency";r=7'


def test_every_answer_to_somebody_known_tells_the_limits(door: Callable[..., Door], tokens: Database) -> None:
    """Also those that are refused because of them, with Retry-After; those who are not known learn nothing."""
    made = door(tokens=tokens)
    secret = tokens.make("editor", requests_per_s=0.01, concurrency=3)
    given = {"authorization": f"Bearer {secret}"}
    first = made.post("/v1/events", event(), **given)
    assert first.status == 202
    assert first.headers["ratelimit-policy"] == '"rate";q=1;w=100, "concurrency";q=3;qu="concurrent-requests"'
    left = re.fullmatch(r'"rate";r=0;t=(\d+), "concurrency";r=(\d)', first.headers["ratelimit"])
    assert left is not None
    assert 95 <= int(left[1]) <= 100
    second = made.post("/v1/events", event(), **given)
    assert (second.status, second.headers["ratelimit-policy"]) == (429, first.headers["ratelimit-policy"])
    assert 95 <= int(second.headers["retry-after"]) <= 100
    assert "ratelimit" not in made.post("/v1/events", event()).headers
    assert "ratelimit" not in made.get("/healthz").headers


def test_a_token_that_asks_too_much_leaves_the_others_alone(door: Callable[..., Door], tokens: Database) -> None:
    """For routes that read as for those that take events."""
    made = door(tokens=tokens)
    busy, other = tokens.make("reader", requests_per_s=1), tokens.make("reader", requests_per_s=1)

    def asked(secret: str) -> int:
        return made.get("/v1/totals?colour=red", authorization=f"Bearer {secret}").status

    assert [asked(busy) for _ in range(3)] == [422, 429, 429]
    assert asked(other) == 422
