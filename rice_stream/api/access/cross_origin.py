"""Requests that a page of another site has a browser send: refused where they would change something.

A browser adds the session's cookie whoever asks it to; a program that shows a token does so itself, so for tokens there
is nothing to refuse. Browsers say where a request comes from (Sec-Fetch-Site; older ones Origin), and no page can change that.
"""

from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.requests import Request

from rice_stream.api.problems import ProblemError

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OURS = frozenset({"same-origin", "none"})


def check_same_origin(request: Request, public_url: str | None = None) -> None:
    """ProblemError 403: it may change something, and comes from another site or does not say from where.

    `public_url`: under which browsers know this server, where a proxy stands before it.
    """
    if request.method in SAFE_METHODS:
        return
    sites = request.headers.getlist("sec-fetch-site")
    if sites:
        allowed = len(sites) == 1 and sites[0] in _OURS
    else:
        allowed = _origin_is_ours(request, public_url)
    if not allowed:
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            "a page of another site may change nothing here; open this server's own page, or send a token instead of a session",
        )


def _origin_is_ours(request: Request, public_url: str | None) -> bool:
    origins, hosts = request.headers.getlist("origin"), request.headers.getlist("host")
    if len(origins) != 1 or len(hosts) != 1:
        return False
    parts = urlsplit(origins[0].lower())
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return False
    if public_url is not None:
        known = urlsplit(public_url.lower())
        return (parts.scheme, parts.netloc) == (known.scheme, known.netloc)
    return parts.netloc == hosts[0].strip().lower()
