"""A sign-in that is under way at the provider: one secret in the browser's cookie, of which all else is made. Pure.

So the server keeps nothing of sign-ins that nobody finishes. `state` shows that the answer of the provider comes back to the
browser that asked, `nonce` that the token was made for it, and the verifier (PKCE, RFC 7636) that the code was.
"""

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from rice_stream.api.access.local_paths import local_path

LIVES_S = 600
"""How long somebody may take to sign in at the provider."""
_VALUE = re.compile(r"([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]*)")


@dataclass(frozen=True, slots=True, repr=False)
class SignInSecret:
    """`next_path` is where the browser goes afterwards."""

    secret: str
    next_path: str

    @classmethod
    def new(cls, next_path: str | None) -> "SignInSecret":
        """For a sign-in that begins now."""
        return cls(secrets.token_urlsafe(32), local_path(next_path))

    @classmethod
    def parse(cls, cookie: str | None) -> "SignInSecret | None":
        """From what the browser kept; None: no sign-in is under way."""
        parts = _VALUE.fullmatch(cookie or "")
        if parts is None:
            return None
        try:
            padded = parts[2] + "=" * (-len(parts[2]) % 4)
            path = base64.urlsafe_b64decode(padded).decode()
        except ValueError:
            return None
        return cls(parts[1], local_path(path))

    @property
    def cookie(self) -> str:
        """What the browser keeps."""
        return f"{self.secret}.{_text(self.next_path.encode())}"

    @property
    def state(self) -> str:
        """What the provider sends back with its answer."""
        return self._made("state")

    @property
    def nonce(self) -> str:
        """What the provider writes into the token."""
        return self._made("nonce")

    @property
    def verifier(self) -> str:
        """What the token endpoint is shown."""
        return self._made("verifier")

    @property
    def challenge(self) -> str:
        """What the provider is shown first: the digest of the verifier."""
        return _text(hashlib.sha256(self.verifier.encode()).digest())

    def answers(self, state: str) -> bool:
        """Whether the provider's answer belongs to this sign-in."""
        return hmac.compare_digest(state.encode(), self.state.encode())

    def _made(self, what: str) -> str:
        return _text(hmac.digest(self.secret.encode(), what.encode(), "sha256"))


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
