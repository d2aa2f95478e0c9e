"""Which requests a page of another site cannot have a browser send."""

import pytest
from starlette.requests import Request

from rice_stream.api.access.cross_origin import check_same_origin
from rice_stream.api.problems import ProblemError

HOST = "rice.example:8443"


def request(method: str, *headers: tuple[str, str]) -> Request:
    given = [("host", HOST), *headers]
    scope = {"type": "http", "method": method, "headers": [(k.encode(), v.encode()) for k, v in given]}
    return Request(scope)


SITE, ORIGIN = "sec-fetch-site", "origin"
FROM_US = [
    [(SITE, "same-origin")],
    [(SITE, "none")],
    [(SITE, "same-origin"), (ORIGIN, "https://attacker.example")],
    [(ORIGIN, f"https://{HOST}")],
    [(ORIGIN, f"https://{HOST.upper()}")],
]
FROM_OTHERS = [
    [(SITE, "cross-site")],
    [(SITE, "same-site")],
    [(SITE, "")],
    [(SITE, "same-origin "), (SITE, "cross-site")],
    [(SITE, "Same-Origin")],
    [(SITE, "cross-site"), (ORIGIN, f"https://{HOST}")],
    [(ORIGIN, "https://attacker.example")],
    [(ORIGIN, "https://rice.example")],
    [(ORIGIN, f"https://{HOST}.attacker.example")],
    [(ORIGIN, f"https://{HOST}@attacker.example")],
    [(ORIGIN, "null")],
    [(ORIGIN, "")],
    [(ORIGIN, f"https://{HOST}"), (ORIGIN, "https://attacker.example")],
    [(ORIGIN, f"https://{HOST}"), ("host", "attacker.example")],
    [],
]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "post", "TRACE", "X"])
@pytest.mark.parametrize("headers", FROM_US)
def test_our_own_pages_may_change_something(method: str, headers: list[tuple[str, str]]) -> None:
    check_same_origin(request(method, *headers))


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "get", "TRACE", "X"])
@pytest.mark.parametrize("headers", FROM_OTHERS)
def test_pages_of_other_sites_may_not(method: str, headers: list[tuple[str, str]]) -> None:
    """Nor may a browser that says nothing of where it comes from."""
    with pytest.raises(ProblemError, match="another site"):
        check_same_origin(request(method, *headers))


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("headers", [*FROM_US, *FROM_OTHERS])
def test_reading_changes_nothing_and_is_let_through(method: str, headers: list[tuple[str, str]]) -> None:
    check_same_origin(request(method, *headers))


def test_behind_a_proxy_the_public_address_is_what_counts() -> None:
    """A proxy may pass on a Host of its own."""
    check_same_origin(request("POST", (ORIGIN, "https://carbon.example")), "https://carbon.example")
    for origin in (f"https://{HOST}", "http://carbon.example", "https://carbon.example:444"):
        with pytest.raises(ProblemError):
            check_same_origin(request("POST", (ORIGIN, origin)), "https://carbon.example")
