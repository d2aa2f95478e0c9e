"""Signatures of webhooks."""

import base64
import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.channels.keys import key_of
from rice_stream.channels.signing import (
    BadSignatureError,
    _private,
    private_key,
    public_key,
    signed_headers,
    verify,
)
from rice_stream.errors import UsageError

# The example that the specification and its libraries are tested with, HMAC and Ed25519.
MESSAGE_ID, AT_S, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}'
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HMAC_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
PRIVATE = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
PUBLIC = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
ED25519_SIGNATURE = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="

# RFC 8032, 7.1: secret key, public key, message, signature.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
]


def test_the_published_messages_are_signed_as_published() -> None:
    assert signed_headers([SECRET], MESSAGE_ID, BODY, AT_S) == {
        "webhook-id": MESSAGE_ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": HMAC_SIGNATURE,
    }
    assert signed_headers([PRIVATE], MESSAGE_ID, BODY, AT_S)["webhook-signature"] == ED25519_SIGNATURE
    assert public_key(PRIVATE) == PUBLIC


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_keys_of_ed25519_are_those_of_rfc_8032(seed: str, public: str, message: str, signature: str) -> None:
    """The signed content here is longer than theirs, so keys are compared with theirs, and ours with their verifier."""
    key = private_key(bytes.fromhex(seed))
    assert base64.b64decode(key.removeprefix("whsk_")) == bytes.fromhex(seed + public)
    assert _private(key).sign(bytes.fromhex(message)).hex() == signature
    sent = signed_headers([key], "id", bytes.fromhex(message), 7)["webhook-signature"].removeprefix("v1a,")
    theirs = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
    theirs.verify(base64.b64decode(sent), b"id.7." + bytes.fromhex(message))


def test_while_a_key_is_changed_receivers_with_either_take_the_message() -> None:
    """One signature for each key, the one in force first; a receiver ignores versions that it does not know."""
    new = key_of(b"n" * 32)
    headers = signed_headers([new, SECRET, PRIVATE], MESSAGE_ID, BODY, AT_S)
    assert headers["webhook-signature"].endswith(f"{HMAC_SIGNATURE} {ED25519_SIGNATURE}")
    for known in ([new], [SECRET], [PUBLIC], [key_of(b"x" * 24), PUBLIC]):
        verify(known, headers, BODY, AT_S)
    with pytest.raises(BadSignatureError, match="no signature fits"):
        verify([key_of(b"x" * 24)], headers, BODY, AT_S)


HEADERS = signed_headers([SECRET], MESSAGE_ID, BODY, AT_S)


@pytest.mark.parametrize(
    ("headers", "body", "now_s", "said"),
    [
        (HEADERS, BODY + b" ", AT_S, "no signature fits"),
        (HEADERS | {"webhook-id": "msg_other"}, BODY, AT_S, "no signature fits"),
        (HEADERS | {"webhook-timestamp": str(AT_S + 1)}, BODY, AT_S, "no signature fits"),
        (HEADERS | {"webhook-signature": HMAC_SIGNATURE.replace("v1,", "v2,")}, BODY, AT_S, "no signature fits"),
        (HEADERS | {"webhook-signature": "v1,not base64"}, BODY, AT_S, "no signature fits"),
        (HEADERS, BODY, AT_S + 301, "within 300 seconds"),
        (HEADERS, BODY, AT_S - 301, "within 300 seconds"),
        (HEADERS | {"webhook-timestamp": "²"}, BODY, AT_S, "within 300 seconds"),
        ({"webhook-id": "msg"}, BODY, AT_S, "is missing"),
    ],
)
def test_what_was_changed_on_the_way_or_is_not_of_now_is_refused(
    headers: dict[str, str], body: bytes, now_s: int, said: str
) -> None:
    with pytest.raises(BadSignatureError, match=said):
        verify([SECRET], headers, body, now_s)


@pytest.mark.parametrize(
    "key", ["", "secret", "whsec_?", "whsk_AAAA", PUBLIC, PRIVATE[:-8] + "AAAAAA==", "whsec_" + "é"]
)
def test_what_is_no_key_signs_nothing_and_is_not_repeated(key: str) -> None:
    """Also a private key whose public half is another one's."""
    with pytest.raises(UsageError) as refused:
        signed_headers([key], MESSAGE_ID, BODY, AT_S)
    assert key[6:] not in str(refused.value) or len(key) < 8
    with pytest.raises(UsageError, match="the channel has none"):
        signed_headers([], MESSAGE_ID, BODY, AT_S)


@pytest.mark.parametrize("key", ["whpk_AAAA", "whsk_AAAA"])
def test_a_receiver_is_told_that_its_key_is_none(key: str) -> None:
    headers = signed_headers([PRIVATE], MESSAGE_ID, BODY, AT_S)
    with pytest.raises(UsageError, match="this one is not"):
        verify([key], headers, BODY, AT_S)


@given(st.binary(min_size=24, max_size=64), st.binary(max_size=200), st.integers(0, 2**40))
def test_any_secret_and_body_give_the_hmac_of_the_standard_library(random: bytes, body: bytes, now_s: int) -> None:
    """An independent calculation of the same definition."""
    headers = signed_headers([key_of(random)], "msg_1", body, now_s)
    expected = hmac.new(random, b"msg_1." + str(now_s).encode() + b"." + body, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(expected).decode()}"
    verify([key_of(random)], headers, body, now_s)


def test_a_private_key_is_made_of_32_bytes() -> None:
    with pytest.raises(ValueError, match="32"):
        private_key(b"x" * 31)
