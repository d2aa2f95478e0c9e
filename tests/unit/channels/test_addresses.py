"""Addresses of channels: bad ones are refused without being repeated, and nothing secret of a good one is shown."""

import pytest

from rice_stream.channels.addresses import MailAddress, address_problem, is_secret, mail_address, secret_parts, shown
from rice_stream.channels.definition import ChannelType

MAIL = "smtp://mail.example.com?from=rice@example.com&to=ops@example.com"


@pytest.mark.parametrize(
    ("kind", "address", "visible"),
    [
        ("webhook", "https://example.com/hook", "https://example.com/hook"),
        ("webhook", "https://me:hunter2@example.com:8443/hook?key=hunter2", "https://example.com:8443/hook"),
        ("webhook", "http://[::1]:9000/x", "http://[::1]:9000/x"),
        ("slack", "https://hooks.slack.com/services/T0/B0/hunter2", "https://hooks.slack.com"),
        ("alertmanager", "http://u:hunter2@am:9093", "http://am:9093"),
        ("pagerduty", "https://events.eu.pagerduty.com/v2/enqueue", "https://events.eu.pagerduty.com/v2/enqueue"),
        ("email", MAIL, MAIL),
        ("email", MAIL.replace("//", "//hunter2@"), MAIL),
    ],
)
def test_what_is_shown_of_an_address_has_no_secret(kind: ChannelType, address: str, visible: str) -> None:
    """And an address is secret exactly where less than all of it is shown."""
    assert address_problem(kind, address) is None
    assert shown(kind, address) == visible
    assert is_secret(kind, address) == (address != visible)


@pytest.mark.parametrize(
    ("kind", "address", "said"),
    [
        ("webhook", "", "non-empty"),
        ("webhook", 5, "text"),
        ("webhook", "https://hunter2.example/" + "x" * 2048, "at most 2048"),
        ("webhook", "https://example.com/hunter2 x", "printable ASCII"),
        ("webhook", "https://example.com/hunter2\r\nX: y", "printable ASCII"),
        ("webhook", "https:///hunter2", "HOST"),
        ("webhook", "https://me@hunter2@example.com/", "HOST"),
        ("webhook", "https://example.com\\@hunter2/", "HOST"),
        ("webhook", "https://example.com:99999/hunter2", "port"),
        ("webhook", "https://example.com:0/hunter2", "port"),
        ("webhook", "https://[::1/hunter2", "HOST"),
        ("webhook", "https://example.com/x#hunter2", "#"),
        ("slack", "ftp://example.com/hunter2", "https://"),
        ("alertmanager", "file:///hunter2", "HOST"),
        ("email", "https://example.com/hunter2", "smtp://"),
        ("email", MAIL.replace("//", "//me:hunter2@"), "secret"),
        ("email", MAIL.replace("?", "/hunter2?"), "nothing between"),
        ("email", MAIL + "&to=hunter2@example.com", "once"),
        ("email", MAIL + "&subject=hunter2", "no other"),
        ("email", MAIL + "&tls=hunter2", "tls"),
        ("email", MAIL.replace("smtp:", "smtps:") + "&tls=none", "tls"),
        ("email", MAIL + ",hunter2", "to: "),
        ("email", MAIL + "%0d%0aBcc:hunter2@example.com", "to: "),
        ("email", MAIL.replace("from=", "from=hunter2,"), "from: "),
        ("email", MAIL + ",a@b" * 50, "at most 50"),
        ("email", "smtp://mail.example.com", "from=ADDRESS"),
    ],
)
def test_a_bad_address_is_refused_without_repeating_it(kind: ChannelType, address: object, said: str) -> None:
    """The message says what to do; the address may have a secret, here `hunter2`."""
    problem = address_problem(kind, address)
    assert problem is not None
    assert said in problem
    assert "hunter2" not in problem


def test_every_part_of_an_address_that_is_secret_is_known() -> None:
    """So that it can be taken out of what a receiver repeats; an address that is shown has none."""
    parts = secret_parts("webhook", "https://me:p%40ss@example.com/hook?key=token1&x=token%2F2")
    assert {"me", "p%40ss", "p@ss", "me:p@ss", "bWU6cEBzcw==", "token1", "token/2", "key=token1&x=token%2F2"} <= parts
    assert not any(part == "example.com/hook" for part in parts)
    assert {"T0", "B0", "hunter2"} <= secret_parts("slack", "https://hooks.slack.com/services/T0/B0/hunter2")
    assert secret_parts("webhook", "https://example.com/hook") == frozenset()
    assert "b@example.com" not in secret_parts("email", MAIL.replace("//", "//hunter2@"))


def test_an_address_of_mail_says_where_it_is_handed_in_and_to_whom_it_goes() -> None:
    """Ports are those of submission unless one is given; a plus is a part of an address, and no blank."""
    assert mail_address("smtp://m%40x@mail.example.com?from=rice@example.com&to=a+ops@example.com,b@example.com") == (
        MailAddress(
            host="mail.example.com",
            port=587,
            implicit_tls=False,
            plain=False,
            user="m@x",
            sender="rice@example.com",
            recipients=("a+ops@example.com", "b@example.com"),
        )
    )
    assert mail_address(MAIL.replace("smtp:", "smtps:")).port == 465
    local = mail_address(MAIL.replace(".com?", ".com:2525?") + "&tls=none")
    assert (local.port, local.plain, local.user) == (2525, True, None)
