"""What a channel signs or signs in with: which types take a key, and what one looks like. Pure."""

import base64
import binascii
from collections.abc import Sequence

from rice_stream.channels.definition import ChannelType

KEYS_MAX = 5
"""Of a webhook: while a new one is brought in, the one before goes on."""
KEY_LENGTH_MAX = 1_024
KEY_BYTES = 32
"""Of those that are made here."""
_HMAC, _ED25519 = "whsec_", "whsk_"
_HMAC_BYTES = range(24, 65)
_ED25519_BYTES = (32, 64)
_MEANING = {
    "alertmanager": "the token that it is asked with (Bearer)",
    "pagerduty": "the routing key of the service (Integration Key)",
    "email": "the password of the user in the address",
}


def keys_problem(kind: ChannelType, keys: Sequence[object]) -> str | None:
    """What is wrong with the keys of a channel, without repeating them. None: nothing is."""
    if kind == "slack":
        return "a Slack channel has none besides its address" if keys else None
    if len(keys) > (KEYS_MAX if kind == "webhook" else 1):
        return f"must be at most {KEYS_MAX}, the one in force first" if kind == "webhook" else "must be one"
    for key in keys:
        if not isinstance(key, str) or not key:
            return "must be a non-empty text"
        if len(key) > KEY_LENGTH_MAX or not key.isprintable() or key != key.strip():
            return f"must be at most {KEY_LENGTH_MAX} printable characters, without blanks at its ends"
        if kind == "webhook" and not _is_webhook_key(key):
            return (
                "must be whsec_ with the base64 of 24 to 64 bytes (HMAC), or whsk_ with that of a private key of Ed25519;"
                " leave it out, and one is made"
            )
        if kind in ("alertmanager", "pagerduty") and not (key.isascii() and " " not in key):
            return "must be printable ASCII without blanks"
    return None


def missing_key(kind: ChannelType) -> str | None:
    """What to say where a channel of a type has none. None: it needs none, or one is made for it."""
    return f"is missing: {_MEANING[kind]}" if kind == "pagerduty" else None


def key_of(secret: bytes) -> str:
    """A webhook's key of random bytes."""
    return _HMAC + base64.b64encode(secret).decode()


def _is_webhook_key(key: str) -> bool:
    for prefix, lengths in ((_HMAC, _HMAC_BYTES), (_ED25519, _ED25519_BYTES)):
        if key.startswith(prefix):
            try:
                return len(base64.b64decode(key.removeprefix(prefix), validate=True)) in lengths
            except (binascii.Error, ValueError):
                return False
    return False
