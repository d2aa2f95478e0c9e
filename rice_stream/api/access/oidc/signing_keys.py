"""Public keys of an OpenID provider, from its JWKS document: those with which it may have signed a token, by `kid`. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwa import JWS_ALGORITHMS
from joserfc.jwk import ECKey, OKPKey, RSAKey

KEY_TYPES: Mapping[str, type[RSAKey] | type[ECKey] | type[OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
"""Symmetric keys (`oct`) are not among them: what verifies with one could be forged with it."""
ALGORITHMS = {
    model.name: model for model in JWS_ALGORITHMS if model.name in {"RS256", "PS256", "ES256", "EdDSA", "Ed25519"}
}
"""What a token may be signed with. RFC 9864 spells EdDSA on Curve25519 as Ed25519."""
KEYS_MAX = 100
_RSA_BITS_MIN = 2_048
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
"""Members of a key that a provider must not show; they are not taken up."""


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The keys in the order of the document; a `kid` that two keys share names neither."""

    keys: tuple[tuple[str | None, RSAKey | ECKey | OKPKey], ...]

    def named(self, kid: str | None, algorithm: str) -> RSAKey | ECKey | OKPKey | None:
        """The key that a token names and that suits its algorithm; without a name, the only one that suits.

        None: there is none, or several would do.
        """
        found = [key for name, key in self.keys if kid in (None, name) and _suits(key, algorithm)]
        return found[0] if len(found) == 1 else None

    def suit(self, algorithm: str) -> bool:
        """Whether any key suits the algorithm."""
        return any(_suits(key, algorithm) for _, key in self.keys)

    def has(self, kid: str) -> bool:
        """Whether any key has the name."""
        return any(name == kid for name, _ in self.keys)


def parse_signing_keys(entries: Sequence[object]) -> SigningKeys:
    """The usable keys among the entries of `keys`; others, such as those for encryption, are passed over (RFC 7517, 5)."""
    found = []
    for entry in entries[:KEYS_MAX]:
        key = _parse(entry) if isinstance(entry, Mapping) else None
        if key is not None:
            found.append((key.kid, key))
    return SigningKeys(tuple(found))


def _parse(entry: Mapping[str, Any]) -> RSAKey | ECKey | OKPKey | None:
    kind = KEY_TYPES.get(str(entry.get("kty")))
    if kind is None or entry.get("use", "sig") != "sig" or not isinstance(entry.get("kid", ""), str):
        return None
    public = {name: value for name, value in entry.items() if name not in _PRIVATE}
    try:
        key = kind.import_key(public)
        if isinstance(key, RSAKey) and key.public_key.key_size < _RSA_BITS_MIN:
            return None
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return key


def _suits(key: RSAKey | ECKey | OKPKey, algorithm: str) -> bool:
    try:
        ALGORITHMS[algorithm].check_key(key)
    except JoseError:
        return False
    return not isinstance(key, OKPKey) or key.curve_name == "Ed25519"
