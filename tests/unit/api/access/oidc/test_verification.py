"""Which tokens are the provider's, for us, and valid now; each forgery is refused with its own reason."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.api.access.oidc.bearer import BadTokenError, UnknownKeyError
from rice_stream.api.access.oidc.signing_keys import SigningKeys
from rice_stream.api.access.oidc.verification import ID_TOKEN_TYPES, Expected, verified_claims
from tests.support.jwts import (
    AUDIENCE,
    ISSUER,
    MODELS,
    NOW_S,
    claims,
    known,
    provider_key,
    public,
    signed,
    signed_with_secret,
    unsigned,
)

EXPECTED = Expected(ISSUER, AUDIENCE, parties=frozenset({AUDIENCE}))
OTHER_KEY = provider_key("RS256", "attacker")


def verify(token: str, keys: SigningKeys | None = None, expected: Expected = EXPECTED, now_s: float = NOW_S) -> Any:
    return verified_claims(token, keys or known(provider_key()), expected, now_s)


def refused(token: str, why: str, **options: Any) -> None:
    with pytest.raises(BadTokenError, match=why):
        verify(token, **options)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"])
def test_a_token_of_the_provider_is_taken(algorithm: str) -> None:
    key = provider_key(algorithm)
    assert verify(signed(claims(), key, algorithm), known(key)) == claims()


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS512", "ES384", "Ed448"])
def test_other_algorithms_are_not_taken_though_the_key_is_the_providers(algorithm: str) -> None:
    key = provider_key(algorithm)
    refused(signed(claims(), key, algorithm), "`alg` is not one of", keys=known(key, provider_key()))


@pytest.mark.parametrize("spelled", ["none", "None", "NONE", "", "HS256", "RS256 ", None, 1, ["RS256"]])
def test_no_header_makes_a_token_go_unchecked(spelled: object) -> None:
    refused(unsigned(claims(), alg=spelled, kid="k-1"), "`alg` is not one of")


def test_the_public_key_is_no_secret_to_sign_with() -> None:
    """Algorithm confusion: HS256 with the bytes of the public key, in both of its spellings."""
    key = provider_key()
    for secret in (key.as_pem(private=False), key.as_der(private=False), json.dumps(public(key)).encode()):
        refused(signed_with_secret(claims(), secret, kid="k-1"), "`alg` is not one of")
    forged = signed_with_secret(claims(), key.as_pem(private=False), kid="k-1", alg="RS256")
    refused(forged, "the signature is wrong")


def test_a_symmetric_key_among_the_providers_is_not_used() -> None:
    from rice_stream.api.access.oidc.signing_keys import parse_signing_keys

    keys = parse_signing_keys([{"kty": "oct", "kid": "k-1", "k": "c2VjcmV0"}, public(provider_key("ES256", "e"))])
    assert [kid for kid, _ in keys.keys] == ["e"]
    refused(signed_with_secret(claims(), b"secret", kid="k-1"), "`alg` is not one of", keys=keys)


def test_another_key_under_the_name_of_the_providers_is_found_out() -> None:
    refused(signed(claims(), OTHER_KEY, kid="k-1"), "the signature is wrong")
    refused(signed(claims(), OTHER_KEY, kid=...), "the signature is wrong")


def test_an_unknown_key_is_said_to_be_unknown() -> None:
    """So that the provider is asked whether it has a new one."""
    with pytest.raises(UnknownKeyError):
        verify(signed(claims(), OTHER_KEY))


def test_a_key_that_the_token_brings_along_is_not_looked_at() -> None:
    brought: dict[str, Any] = {
        "jwk": public(OTHER_KEY),
        "jku": "https://attacker.example/jwks",
        "x5u": "https://attacker.example/chain",
        "x5c": ["MIIB"],
    }
    for name, value in brought.items():
        refused(signed(claims(), OTHER_KEY, kid="k-1", **{name: value}), "the signature is wrong")
        refused(signed(claims(), OTHER_KEY, **{name: value}), "no key of the provider")
        # A provider may put them there; that alone is no reason to refuse.
        assert verify(signed(claims(), **{name: value})) == claims()


def test_a_key_is_used_for_its_own_algorithm_only() -> None:
    rsa, curve = provider_key("RS256", "r"), provider_key("ES256", "e")
    refused(signed(claims(), rsa, "RS256", kid="e"), "no single key .* suits RS256", keys=known(rsa, curve))
    token = signed(claims(), rsa, "PS256")
    from rice_stream.api.access.oidc.signing_keys import parse_signing_keys

    bound = parse_signing_keys([public(rsa, alg="RS256")])
    refused(token, "no single key .* suits PS256", keys=bound)
    encrypting = parse_signing_keys([public(rsa, use="enc")])
    refused(signed(claims(), rsa), "no key of the provider", keys=encrypting)


def test_a_token_without_a_key_name_needs_a_provider_with_one_key() -> None:
    first, second = provider_key("RS256", "1"), provider_key("RS256", "2")
    token = signed(claims(), first, kid=...)
    assert verify(token, known(first)) == claims()
    assert verify(token, known(first, provider_key("ES256"))) == claims(), "the other one cannot be meant"
    refused(token, "no single key", keys=known(first, second))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"aud": "another-api"}, "`aud` is another audience"),
        ({"aud": ["another-api"]}, "`aud` is another audience"),
        ({"aud": f"{AUDIENCE} "}, "`aud` is another audience"),
        ({"aud": ...}, "`aud` is missing"),
        ({"aud": []}, "`aud` is another audience"),
        ({"aud": [AUDIENCE, 7]}, "`aud` is missing"),
        ({"aud": {AUDIENCE: True}}, "`aud` is missing"),
        ({"aud": [AUDIENCE, "another-api"]}, "names several"),
        ({"aud": [AUDIENCE, "another-api"], "azp": "another-api"}, "names several"),
        ({"iss": f"{ISSUER}/"}, "another issuer"),
        ({"iss": "https://ID.example"}, "another issuer"),
        ({"iss": [ISSUER]}, "another issuer"),
        ({"iss": ...}, "another issuer"),
        ({"exp": ...}, "`exp` is missing"),
        ({"exp": NOW_S - 60}, "expired"),
        ({"exp": str(int(NOW_S) + 300)}, "`exp` is no instant"),
        ({"exp": True}, "`exp` is no instant"),
        ({"exp": 10**400}, "`exp` is no instant"),
        ({"exp": float("inf")}, "`exp` is no instant"),
        ({"exp": float("nan")}, "`exp` is no instant"),
        ({"nbf": NOW_S + 61}, "`nbf` is in the future"),
        ({"iat": NOW_S + 61}, "`iat` is in the future"),
        ({"sub": ...}, "`sub` is missing"),
        ({"sub": ""}, "`sub` is missing"),
        ({"sub": 7}, "`sub` is missing"),
        ({"sub": "x" * 256}, "`sub` is missing"),
    ],
)
def test_a_genuine_token_that_is_not_for_us_or_not_for_now_is_refused(changes: dict[str, object], why: str) -> None:
    refused(signed(claims(**changes)), why)


@pytest.mark.parametrize("changes", [{"exp": NOW_S - 59}, {"nbf": NOW_S + 60}, {"iat": NOW_S + 60}, {"iat": ...}])
def test_clocks_may_differ_by_a_minute(changes: dict[str, object]) -> None:
    assert verify(signed(claims(**changes)))["sub"] == "248289761001"


def test_a_token_for_several_is_taken_where_it_was_made_for_us() -> None:
    assert verify(signed(claims(aud=["another-api", AUDIENCE], azp=AUDIENCE)))["azp"] == AUDIENCE


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ({"typ": "logout+jwt"}, "`typ` is that of another kind"),
        ({"typ": "dpop+jwt"}, "`typ` is that of another kind"),
        ({"typ": 7}, "`typ` is that of another kind"),
        ({"crit": ["exp"]}, "`crit`"),
        ({"crit": []}, "`crit`"),
        ({"b64": False, "crit": ["b64"]}, "`crit`"),
        ({"kid": 7}, "`kid` is no name"),
        ({"kid": "k" * 256}, "`kid` is no name"),
    ],
)
def test_headers_that_ask_for_something_else_are_refused(header: dict[str, Any], why: str) -> None:
    refused(signed(claims(), **header), why)


def test_an_access_token_is_no_id_token() -> None:
    expected = Expected(ISSUER, AUDIENCE, ID_TOKEN_TYPES, nonce="n-1")
    refused(signed(claims(nonce="n-1")), "`typ` is that of another kind", expected=expected)
    assert verify(signed(claims(nonce="n-1"), typ="JWT"), expected=expected)["nonce"] == "n-1"
    refused(signed(claims(nonce="n-2"), typ=...), "`nonce` is another one", expected=expected)
    refused(signed(claims(), typ=...), "`nonce` is another one", expected=expected)


def test_what_is_too_long_is_refused_before_it_is_read() -> None:
    refused(signed(claims(), padding="x" * 10_000), "header is longer than 2,048")
    refused(signed(claims(padding="x" * 20_000)), "token is longer than 16,384")


def test_what_was_changed_after_it_was_signed_is_refused() -> None:
    header, _, signature = signed(claims()).split(".")
    other = base64.urlsafe_b64encode(json.dumps(claims(sub="root")).encode()).rstrip(b"=").decode()
    refused(f"{header}.{other}.{signature}", "the signature is wrong")
    refused(f"{header}.{other}.", "the signature is wrong")


@pytest.mark.parametrize("text", ["", "..", "a.b", "a.b.c.d", "é.é.é", "a=.b.c", "a b.c.d", "W10.W10.W10", "x.y.z"])
def test_other_texts_are_no_tokens(text: str) -> None:
    refused(text, "JSON")


def test_signed_claims_that_are_no_object_are_refused() -> None:
    for said in (b"[]", b"7", b"not json", b"", b'{"iss":', b"\xff", b"[" * 5_000):
        refused(signed(said), "claims is not")


@given(st.text(max_size=200))
def test_no_text_gets_further_than_being_refused(text: str) -> None:
    with pytest.raises(BadTokenError):
        verify(text)


@given(st.binary(max_size=64), st.sampled_from(sorted(MODELS)), st.booleans())
def test_no_signature_but_the_providers_is_taken(signature: bytes, algorithm: str, named: bool) -> None:
    header, body, _ = signed(claims(), alg=algorithm, kid="k-1" if named else ...).split(".")
    with pytest.raises(BadTokenError):
        verify(f"{header}.{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}")


def test_messages_never_hold_what_the_token_says() -> None:
    """They go to the log and to whoever sent it."""
    secrets = ["subject-of-somebody", "their-group", "their-audience"]
    said = claims(sub=secrets[0], groups=[secrets[1]], aud=secrets[2])
    for token in (signed(said), signed(said, kid="unknown"), unsigned(said)):
        with pytest.raises(BadTokenError) as refusal:
            verify(token)
        assert not any(secret in str(refusal.value) for secret in secrets)
