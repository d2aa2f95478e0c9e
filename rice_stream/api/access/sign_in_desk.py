"""Signing in and out by browser: what happens at each step, and what the browser is told to do next."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from rice_stream.api.access.cookies import sign_in_cookie
from rice_stream.api.access.cross_origin import check_same_origin
from rice_stream.api.access.local_paths import HOME
from rice_stream.api.access.oidc.bearer import BadTokenError, Person
from rice_stream.api.access.oidc.key_book import KeysUnknownError
from rice_stream.api.access.oidc.sign_in_secret import LIVES_S, SignInSecret
from rice_stream.api.access.people import LINK, OIDC, Browsers, grants_of
from rice_stream.api.access.sign_in_link import SignInLink
from rice_stream.api.limits import AtOnce, check_host
from rice_stream.api.problems import ProblemError, later, not_found
from rice_stream.feeds.identity_provider import ProviderError, ProviderRefusedError
from rice_stream.store.sessions import NOBODY, SignInRefusal, who

if TYPE_CHECKING:
    from rice_stream.api.access.oidc.relying_party import RelyingParty

log = logging.getLogger(__name__)

CALLBACK = "/auth/callback"
ADMIN_BY_LINK = "admin by sign-in link"
_AT_ONCE = 16
"""Sign-ins that ask the provider at a time: anybody may begin one."""
_RETRY_AFTER_S = 5
_PRIVATE = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
_SIGNED_OUT = (
    "<!doctype html><html lang='en'><meta charset='utf-8'><title>Signed out</title>"
    "<p>You are signed out of rice_stream. <a href='/auth/sign-in'>Sign in</a></p></html>"
)


class SignInDesk:
    """For one event loop. `party` None: nobody signs in by a provider; `link` None: nobody by a link."""

    def __init__(self, browsers: Browsers, party: "RelyingParty | None", link: SignInLink | None) -> None:
        self._browsers = browsers
        self._party = party if party is not None and party.client.client_id is not None else None
        self._link = link
        self._under_way = sign_in_cookie(secure=browsers.cookie.secure)
        self._asking = AtOnce(_AT_ONCE, "too many are signing in at once")

    async def begin(self, request: Request, next_path: str | None) -> Response:
        """Send the browser to the provider. ProblemError 404: there is none; 503: it does not answer."""
        party = self._known_party()
        sign_in = SignInSecret.new(next_path)
        with self._asking.one_more():
            try:
                address = await party.address(sign_in, self._callback(request))
            except ProviderError as error:
                raise _provider_away(error) from error
        answer = _redirect(address)
        self._under_way.set(answer, sign_in.cookie, LIVES_S)
        return answer

    async def finish(self, request: Request, answered: Mapping[str, str]) -> Response:
        """The browser comes back: begin its session. ProblemError 400, 403, 503: nobody is signed in."""
        party = self._known_party()
        with self._noted(OIDC):
            sign_in, person = await self._come_back(party, request, answered)
        with self._noted(OIDC, who(person.name, person.subject)):
            # Looked at now, so that somebody who may do nothing learns why, and gets no session.
            grants_of(party.rules, person.groups)
        answer = await self._session(request, OIDC, person, sign_in.next_path)
        self._under_way.remove(answer)
        return answer

    async def _come_back(
        self, party: "RelyingParty", request: Request, answered: Mapping[str, str]
    ) -> tuple[SignInSecret, Person]:
        """The sign-in that was begun, and who has signed in."""
        sign_in = SignInSecret.parse(self._under_way.read(request))
        if sign_in is None or not sign_in.answers(answered.get("state", "")):
            raise _failed("this sign-in was not begun in this browser, or took too long")
        if answered.get("iss", party.client.issuer) != party.client.issuer:
            raise _failed("this is the answer of another provider")
        if "code" not in answered:
            raise _failed("the OpenID provider did not sign you in")
        return sign_in, await self._person(party, sign_in, answered["code"], self._callback(request))

    async def by_link(self, request: Request, key: str) -> Response:
        """Sign in with the link that was printed at the start. ProblemError 403: it is not the one, or no longer."""
        if self._link is None:
            raise not_found()
        with self._noted(LINK):
            if not self._link.take(key):
                raise ProblemError(
                    HTTPStatus.FORBIDDEN,
                    "this sign-in link was used or is too old; `rice-stream serve` prints one at each start",
                )
        return await self._session(request, LINK, Person("", ADMIN_BY_LINK, ()), HOME)

    async def end(self, request: Request) -> Response:
        """Sign out. ProblemError 403: a page of another site asks for it."""
        with self._noted(LINK if self._link is not None else OIDC, action="session.end_refused"):
            check_same_origin(request, self._browsers.public_url)
        secret = self._browsers.cookie.read(request)
        if secret is not None:
            await self._browsers.sessions.end(secret)
        answer = HTMLResponse(_SIGNED_OUT, headers=_PRIVATE)
        self._browsers.cookie.remove(answer)
        return answer

    @contextmanager
    def _noted(self, by: str, name: str = NOBODY, action: str = "session.refused") -> Iterator[None]:
        """A problem that is the browser's, and not the provider's or ours, is kept in the audit trail."""
        try:
            yield
        except ProblemError as problem:
            if problem.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN):
                self._browsers.sessions.note_refusal(SignInRefusal(action, by, problem.detail, name))
            raise

    def _known_party(self) -> "RelyingParty":
        if self._party is None:
            raise not_found(
                "nobody signs in by an OpenID provider here; on loopback open the link that `rice-stream serve` printed"
            )
        return self._party

    async def _person(self, party: "RelyingParty", sign_in: SignInSecret, code: str, redirect_uri: str) -> Person:
        with self._asking.one_more():
            try:
                return await party.signed_in(sign_in, code, redirect_uri)
            except ProviderRefusedError as error:
                log.warning("a sign-in failed: %s", error)
                raise _failed("the OpenID provider does not take the code of this sign-in") from error
            except BadTokenError as error:
                log.warning("a sign-in failed: the ID token is refused: %s", error)
                raise _failed(f"the OpenID provider's token is refused: {error}") from error
            except (ProviderError, KeysUnknownError) as error:
                raise _provider_away(error) from error

    async def _session(self, request: Request, kind: str, person: Person, next_path: str) -> Response:
        earlier = self._browsers.cookie.read(request)
        secret = await self._browsers.sessions.begin(kind, person.subject, person.name, person.groups, earlier)
        log.info("signed in: %s", person.name)
        answer = _redirect(next_path)
        self._browsers.cookie.set(answer, secret)
        return answer

    def _callback(self, request: Request) -> str:
        if self._browsers.public_url is not None:
            return f"{self._browsers.public_url}{CALLBACK}"
        # What the browser calls this machine: on loopback alone, where it can be nobody else's name.
        check_host(request)
        return f"{request.scope['scheme']}://{request.headers['host']}{CALLBACK}"


def _redirect(address: str) -> Response:
    return RedirectResponse(address, HTTPStatus.SEE_OTHER, _PRIVATE)


def _failed(why: str) -> ProblemError:
    return ProblemError(
        HTTPStatus.BAD_REQUEST, f"{why}; begin again at /auth/sign-in", headers=_PRIVATE, slug="sign-in-failed"
    )


def _provider_away(error: Exception) -> ProblemError:
    log.warning("nobody can sign in: %s", error)
    return later(HTTPStatus.SERVICE_UNAVAILABLE, "the OpenID provider does not answer now; try again", _RETRY_AFTER_S)
