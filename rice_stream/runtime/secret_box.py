"""What is secret of channels, and keys that sign: encrypted with `RICE_SECRETS_KEY` (Fernet: AES-128-CBC with HMAC-SHA256)."""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from rice_stream.channels.definition import Secrets
from rice_stream.errors import UsageError

SETTING = "RICE_SECRETS_KEY"
KEY_BYTES = 32
_KEY_ID_DIGITS = 8


class FernetBox:
    """Seals and opens secrets of channels and keys of checkpoints. The first key seals; the others open what they sealed before."""

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        """Keys of 32 bytes; without any nothing can be sealed or opened."""
        self._fernet = MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys]) if keys else None
        self.key_ids = tuple(map(_key_id, keys))
        """What the keys are known by, the one that seals first."""

    @classmethod
    def parse(cls, written: str | None) -> "FernetBox":
        """The box of `RICE_SECRETS_KEY` as it is written. UsageError: an entry is no key; it is not repeated."""
        entries = [entry.strip() for entry in (written or "").split(",")]
        if entries == [""]:
            return cls()
        return cls([_key(entry, number, len(entries)) for number, entry in enumerate(entries, start=1)])

    def seal(self, channel: str, secret: Secrets) -> tuple[bytes, str]:
        """Encrypted for the channel of this name, and the id of the key. UsageError: there is no key."""
        if self._fernet is None:
            raise UsageError(
                f"{SETTING}: is not set, and what is secret of a channel is only stored encrypted: set it, here and for"
                " `rice-stream serve`, to what `openssl rand -base64 32` prints, and keep it with the passwords"
            )
        content = {"channel": channel, "address": secret.address, "keys": list(secret.keys)}
        return self._fernet.encrypt(json.dumps(content).encode()), self.key_ids[0]

    def open(self, channel: str, sealed: bytes) -> Secrets:
        """What was sealed for the channel of this name. UsageError: none of the keys fits, or it is another channel's."""
        if self._fernet is None:
            raise UsageError(f"{SETTING}: is not set, but the secrets of channel {channel!r} are encrypted: set it")
        try:
            content = json.loads(self._fernet.decrypt(sealed))
        except InvalidToken as error:
            raise UsageError(
                f"{SETTING}: none of its keys opens the secrets of channel {channel!r}: add the key that sealed them, or set the"
                " channel again with its address and secret"
            ) from error
        if content.get("channel") != channel:
            # Somebody with write access to the table has put the secrets of one channel beside the address of another.
            raise UsageError(
                f"the secrets stored with channel {channel!r} are another channel's: set it again with its address and secret"
            )
        return Secrets(content["address"], tuple(content["keys"]))

    def seal_key(self, name: str, seed: bytes) -> tuple[bytes, str]:
        """A private key that signs in this name, encrypted, and the id of the key of secrets. UsageError: there is none."""
        if self._fernet is None:
            raise UsageError(
                f"{SETTING}: is not set, and the key that signs checkpoints is only stored encrypted: set it, here and for"
                " `rice-stream serve`, to what `openssl rand -base64 32` prints, and keep it with the passwords"
            )
        content = {"signing_key": name, "seed": seed.hex()}
        return self._fernet.encrypt(json.dumps(content).encode()), self.key_ids[0]

    def open_key(self, name: str, sealed: bytes) -> bytes:
        """What was sealed for this name. UsageError: none of the keys fits, or it is something else."""
        if self._fernet is None:
            raise UsageError(f"{SETTING}: is not set, but the key that signs checkpoints is encrypted: set it")
        try:
            content = json.loads(self._fernet.decrypt(sealed))
        except InvalidToken as error:
            raise UsageError(
                f"{SETTING}: none of its keys opens the key that signs checkpoints of {name}: add the key that sealed it"
            ) from error
        if content.get("signing_key") != name:
            raise UsageError(f"the key stored for checkpoints of {name} is another one's")
        return bytes.fromhex(content["seed"])


def _key(entry: str, number: int, count: int) -> bytes:
    which = f"entry {number} of {count}" if count > 1 else "it"
    try:
        key = base64.b64decode(entry.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise UsageError(
            f"{SETTING}: {which} must be {KEY_BYTES} random bytes as base64, as `openssl rand -base64 32` prints them"
        )
    return key


def _key_id(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:_KEY_ID_DIGITS]
