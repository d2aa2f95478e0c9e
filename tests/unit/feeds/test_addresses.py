"""Which addresses a call may connect to."""

import ipaddress
import socket

import pytest

from rice_stream.feeds.addresses import (
    ForbiddenAddressError,
    Reach,
    checked_socket,
    goes_by_proxy,
    names_loopback,
    within,
)

PUBLIC = ["93.184.215.14", "2606:2800:220:1::1", "::ffff:93.184.215.14", "64:ff9b::5db8:d70e"]
PRIVATE = [
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "fd00::1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "64:ff9b:1::a00:1",
]
LOOPBACK = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "2002:7f00:1::", "::ffff:0:127.0.0.1"]
NEVER = [
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "fe80::1",
    "0.0.0.0",  # noqa: S104 - not listened at
    "::",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
    "240.0.0.1",
    "::127.0.0.1",
    "::169.254.169.254",
    "fec0::1",
    "64:ff9b:1::a9fe:a9fe",
    "::ffff:0:169.254.169.254",
    "2001:0:4136:e378:8000:63bf:5601:5601",  # Teredo, of a client at 169.254.169.254
]


@pytest.mark.parametrize(
    ("reach", "allowed"),
    [(Reach.PUBLIC, PUBLIC), (Reach.INTERNAL, [*PUBLIC, *PRIVATE]), (Reach.LOOPBACK, LOOPBACK)],
)
def test_a_call_reaches_what_it_may_and_nothing_else(reach: Reach, allowed: list[str]) -> None:
    """Also where an IPv6 address stands for an IPv4 address; where clouds keep credentials, no call ever goes."""
    every = [*PUBLIC, *PRIVATE, *LOOPBACK, *NEVER]
    assert [text for text in every if within(reach, ipaddress.ip_address(text))] == allowed


def test_the_address_of_the_connection_is_what_is_checked() -> None:
    """Whatever the name that led to it was."""
    make = checked_socket(Reach.PUBLIC)
    for place in (("127.0.0.1", 443), ("169.254.169.254", 80)):
        with pytest.raises(ForbiddenAddressError, match="is not one of public addresses"):
            make((socket.AF_INET, socket.SOCK_STREAM, 6, "", place))
    with pytest.raises(ForbiddenAddressError):
        make((socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1%eth0", 443, 0, 2)))
    with checked_socket(Reach.LOOPBACK)((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))) as made:
        assert made.family is socket.AF_INET


def test_urls_that_name_this_machine_are_known() -> None:
    for url in ("http://localhost:8080/x", "https://127.0.0.1", "http://[::1]:9000/"):
        assert names_loopback(url)
    for url in ("https://id.example", "https://localhost.attacker.example", "https://10.0.0.1", "", "localhost"):
        assert not names_loopback(url)


def test_a_proxy_of_the_environment_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy then is what is connected to, and decides what may be reached."""
    for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert not goes_by_proxy("https://id.example")
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "internal.example")
    assert goes_by_proxy("https://id.example")
    assert not goes_by_proxy("https://internal.example")
    assert not goes_by_proxy("http://id.example")
