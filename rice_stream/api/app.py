"""The application: what a request passes before its route, and the modules that have the routes."""

import re
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.routing import APIRoute
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp, Receive, Scope, Send

from rice_stream import __version__
from rice_stream.api import problems
from rice_stream.api.access import sign_in_routes
from rice_stream.api.access.admission import Admission
from rice_stream.api.access.people import People
from rice_stream.api.access.rights import Right
from rice_stream.api.access.sign_on import SignOn, make_sign_on
from rice_stream.api.access.stored_tokens import StoredTokens
from rice_stream.api.access.token_book import TokenBook
from rice_stream.api.console import installation as console
from rice_stream.api.document import page, served
from rice_stream.api.gateway import FormatsNow, Gateway
from rice_stream.api.ingestion import routes as event_routes
from rice_stream.api.ingestion.publishing import Publisher
from rice_stream.api.live import stream
from rice_stream.api.metrics import ServerMetrics
from rice_stream.api.observed import Observed
from rice_stream.api.pact import routes as pact
from rice_stream.api.problems import ProblemError, not_found
from rice_stream.api.product import Product
from rice_stream.api.query_route import QueryRoute
from rice_stream.api.readiness import Readiness
from rice_stream.api.reads import (
    accounts,
    audit,
    bridge,
    budgets,
    channels,
    checkpoints,
    compare,
    contracts,
    estimate,
    exports,
    factors,
    models,
    periods,
    prompts,
    quality,
    reconciliations,
    restatements,
    totals,
)
from rice_stream.api.routing import check_routes
from rice_stream.api.transport import Peers
from rice_stream.api.writes import accounts as write_accounts
from rice_stream.api.writes import budgets as write_budgets
from rice_stream.api.writes import channels as write_channels
from rice_stream.api.writes import contracts as write_contracts
from rice_stream.api.writes import erasures, mapping_lists, tokens, void
from rice_stream.api.writes import factors as write_factors
from rice_stream.api.writes import periods as write_periods
from rice_stream.api.writes import quarantine as write_quarantine
from rice_stream.api.writes import reconciliations as write_reconciliations
from rice_stream.api.writes import restatements as write_restatements
from rice_stream.quantities import is_storable
from rice_stream.runtime.loopback import is_loopback
from rice_stream.runtime.settings.settings import Settings
from rice_stream.runtime.tracing import OFF, Tracing

_READS = (
    accounts,
    audit,
    bridge,
    budgets,
    channels,
    checkpoints,
    compare,
    contracts,
    estimate,
    exports,
    factors,
    models,
    periods,
    prompts,
    quality,
    reconciliations,
    restatements,
    totals,
)
_WRITES = (
    erasures,
    write_accounts,
    mapping_lists,
    write_budgets,
    write_channels,
    write_contracts,
    write_factors,
    write_periods,
    write_quarantine,
    write_reconciliations,
    write_restatements,
    tokens,
    void,
)
_OPEN_TO_ANY_HOST = frozenset({"/healthz", "/readyz"})
"""Probes name the host as they like, and learn nothing from these."""
_NOT_READY: dict[int | str, dict[str, Any]] = {
    503: {"description": "Not ready; `problems` says what of", "content": {"application/json": {"schema": {}}}}
}
_NOT_FOR_ALL = {401: "No valid token", 403: "The role lacks the right", 503: "Tokens cannot be checked now"}


def make_admission(settings: Settings, people: People | None = None) -> Admission:
    """Who may do what, by RICE_HTTP_TOKEN, the tokens of the database, and single sign-on."""
    return Admission(settings, TokenBook(StoredTokens(settings)), people)


def create_app(
    settings: Settings,
    publisher: Publisher,
    admission: Admission | None = None,
    formats_now: FormatsNow | None = None,
    product: Product | None = None,
    sign_on: SignOn | None = None,
    metrics: ServerMetrics | None = None,
    tracing: Tracing = OFF,
) -> FastAPI:
    """The application; the caller starts and closes the publisher and the product.

    `formats_now`: None reads as the settings say. `metrics`: what /metrics shows; others may count there as well.
    UnguardedRouteError: a route declares no right.
    """
    app = FastAPI(
        title="rice_stream",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    app.router.route_class = QueryRoute
    known = product or Product(settings)
    signed = sign_on or make_sign_on(settings, known.engine)
    app.state.admission = admission or make_admission(settings, signed.people)
    metrics = metrics or ServerMetrics()
    problems.install(app)
    app.add_middleware(_Door, admission=app.state.admission, peers=Peers(settings))
    # Around the door: what is turned away is seen as well.
    app.add_middleware(Observed, metrics=metrics, tracing=tracing)
    sign_in_routes.install(app, signed.desk)
    event_routes.install(app, Gateway(settings, publisher, metrics, formats_now))
    _install_operation(app, settings, Readiness(publisher.check), metrics)
    for module in (*_READS, *_WRITES):
        module.install(app, known)
    stream.install(app, known)
    pact.install(app, known)
    console.install(app, known, by_provider=settings.oidc_issuer is not None)
    page.install(app)
    check_routes(app)
    served.install(app)
    return app


def _operation_id(route: APIRoute) -> str:
    """What a generated client calls the operation: `get_budgets_name_burn_down`, say."""
    words = re.sub(r":path|[^A-Za-z0-9]+", "_", route.path.removeprefix("/v1")).strip("_")
    return f"{sorted(route.methods or ())[0].lower()}_{re.sub('_+', '_', words)}"


class _Door:
    """Turns away requests that are meant for another host or came unprotected."""

    def __init__(self, app: ASGIApp, admission: Admission, peers: Peers) -> None:
        self._app = app
        self._admission = admission
        self._peers = peers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        # The path of the request line: `request.url` is put together with what the sender gives as Host.
        if scope["path"] not in _OPEN_TO_ANY_HOST:
            try:
                self._peers.check(scope)
                self._admission.check_host(Request(scope))
                if not is_storable(scope["path"]):
                    raise not_found()
            except ProblemError as problem:
                await problems.response(problem)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _install_operation(app: FastAPI, settings: Settings, readiness: Readiness, metrics: ServerMetrics) -> None:
    on_loopback = is_loopback(settings.http_host)

    @app.get("/healthz", summary="The process answers", tags=["operation"])
    async def _healthz() -> JSONResponse:
        return JSONResponse({"ok": True})

    @app.get("/readyz", summary="The broker answers and has the topic", tags=["operation"], responses=_NOT_READY)
    async def _readyz() -> JSONResponse:
        problem = await readiness.problem()
        if problem is not None:
            return JSONResponse({"ok": False, "problems": {"kafka": problem}}, status_code=503)
        return JSONResponse({"ok": True, "problems": {}})

    @app.get(
        "/metrics",
        summary="Prometheus; elsewhere than on loopback with a token that may read",
        tags=["operation"],
        response_class=PlainTextResponse,
        responses={status: {"description": meaning} for status, meaning in _NOT_FOR_ALL.items()},
    )
    async def _metrics(request: Request) -> Response:
        if not on_loopback:
            await request.app.state.admission.caller(request, Right.READ)
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)
