"""Light or dark: what the browser's system says, or what somebody has chosen, kept in a cookie so that a page comes right."""

from starlette.requests import Request
from starlette.responses import Response

THEMES = ("auto", "light", "dark")
_COOKIE = "rice-theme"
_YEAR_S = 31_536_000


def theme_of(request: Request) -> str:
    """What was chosen in this browser; `auto`: what its system says."""
    chosen = request.cookies.get(_COOKIE, "auto")
    return chosen if chosen in THEMES else "auto"


def keep_theme(request: Request, answer: Response, theme: str) -> None:
    """Have the browser keep the choice for a year."""
    secure = request.scope["scheme"] == "https"
    answer.set_cookie(_COOKIE, theme, _YEAR_S, path="/", secure=secure, httponly=True, samesite="lax")
