"""Signatures of webhooks by the Standard Webhooks specification (https://www.standardwebhooks.com). Pure.

What is signed is `ID.TIMESTAMP.BODY`, so that neither the body nor the moment can be changed, and an old message cannot be sent
for a new one. `whsec_` is a secret that both sides know (`v1`, HMAC-SHA256); `whsk_` is a private key (`v1a`, Ed25519), whose
public key, `whpk_`, is all that a receiver needs. With several keys there are several signatures: while a key is changed, a
receiver may know the old one or the new one.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable, Mapping, Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from rice_stream.errors import UsageError

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
TOLERANCE_S = 300
"""How old, or how far ahead, a message may be that is still taken."""
_HMAC, _PRIVATE, _PUBLIC = "whsec_", "whsk_", "whpk_"
_SEED_BYTES = 32


class BadSignatureError(ValueError):
    """The message is not from whoever holds the key, or not from now; says which, and never the signature expected."""


def signed_headers(keys: Sequence[str], message_id: str, body: bytes, now_s: int) -> dict[str, str]:
    """The three headers of a message. UsageError: there is no key, or one that cannot sign."""
    if not keys:
        raise UsageError("secret: the channel has none, so nothing can be signed; give it one, or have one made")
    signed = _signed(message_id, now_s, body)
    return {ID: message_id, TIMESTAMP: str(now_s), SIGNATURE: " ".join(_signature(key, signed) for key in keys)}


def verify(keys: Iterable[str], headers: Mapping[str, str], body: bytes, now_s: int) -> None:
    """Check a message as its receiver does; `keys` are `whsec_` or `whpk_`, one of which has to fit one signature.

    `headers` have lower-case names. BadSignatureError: it is not to be trusted. UsageError: a key is none.
    """
    message_id, timestamp, signatures = (headers.get(name, "") for name in (ID, TIMESTAMP, SIGNATURE))
    if not (message_id and timestamp and signatures):
        raise BadSignatureError(f"one of {ID}, {TIMESTAMP} and {SIGNATURE} is missing")
    if not (timestamp.isascii() and timestamp.isdigit()) or abs(now_s - int(timestamp)) > TOLERANCE_S:
        raise BadSignatureError(f"{TIMESTAMP} is not within {TOLERANCE_S} seconds of now")
    signed = _signed(message_id, int(timestamp), body)
    given = signatures.split(" ")
    if not any(_fits(key, each, signed) for key in keys for each in given):
        raise BadSignatureError("no signature fits")


def private_key(random: bytes) -> str:
    """A `whsk_` of 32 random bytes. ValueError: they are fewer, or more."""
    public = Ed25519PrivateKey.from_private_bytes(random).public_key().public_bytes_raw()
    return _PRIVATE + base64.b64encode(random + public).decode()


def public_key(key: str) -> str:
    """The `whpk_` of a `whsk_`, for receivers. UsageError: the key is none."""
    return _PUBLIC + base64.b64encode(_private(key).public_key().public_bytes_raw()).decode()


def _signed(message_id: str, timestamp_s: int, body: bytes) -> bytes:
    return f"{message_id}.{timestamp_s}.".encode() + body


def _signature(key: str, signed: bytes) -> str:
    if key.startswith(_HMAC):
        return "v1," + base64.b64encode(_hmac_of(key, signed)).decode()
    return "v1a," + base64.b64encode(_private(key).sign(signed)).decode()


def _fits(key: str, signature: str, signed: bytes) -> bool:
    version, _, text = signature.partition(",")
    try:
        given = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    if key.startswith(_HMAC):
        return version == "v1" and hmac.compare_digest(given, _hmac_of(key, signed))
    if version != "v1a":
        return False
    try:
        Ed25519PublicKey.from_public_bytes(_decoded(key, _PUBLIC)).verify(given, signed)
    except InvalidSignature:
        return False
    except ValueError as error:
        raise _no_key() from error
    return True


def _hmac_of(key: str, signed: bytes) -> bytes:
    return hmac.digest(_decoded(key, _HMAC), signed, "sha256")


def _private(key: str) -> Ed25519PrivateKey:
    """Of the seed alone, or of the seed and the public key, as most libraries write it."""
    decoded = _decoded(key, _PRIVATE)
    if len(decoded) not in (_SEED_BYTES, 2 * _SEED_BYTES):
        raise _no_key()
    private = Ed25519PrivateKey.from_private_bytes(decoded[:_SEED_BYTES])
    if decoded[_SEED_BYTES:] not in (b"", private.public_key().public_bytes_raw()):
        raise _no_key()
    return private


def _decoded(key: str, prefix: str) -> bytes:
    if not key.startswith(prefix):
        raise _no_key()
    try:
        return base64.b64decode(key.removeprefix(prefix), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _no_key() from error


def _no_key() -> UsageError:
    """Does not repeat it: it is a secret."""
    return UsageError("secret: a key is whsec_, whsk_ or whpk_ and base64 of the right length, and this one is not")
