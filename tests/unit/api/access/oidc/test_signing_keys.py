"""Which keys of a provider's document are used."""

import base64
from typing import Any

import pytest
from joserfc.jwk import ECKey

from rice_stream.api.access.oidc.signing_keys import KEYS_MAX, parse_signing_keys
from tests.support.jwts import provider_key, public

SHORT_MODULUS = base64.urlsafe_b64encode(b"\xc1" * 128).rstrip(b"=").decode()
"""1,024 bits."""
GOOD = public(provider_key("RS256", "good"))


@pytest.mark.filterwarnings("ignore:Key size")  # the library says so too
@pytest.mark.parametrize(
    "entry",
    [
        None,
        "text",
        {},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "RSA", "kid": "no-numbers"},
        {"kty": "RSA", "n": "!", "e": "!"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "new kind"},
        {**GOOD, "use": "enc"},
        {**GOOD, "kid": 7},
        {"kty": "RSA", "kid": "short", "n": SHORT_MODULUS, "e": "AQAB"},
    ],
)
def test_an_entry_that_cannot_be_used_does_not_cost_the_others(entry: Any) -> None:
    """Providers publish keys for encryption too, and kinds that will be thought of later."""
    assert [kid for kid, _ in parse_signing_keys([entry, GOOD]).keys] == ["good"]


def test_a_private_key_in_the_document_is_taken_up_as_a_public_one() -> None:
    leaked = provider_key("ES256", "leaked").as_dict(private=True)
    [(_, key)] = parse_signing_keys([leaked]).keys
    assert isinstance(key, ECKey)
    assert not key.is_private


def test_no_more_keys_than_a_provider_can_need_are_read() -> None:
    assert len(parse_signing_keys([GOOD] * 500).keys) == KEYS_MAX


def test_a_name_that_two_keys_share_names_neither() -> None:
    twice = parse_signing_keys([public(provider_key("RS256", "same")), public(provider_key("PS256", "same"))])
    assert twice.named("same", "RS256") is None
    assert twice.has("same")
