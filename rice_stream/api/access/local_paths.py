"""Where a browser goes after it has signed in: a place of this server and no other. Pure."""

import re
from urllib.parse import urlsplit

HOME = "/"
_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")
"""Printable ASCII without a backslash, which browsers read as a slash; two slashes at the start would name another host."""
_CHARACTERS_MAX = 2_000


def local_path(given: str | None) -> str:
    """The path and query as given, where they are of this server; else the start page."""
    if given is None or len(given) > _CHARACTERS_MAX or not _PATH.fullmatch(given):
        return HOME
    parts = urlsplit(given)
    # Signing in again, or out, is nowhere to return to.
    if parts.scheme or parts.netloc or parts.path.startswith("/auth/"):
        return HOME
    return given
