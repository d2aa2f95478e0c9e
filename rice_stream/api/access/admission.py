"""Who a request comes from: a token of the database, RICE_HTTP_TOKEN, or this machine where there is no token at all."""

import hmac
from http import HTTPStatus

from fastapi import Request

from rice_stream.api.access.callers import Caller, caller_of_token, local, operator
from rice_stream.api.access.people import People
from rice_stream.api.access.rights import Right
from rice_stream.api.access.secrets import digest_of, may_be_token
from rice_stream.api.access.token_book import TokenBook, TokensUnknownError
from rice_stream.api.limits import check_host, token
from rice_stream.api.problems import ProblemError, later
from rice_stream.errors import UsageError
from rice_stream.runtime.loopback import is_loopback
from rice_stream.runtime.settings.settings import Settings

_RETRY_AFTER_S = 5
_START_WAITS_S = 15.0
"""How long the database may take to answer for the first time."""
_REFUSED = (
    "needs the header `Authorization: Bearer TOKEN` with a token of `rice-stream token create`, or RICE_HTTP_TOKEN"
)


class Admission:
    """Tells callers apart; keeps one `Caller` for each token, with what it takes up."""

    def __init__(self, settings: Settings, book: TokenBook, people: People | None = None) -> None:
        """`people` None: there are no callers but those with tokens."""
        self._book = book
        self._people = people
        self._by_provider = people is not None and people.have_provider
        self._token = token(settings)
        self._on_loopback = is_loopback(settings.http_host)
        self._requests_per_s = settings.http_requests_per_s
        self._operator = operator(self._requests_per_s)
        self._local = local(self._requests_per_s)
        self._callers: dict[int, Caller] = {}

    async def caller(self, request: Request, right: Right) -> Caller:
        """Who it is. ProblemError 401: nobody known; 403: one without the right; 503: tokens cannot be checked."""
        try:
            caller = await self._caller(request)
        except TokensUnknownError as error:
            raise later(
                HTTPStatus.SERVICE_UNAVAILABLE, "tokens cannot be checked now; send it again", _RETRY_AFTER_S
            ) from error
        if caller.may(right):
            return caller
        if caller.kind == "local":
            raise _unknown()
        roles = ", ".join(sorted({grant.role for grant in caller.grants})) or "none"
        raise ProblemError(
            HTTPStatus.FORBIDDEN, f"this needs the right to {right}, which the role {roles} does not have"
        )

    def check_host(self, request: Request) -> None:
        """ProblemError 421: no token and no provider protects this server, and the request is meant for another host."""
        if self._token is None and not self._book.known_tokens and not self._by_provider:
            check_host(request)

    async def check_start(self) -> None:
        """Look for tokens once. UsageError: the server can be reached from outside, and no token or provider protects it.

        TokensUnknownError: the same, and the database does not answer.
        """
        try:
            protected = await self._book.any(_START_WAITS_S) or self._token is not None or self._by_provider
        except TokensUnknownError:
            if self._token is None and not self._by_provider and not self._on_loopback:
                raise
            return
        if not protected and not self._on_loopback:
            raise UsageError(
                "RICE_HTTP_HOST: this address can be reached from other machines, so a token is needed: make one with"
                " `rice-stream token create`, set RICE_HTTP_TOKEN or RICE_OIDC_ISSUER, or serve at 127.0.0.1"
            )

    async def _caller(self, request: Request) -> Caller:
        given = _bearer(request)
        # Compared in constant time: how long it takes tells nothing about how much of it is right.
        if given and self._token is not None and hmac.compare_digest(given.encode(), self._token.encode()):
            return self._operator
        bearer = await self.bearer_of(given)
        if bearer is not None:
            return bearer
        person = await self._person(request, given)
        if person is not None:
            return person
        if self._token is None and not self._by_provider and self._on_loopback and not await self._book.any():
            return self._local
        raise _unknown()

    async def bearer_of(self, given: str) -> Caller | None:
        """Whose token of the database a text is; None: it is none. TokensUnknownError: that cannot be said now."""
        found = await self._book.find(digest_of(given)) if given and may_be_token(given) else None
        if found is None:
            return None
        self._forget_others()
        if found.id not in self._callers:
            self._callers[found.id] = caller_of_token(found, self._requests_per_s)
        return self._callers[found.id]

    async def _person(self, request: Request, given: str) -> Caller | None:
        if self._people is None:
            return None
        # Whoever shows a token is not asked for a session: it is the token that is meant.
        if "authorization" in request.headers:
            return await self._people.bearer(given)
        return await self._people.signed_in(request)

    def _forget_others(self) -> None:
        """What is kept of tokens that have ended goes; there are as many of them as were ever made."""
        known = self._book.ids() if len(self._callers) > 2 * self._book.known_tokens else None
        if known is not None:
            self._callers = {token_id: caller for token_id, caller in self._callers.items() if token_id in known}


def _unknown() -> ProblemError:
    return ProblemError(HTTPStatus.UNAUTHORIZED, _REFUSED, headers={"WWW-Authenticate": "Bearer"})


def _bearer(request: Request) -> str:
    """The token that the request carries, "" where it carries none."""
    given = request.headers.getlist("authorization")
    scheme, _, value = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    return value.strip() if scheme.lower() == "bearer" else ""
