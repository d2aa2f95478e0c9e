"""The cookies of a browser's session and of a sign-in under way."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

_SECURE_PREFIX = "__Host-"
"""A browser takes such a cookie only over TLS, from this very host, for all of its paths: no other host can plant one."""


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie of ours; `secure` where browsers reach the server by https."""

    base_name: str
    secure: bool

    @property
    def name(self) -> str:
        """As the browser sends it."""
        return f"{_SECURE_PREFIX if self.secure else ''}{self.base_name}"

    def read(self, request: Request) -> str | None:
        """What the browser has; None: nothing."""
        return request.cookies.get(self.name)

    def set(self, answer: Response, value: str, lives_s: int | None = None) -> None:
        """Have the browser keep it: for so long, or until it is closed."""
        answer.set_cookie(
            self.name, value, max_age=lives_s, path="/", secure=self.secure, httponly=True, samesite="lax"
        )

    def remove(self, answer: Response) -> None:
        """Have the browser forget it."""
        answer.delete_cookie(self.name, path="/", secure=self.secure, httponly=True, samesite="lax")


def session_cookie(*, secure: bool) -> Cookie:
    """The cookie of somebody who is signed in."""
    return Cookie("rice", secure)


def sign_in_cookie(*, secure: bool) -> Cookie:
    """The cookie of a sign-in that is under way at the provider."""
    return Cookie("rice-sign-in", secure)
