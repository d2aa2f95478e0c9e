"""Callers who are people: by a token of the OpenID provider, or by the session of a browser that has signed in."""

import logging
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.requests import Request

from rice_stream.api.access.callers import Caller, CallerKind
from rice_stream.api.access.cookies import Cookie
from rice_stream.api.access.cross_origin import check_same_origin
from rice_stream.api.access.oidc.bearer import BadTokenError, is_jwt
from rice_stream.api.access.oidc.claims import ClaimRules
from rice_stream.api.access.oidc.key_book import KeysUnknownError
from rice_stream.api.access.rights import Grant
from rice_stream.api.access.session_book import SessionBook
from rice_stream.api.access.shares import Share, share_of_token
from rice_stream.api.problems import ProblemError, later
from rice_stream.store.sessions import HttpSession, who

if TYPE_CHECKING:
    from rice_stream.api.access.oidc.relying_party import RelyingParty

log = logging.getLogger(__name__)

LINK = "link"
OIDC = "oidc"
"""Kinds of session: how somebody signed in."""
_RETRY_AFTER_S = 5
_SHARES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Browsers:
    """How browsers are recognised. `public_url`: under which they know this server, where that is set."""

    sessions: SessionBook
    cookie: Cookie
    public_url: str | None
    by_link: bool
    """Whether a sign-in link may be used, now and as long as its session lasts: on loopback without a provider."""


class People:
    """Recognises them. For one event loop."""

    def __init__(self, party: "RelyingParty | None", browsers: Browsers | None, requests_per_s: float) -> None:
        self._party = party
        self._browsers = browsers
        self._requests_per_s = requests_per_s
        self._shares: OrderedDict[str, Share] = OrderedDict()

    @property
    def have_provider(self) -> bool:
        """Whether an OpenID provider tells who somebody is: access control, as tokens are."""
        return self._party is not None

    async def bearer(self, token: str) -> Caller | None:
        """Whose token of the provider it is; None: it is none. ProblemError 401, 403, 503: it is none that may be used here."""
        if self._party is None or not is_jwt(token):
            return None
        try:
            person = await self._party.bearer(token)
        except BadTokenError as error:
            raise ProblemError(
                HTTPStatus.UNAUTHORIZED,
                f"the token of the OpenID provider is refused: {error}",
                headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
            ) from error
        except KeysUnknownError as error:
            raise later(HTTPStatus.SERVICE_UNAVAILABLE, str(error), _RETRY_AFTER_S) from error
        return self._caller("oidc", person.subject, person.name, grants_of(self._party.rules, person.groups))

    async def signed_in(self, request: Request) -> Caller | None:
        """Whose session the request's cookie is; None: it has none that may be used.

        ProblemError 403: a page of another site has it sent, or the groups may do nothing here.
        """
        session = await self._session(request)
        if session is None or self._browsers is None:
            return None
        check_same_origin(request, self._browsers.public_url)
        if session.kind == LINK:
            return self._caller("session", "", session.name, (Grant("admin"),)) if self._browsers.by_link else None
        if self._party is None:
            return None
        return self._caller("session", session.subject, session.name, grants_of(self._party.rules, session.groups))

    async def _session(self, request: Request) -> HttpSession | None:
        secret = self._browsers.cookie.read(request) if self._browsers is not None else None
        if secret is None or self._browsers is None:
            return None
        return await self._browsers.sessions.find(secret, by_hand=not _by_itself(request))

    def _caller(self, kind: CallerKind, subject: str, name: str, grants: tuple[Grant, ...]) -> Caller:
        return Caller(who(name, subject), kind, grants, self._share(subject))

    def _share(self, subject: str) -> Share:
        """What one person takes up, however many sessions and tokens that person has."""
        share = self._shares.pop(subject, None) or share_of_token(self._requests_per_s)
        self._shares[subject] = share
        while len(self._shares) > _SHARES_MAX:
            self._shares.popitem(last=False)
        return share


def _by_itself(request: Request) -> bool:
    """Whether an open page asks, and nobody: it listens for changes, or looks at its figures again."""
    return getattr(request.state, "lasts", False) or request.headers.get("hx-trigger") == "figures"


def grants_of(rules: ClaimRules, groups: Iterable[str]) -> tuple[Grant, ...]:
    """What these groups may do. ProblemError 403: nothing."""
    grants = rules.grants_of(tuple(groups))
    if not grants:
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            f"the OpenID provider's claim `{rules.claim}` names no group that may do anything here;"
            " have a group of yours added to the file of RICE_OIDC_CLAIMS_FILE",
        )
    return grants
