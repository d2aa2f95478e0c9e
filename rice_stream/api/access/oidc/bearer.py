"""Who a token of the OpenID provider is about, and why one is refused: what a server without a provider knows as well.

What checks signatures takes long to load. It is not loaded with this module.
"""

from dataclasses import dataclass


class BadTokenError(Exception):
    """The token is none of ours; the message says why, and never what it says."""


class UnknownKeyError(BadTokenError):
    """The token names a key that is not among the provider's as we know them."""


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a token is about: the provider's own id, a name to show, and those of the groups that the claims file knows."""

    subject: str
    name: str
    groups: tuple[str, ...]


def is_jwt(text: str) -> bool:
    """Whether a bearer looks like a token of a provider: three parts between full stops."""
    return text.count(".") == 2
