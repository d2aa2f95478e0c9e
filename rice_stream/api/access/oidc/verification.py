"""Whether a JSON Web Token is one that the provider made, for us, and holds now. Pure: keys and time are given.

The header chooses among our keys and algorithms and nothing else: a key within it (`jwk`, `x5c`), or the address of one
(`jku`, `x5u`), is not looked at (RFC 8725).
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc.errors import JoseError

from rice_stream.api.access.oidc.bearer import BadTokenError, UnknownKeyError
from rice_stream.api.access.oidc.signing_keys import ALGORITHMS, SigningKeys

TOKEN_CHARACTERS_MAX = 16_384
HEADER_CHARACTERS_MAX = 2_048
"""Of the header as it is sent, in base64url."""
SKEW_S = 60
"""How far the provider's clock may be from ours."""
ACCESS_TOKEN_TYPES = frozenset({None, "jwt", "at+jwt", "application/at+jwt"})
ID_TOKEN_TYPES = frozenset({None, "jwt"})
_SEGMENT = re.compile(r"[A-Za-z0-9_-]*")
_NAME_CHARACTERS_MAX = 255


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token has to say. `parties`: one of them is `azp` where the token has several audiences."""

    issuer: str
    audience: str
    types: frozenset[str | None] = ACCESS_TOKEN_TYPES
    parties: frozenset[str] = frozenset()
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class _Parts:
    header: Mapping[str, Any]
    claims_bytes: bytes
    signed: bytes
    signature: bytes


def verified_claims(token: str, keys: SigningKeys, expected: Expected, now_s: float) -> Mapping[str, Any]:
    """What the token says. BadTokenError: it is not signed by a key of the provider, not for us, or not valid now."""
    parts = _parts(token)
    algorithm, kid = _algorithm_and_key_name(parts.header, expected)
    key = keys.named(kid, algorithm)
    if key is None and (kid is None or keys.has(kid)):
        raise BadTokenError(f"no single key of the provider suits {algorithm}")
    if key is None:
        raise UnknownKeyError("`kid` is no key of the provider")
    try:
        genuine = ALGORITHMS[algorithm].verify(parts.signed, parts.signature, key)
    except (JoseError, ValueError) as error:
        raise BadTokenError("the signature cannot be checked") from error
    if not genuine:
        raise BadTokenError("the signature is wrong")
    # What the token says is read only now that it is known who says it.
    claims = _object(parts.claims_bytes, "claims")
    _check_time(claims, now_s)
    _check_audience(claims, expected)
    return claims


def _parts(token: str) -> _Parts:
    if len(token) > TOKEN_CHARACTERS_MAX:
        raise BadTokenError(f"the token is longer than {TOKEN_CHARACTERS_MAX:,} characters")
    segments = token.split(".")
    if len(segments) != 3 or not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise BadTokenError("this is no JSON Web Token")
    if len(segments[0]) > HEADER_CHARACTERS_MAX:
        raise BadTokenError(f"the token's header is longer than {HEADER_CHARACTERS_MAX:,} characters")
    header, claims, signature = (_decoded(segment) for segment in segments)
    return _Parts(_object(header, "header"), claims, f"{segments[0]}.{segments[1]}".encode(), signature)


def _decoded(segment: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except binascii.Error as error:
        raise BadTokenError("this is no JSON Web Token") from error


def _object(text: bytes, what: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadTokenError(f"the token's {what} is not JSON") from error
    if not isinstance(found, dict):
        raise BadTokenError(f"the token's {what} is not a JSON object")
    return found


def _algorithm_and_key_name(header: Mapping[str, Any], expected: Expected) -> tuple[str, str | None]:
    algorithm, kid, kind = (header.get(name) for name in ("alg", "kid", "typ"))
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise BadTokenError(f"`alg` is not one of {', '.join(sorted(ALGORITHMS))}")
    if "crit" in header:
        raise BadTokenError("`crit` asks for what is not understood here")
    if kid is not None and (not isinstance(kid, str) or len(kid) > _NAME_CHARACTERS_MAX):
        raise BadTokenError("`kid` is no name of a key")
    if (kind.lower() if isinstance(kind, str) else kind) not in expected.types:
        raise BadTokenError("`typ` is that of another kind of token")
    return algorithm, kid


def _check_time(claims: Mapping[str, Any], now_s: float) -> None:
    expires_s, issued_s, begins_s = (_instant(claims, name) for name in ("exp", "iat", "nbf"))
    if expires_s is None:
        raise BadTokenError("`exp` is missing")
    if now_s >= expires_s + SKEW_S:
        raise BadTokenError("the token has expired")
    for name, at_s in (("nbf", begins_s), ("iat", issued_s)):
        if at_s is not None and now_s < at_s - SKEW_S:
            raise BadTokenError(f"`{name}` is in the future")


def _instant(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    # Compared before it is made a float: a whole number may be too large for one, and JSON's NaN is below nothing.
    if isinstance(value, bool) or not isinstance(value, int | float) or not -(2**53) < value < 2**53:
        raise BadTokenError(f"`{name}` is no instant")
    return float(value)


def _check_audience(claims: Mapping[str, Any], expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise BadTokenError("`iss` is another issuer")
    given = claims.get("aud")
    audiences = [given] if isinstance(given, str) else given
    if not isinstance(audiences, list) or not all(isinstance(name, str) for name in audiences):
        raise BadTokenError("`aud` is missing")
    if expected.audience not in audiences:
        raise BadTokenError("`aud` is another audience")
    # A token for several may have been handed on by one of the others: it has to say that it was made for us.
    if len(audiences) > 1 and claims.get("azp") not in expected.parties:
        raise BadTokenError("`aud` names several, and `azp` is not one of ours")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _NAME_CHARACTERS_MAX:
        raise BadTokenError("`sub` is missing")
    if expected.nonce is not None and claims.get("nonce") != expected.nonce:
        raise BadTokenError("`nonce` is another one: the token answers another sign-in")
