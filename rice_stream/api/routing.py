"""What every route declares: the right that it needs, or that anybody may ask."""

from collections.abc import AsyncIterator, Callable, Iterator
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.access.sign_in_routes import PATHS as SIGN_IN
from rice_stream.api.console.assets import PATH as STATIC
from rice_stream.api.pact.paths import TOKEN as PACT_TOKEN
from rice_stream.api.problems import ProblemError

OPEN = frozenset({"/healthz", "/readyz", "/metrics", "/openapi.json", STATIC, PACT_TOKEN}) | SIGN_IN
"""Paths that anybody may ask; `/metrics` only on loopback, and signing in, or a token of PACT, before anybody is known."""

_Dependency = Callable[[Request], AsyncIterator[Caller]]


class UnguardedRouteError(Exception):
    """A mistake of ours: a route that declares no right and is not open. The server does not start with it."""


class _Needs:
    """A dependency that gives a route its caller. One for each right: FastAPI tells dependencies apart by identity."""

    def __init__(self, right: Right, *, lasts: bool = False) -> None:
        """`lasts`: what is answered has no end, and so is no request that others wait behind."""
        self.right = right
        self._lasts = lasts

    async def __call__(self, request: Request) -> AsyncIterator[Caller]:
        """The caller, who has the right and is within what it may take up until the answer is sent."""
        request.state.lasts = self._lasts
        caller: Caller = await request.app.state.admission.caller(request, self.right)
        request.state.caller = caller
        request.state.share = caller.share  # for the headers of the answer, whatever becomes of it
        caller.share.rate.take()
        taken = caller.share.streams if self._lasts else caller.share.requests
        with taken.one_more():
            yield caller


_NEEDS = {right: _Needs(right) for right in Right}


def needs(right: Right) -> _Dependency:
    """What a route depends on to be only for callers with a right: `caller: Annotated[Caller, Depends(needs(...))]`."""
    return _NEEDS[right]


_KEEPS = {right: _Needs(right, lasts=True) for right in (Right.READ,)}


def keeps(right: Right) -> _Dependency:
    """The same for an answer without an end: it counts as a stream of the caller, and not as a request at the same time."""
    return _KEEPS[right]


def check_every_tenant(caller: Caller, right: Right, why: str) -> None:
    """ProblemError 403: the change concerns every tenant, and the caller's right is for some; `why` it does."""
    if not caller.scope(right).is_everything:
        raise ProblemError(HTTPStatus.FORBIDDEN, f"{why}: this needs a token for all of them")


def rights_of(route: APIRoute) -> frozenset[Right]:
    """The rights that a route declares; all of them are needed."""
    return frozenset(call.right for call in _calls(route.dependant) if isinstance(call, _Needs))


def check_routes(app: FastAPI) -> None:
    """UnguardedRouteError: a route is neither open nor declares a right."""
    for route in app.routes:
        path = getattr(route, "path", "")
        if path not in OPEN and not (isinstance(route, APIRoute) and rights_of(route)):
            raise UnguardedRouteError(f"{path} declares no right: give it `Depends(needs(...))`")


def _calls(dependant: Dependant) -> Iterator[object]:
    yield dependant.call
    for each in dependant.dependencies:
        yield from _calls(each)
