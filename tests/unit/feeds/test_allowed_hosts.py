"""Which receivers may be reached."""

import ipaddress

import pytest

from rice_stream.errors import UsageError
from rice_stream.feeds.allowed_hosts import HTTP_PORTS, AllowedHosts

ALLOWED = AllowedHosts.parse(
    [
        "alertmanager.monitoring",
        "hooks.example:8443",
        "10.4.0.0/16",
        "192.168.1.5:9093",
        "[fd00::1]:9093",
        "2001:db8::/32",
    ]
)


def refused(host: str, address: str, port: int, *, encrypted: bool = False, allowed: AllowedHosts = ALLOWED) -> str:
    """What is wrong, or nothing."""
    refusal = allowed.refusal(host, ports=HTTP_PORTS, encrypted=encrypted)
    return refusal(ipaddress.ip_address(address), port) or ""


@pytest.mark.parametrize(
    ("host", "address", "port"),
    [
        ("alertmanager.monitoring", "10.9.9.9", 9093),
        ("Alertmanager.Monitoring.", "127.0.0.1", 1),
        ("hooks.example", "192.168.7.7", 8443),
        ("any.example", "10.4.255.1", 9093),
        ("any.example", "::ffff:10.4.255.1", 9093),
        ("any.example", "64:ff9b::a04:ff01", 9093),
        ("192.168.1.5", "192.168.1.5", 9093),
        ("[fd00::1]", "fd00::1", 9093),
        ("any.example", "2001:db8::7", 80),
    ],
)
def test_what_the_operator_names_may_be_reached_on_its_port_also_in_the_clear(
    host: str, address: str, port: int
) -> None:
    assert refused(host, address, port) == ""
    assert refused(host, address, port, encrypted=True) == ""


@pytest.mark.parametrize(
    ("host", "address", "port", "why"),
    [
        ("hooks.example", "192.168.7.7", 8444, "internal address: to allow it, name hooks.example:8444"),
        ("any.example", "10.5.0.1", 443, "internal address"),
        ("192.168.1.5", "192.168.1.5", 443, "internal address"),
        ("localhost", "127.0.0.1", 443, "internal address"),
        ("any.example", "93.184.215.14", 8443, "none of 80, 443"),
        ("xalertmanager.monitoring", "10.9.9.9", 9093, "internal address"),
        ("alertmanager.monitoring.evil.example", "10.9.9.9", 9093, "internal address"),
    ],
)
def test_everything_else_that_is_internal_or_on_another_port_is_not(
    host: str, address: str, port: int, why: str
) -> None:
    """The message says what to write into the setting, for whoever wants it."""
    assert why in refused(host, address, port, encrypted=True)


def test_a_public_receiver_is_reached_with_tls_only() -> None:
    assert refused("hooks.example", "93.184.215.14", 443, encrypted=True) == ""
    assert "in the clear" in refused("hooks.example", "93.184.215.14", 80)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "fe80::1",
        "0.0.0.0",  # noqa: S104 - not listened at
        "::",
    ],
)
def test_where_clouds_keep_credentials_no_entry_leads(address: str) -> None:
    """Neither a name that turns out to lead there, nor a network of everything."""
    everything = AllowedHosts.parse(["0.0.0.0/0", "::/0", "metadata.example"])
    assert "credentials" in refused("metadata.example", address, 80, allowed=everything)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("", "''"),
        ("http://alertmanager", "neither a host"),
        ("*.example", "neither a host"),
        ("host:0", "neither a host"),
        ("host:65536", "neither a host"),
        ("host:9093/x", "is no network"),
        ("10.4.0.1/16", "write it as 10.4.0.0/16"),
        ("[host]:80", "neither a host"),
        ("a b", "neither a host"),
    ],
)
def test_an_entry_that_is_none_is_named_with_the_setting(entry: str, said: str) -> None:
    with pytest.raises(UsageError, match=r"^RICE_ALERT_ALLOWED_HOSTS: ") as wrong:
        AllowedHosts.parse([entry])
    assert said in str(wrong.value)


def test_names_are_compared_as_the_resolver_would() -> None:
    """Without regard to case, the root's dot, or whether a name is written with its own letters or in ASCII."""
    allowed = AllowedHosts.parse(["BÜCHER.example"])
    assert refused("xn--bcher-kva.example", "10.0.0.1", 8080, allowed=allowed) == ""
    assert refused("bücher.example", "10.0.0.1", 8080, allowed=allowed) == ""
