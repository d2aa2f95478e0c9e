"""What channels sign and sign in with: each type takes what it can use, and a message never repeats a key."""

import base64

import pytest

from rice_stream.channels.definition import ChannelType
from rice_stream.channels.keys import key_of, keys_problem, missing_key

HMAC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ED25519 = "whsk_" + base64.b64encode(bytes(64)).decode()


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("webhook", ()),
        ("webhook", (HMAC, ED25519)),
        ("webhook", (key_of(bytes(32)),)),
        ("slack", ()),
        ("alertmanager", ("token",)),
        ("pagerduty", ("0123456789abcdef0123456789abcdef",)),
        ("email", ("pass word ä",)),
    ],
)
def test_keys_that_a_type_can_use_are_taken(kind: ChannelType, keys: tuple[str, ...]) -> None:
    assert keys_problem(kind, keys) is None


@pytest.mark.parametrize(
    ("kind", "keys", "said"),
    [
        ("webhook", ("hunter2",), "whsec_"),
        ("webhook", ("whsec_hunter2",), "whsec_"),
        ("webhook", ("whsec_" + base64.b64encode(b"hunter2").decode(),), "24 to 64"),
        ("webhook", ("whsec_\N{LATIN SMALL LETTER A WITH DIAERESIS}hunter2",), "whsec_"),
        ("webhook", (HMAC,) * 6, "at most 5"),
        ("webhook", (7,), "text"),
        ("slack", ("hunter2",), "address"),
        ("alertmanager", ("hunter2 x",), "blanks"),
        ("pagerduty", ("hunter2", "hunter2"), "one"),
        ("pagerduty", ("hunter2\n",), "printable"),
        ("email", ("x" * 1025,), "1024"),
    ],
)
def test_other_keys_are_refused_without_being_repeated(kind: ChannelType, keys: tuple[object, ...], said: str) -> None:
    problem = keys_problem(kind, keys)
    assert problem is not None
    assert said in problem
    assert "hunter2" not in problem


def test_only_pagerduty_must_be_given_a_key() -> None:
    """One is made for a webhook; the others need none."""
    assert missing_key("pagerduty")
    assert {missing_key(kind) for kind in ("webhook", "slack", "alertmanager", "email")} == {None}
