"""A secret box for tests of what is done with channels: it turns texts around. `has_key`: whether it has what it needs."""

import json

from rice_stream.channels.definition import Secrets
from rice_stream.errors import UsageError


class PlainBox:
    """Seals and opens as `runtime.secret_box` does, but for encrypting."""

    def __init__(self, *, has_key: bool = True) -> None:
        self.has_key = has_key

    def seal(self, channel: str, secret: Secrets) -> tuple[bytes, str]:
        """Turned around."""
        self._check()
        return json.dumps([channel, secret.address, secret.keys])[::-1].encode(), "0badcafe"

    def open(self, channel: str, sealed: bytes) -> Secrets:
        """Turned back."""
        self._check()
        if not sealed.endswith(b"["):
            raise UsageError("RICE_SECRETS_KEY: none of the keys opens it")
        named, address, keys = json.loads(sealed.decode()[::-1])
        assert named == channel
        return Secrets(address, tuple(keys))

    def _check(self) -> None:
        if not self.has_key:
            raise UsageError("RICE_SECRETS_KEY: is not set")
