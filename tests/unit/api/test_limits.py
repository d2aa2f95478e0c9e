"""Who may send: the token as secrets are really mounted, and only this machine where there is none."""

import asyncio
from collections.abc import Callable

import pytest

from rice_stream.api.limits import check_token
from rice_stream.errors import UsageError
from rice_stream.runtime.settings.settings import Settings
from tests.support.asgi import ask
from tests.support.fakes import event
from tests.unit.api.conftest import Door

LOOPBACK_HOSTS = ["localhost", "localhost:8080", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:65535", "[::1]", "[::1]:8080"]
OTHER_HOSTS = [
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "127.0.0.1@evil.example",
    "evil.example/127.0.0.1",
    "10.0.0.1:8080",
    "[fe80::1]",
    "::1",
    "[::1]evil.example",
    "localhost:port",
    "",
]


@pytest.mark.parametrize("mounted", ["secret\n", "secret\r\n", " secret ", "secret"])
def test_white_space_around_the_token_is_no_part_of_it(door: Callable[..., Door], mounted: str) -> None:
    """A secret that is mounted as a file ends with a newline, which no header can carry."""
    check_token(Settings.model_validate({"http_token": mounted}))
    made = door(http_token=mounted)
    assert made.post("/v1/events", event(), authorization="Bearer secret").status == 202
    assert made.post("/v1/events", event(), authorization="Bearer secre").status == 401
    assert made.post("/v1/events", event(), authorization="Bearer ").status == 401
    assert made.post("/v1/events", event()).status == 401


@pytest.mark.parametrize("token", ["sec\nret", "sec\x00ret", "schl\u00fcssel", " \n", ""])
def test_a_token_that_no_request_can_carry_is_refused_at_the_start(token: str) -> None:
    """Rather than that every request is answered with 401; the token itself is not in the message."""
    with pytest.raises(UsageError, match="RICE_HTTP_TOKEN: ") as caught:
        check_token(Settings.model_validate({"http_token": token}))
    assert "sec" not in str(caught.value)


@pytest.mark.parametrize("host", LOOPBACK_HOSTS)
def test_without_a_token_requests_to_loopback_are_taken(door: Callable[..., Door], host: str) -> None:
    """By any of its names, at any port."""
    assert door().post("/v1/events", event(), host=host).status == 202


@pytest.mark.parametrize("host", OTHER_HOSTS)
def test_without_a_token_requests_to_any_other_host_are_refused(door: Callable[..., Door], host: str) -> None:
    """421: a page whose name points to this machine (DNS rebinding) can neither send nor read."""
    made = door()
    answers = [made.post("/v1/events", event(), host=host), made.post("/v1/traces", {}, host=host)]
    answers += [made.get("/metrics", host=host), made.get("/openapi.json", host=host)]
    assert [answer.status for answer in answers] == [421] * 4
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}
    assert made.publisher.events == []


TARGETS = ["http://evil.example/v1/events", "http://localhost/v1/events", "//v1/events", "/v1/events/", "/V1/EVENTS"]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("host", ["localhost", "evil.example", "evil.example/healthz?", "localhost/healthz#"])
def test_no_other_spelling_of_a_path_gets_around_the_host(door: Callable[..., Door], target: str, host: str) -> None:
    """Targets with a host of their own (as to a proxy), other letters, a path within Host: nothing is taken, no redirect."""
    made = door()
    assert made.post(target, event(), host=host).status in (404, 421)
    assert made.post("/v1/events", event(), host=host).status == (202 if host == "localhost" else 421)
    assert len(made.publisher.events) == (host == "localhost")


def test_several_hosts_are_none(door: Callable[..., Door]) -> None:
    made = door()
    headers = [("host", "localhost"), ("host", "evil.example"), ("content-type", "application/json")]
    assert asyncio.run(ask(made.app, "POST", "/v1/events", [b"{}"], headers)).status == 421


def test_with_a_token_the_host_does_not_matter(door: Callable[..., Door]) -> None:
    """A page does not know it, and the server may have any name."""
    answer = door(http_token="secret").post("/v1/events", event(), host="rice.example", authorization="Bearer secret")
    assert answer.status == 202


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_may_name_any_host(door: Callable[..., Door], path: str) -> None:
    """They tell nothing but whether it works."""
    assert door().get(path, host="pod-17").status == 200
