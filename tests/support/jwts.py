"""Tokens as an OpenID provider signs them, and as somebody forges them."""

import base64
import functools
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from joserfc.jwa import JWS_ALGORITHMS
from joserfc.jwk import ECKey, OKPKey, RSAKey

from rice_stream.api.access.oidc.signing_keys import SigningKeys, parse_signing_keys

ISSUER = "https://id.example"
AUDIENCE = "rice-api"
NOW_S = 1_795_348_800.0
MODELS = {model.name: model for model in JWS_ALGORITHMS}
Key = RSAKey | ECKey | OKPKey


def provider_key(algorithm: str = "RS256", kid: str | None = "k-1") -> Key:
    """A private key of the provider; the same for the same arguments."""
    return _made(algorithm, kid)


@functools.cache
def _made(algorithm: str, kid: str | None) -> Key:
    parameters: Any = {"kid": kid} if kid is not None else {}
    if algorithm.startswith("ES"):
        return ECKey.generate_key({"ES256": "P-256", "ES384": "P-384"}[algorithm], parameters)
    if algorithm.startswith("Ed"):
        return OKPKey.generate_key("Ed448" if algorithm == "Ed448" else "Ed25519", parameters)
    return RSAKey.generate_key(2_048, parameters)


def public(key: Key, **more: str) -> dict[str, Any]:
    """The key as the provider's JWKS document has it."""
    return {**key.as_dict(private=False), **more}


def known(*keys: Key) -> SigningKeys:
    """These keys as the server knows them."""
    return parse_signing_keys([public(key) for key in keys])


def claims(**changes: object) -> dict[str, Any]:
    """What a valid access token says; a change to `...` leaves the claim out."""
    said = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "248289761001",
        "iat": int(NOW_S) - 10,
        "exp": int(NOW_S) + 300,
        "groups": ["ai-finance"],
        **changes,
    }
    return {name: value for name, value in said.items() if value is not ...}


def signed(said: Mapping[str, Any] | bytes, key: Key | None = None, algorithm: str = "RS256", **header: object) -> str:
    """A token of the provider; header members given as `...` are left out."""
    key = key or provider_key(algorithm)
    whole = {"alg": algorithm, "typ": "at+jwt", "kid": key.kid, **header}
    return _joined(whole, said, lambda content: MODELS[algorithm].sign(content, key))


def signed_with_secret(said: Mapping[str, Any], secret: bytes, **header: object) -> str:
    """A token signed with HS256 and any bytes."""
    return _joined({"alg": "HS256", **header}, said, lambda content: hmac.digest(secret, content, hashlib.sha256))


def unsigned(said: Mapping[str, Any], **header: object) -> str:
    """A token without a signature."""
    return _joined({"alg": "none", **header}, said, lambda _content: b"")


def _joined(header: Mapping[str, object], said: Mapping[str, Any] | bytes, sign: Any) -> str:
    kept = {name: value for name, value in header.items() if value is not ... and value is not None}
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    content = f"{_text(json.dumps(kept).encode())}.{_text(body)}"
    return f"{content}.{_text(sign(content.encode()))}"


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
