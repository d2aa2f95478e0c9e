"""What all pages have in common: their frame, who sees them, and what is answered where one cannot be shown."""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import FileSystemLoader, StrictUndefined

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console import addresses, pieces
from rice_stream.api.console.around import Around, NotKnownError, Surroundings
from rice_stream.api.console.assets import Assets
from rice_stream.api.console.drawing import bars, outlooks, plots
from rice_stream.api.console.forms import Forms
from rice_stream.api.console.kept import MARKER, Figures, KeptFigures, PartOf, Shown
from rice_stream.api.console.later import REST, without_part
from rice_stream.api.console.page_templates import PageTemplates
from rice_stream.api.console.theme import theme_of
from rice_stream.api.console.views import LiveView, LookUp, Prepare
from rice_stream.api.problems import ProblemError
from rice_stream.api.product import Product
from rice_stream.errors import RiceError
from rice_stream.reports.one_moment import one_moment
from rice_stream.wording import amounts, times
from rice_stream.wording.findings import found_text

log = logging.getLogger(__name__)

_TEMPLATES = Path(__file__).parent / "templates"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
}
SIGN_IN = "/auth/sign-in"


@dataclass(frozen=True, slots=True)
class Entry:
    """One page in the navigation, for callers with the right."""

    path: str
    title: str
    right: Right


class Dashboard:
    """The pages of one server. Page modules add themselves to `entries` and answer with `show`."""

    def __init__(self, product: Product, *, by_provider: bool) -> None:
        """`by_provider`: people sign in at an OpenID provider, and by the printed link otherwise."""
        self.product = product
        self.assets = Assets()
        self.forms = Forms()
        self.entries: list[Entry] = []
        self._by_provider = by_provider
        self._kept = KeptFigures(product.now)
        self._surroundings = Surroundings(product)
        self._templates = PageTemplates(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        # Names that tenants give may hold anything, also what would be markup: autoescape stays on for all of them.
        self._templates.filters |= {
            "count": amounts.count,
            "number": amounts.number,
            "amount": amounts.amount,
            "range": amounts.range_text,
            "in_column": amounts.in_column,
            "percent": amounts.percent,
            "exact": amounts.exact,
            "exact_percent": amounts.exact_percent,
            "alert_words": outlooks.alert_words,
            "moment": times.moment_text,
            "day": times.day_text,
            "lasting": times.lasting_text,
            "told": found_text,
        }
        self._templates.globals |= {
            "asset": self.assets.address,
            "scale_for": amounts.scale_for,
            "change": amounts.change,
            "axis_end": bars.axis_end,
            "bar_of": bars.bar_of,
            "address": addresses.address,
            "minutes_between": times.minutes_between,
            "SIDE": plots.SIDE,
            "name_options": pieces.name_options,
            "bar_rows": pieces.bar_rows,
            "cells": pieces.cells,
            "day_rects": pieces.day_rects,
            "day_rows": pieces.day_rows,
            "step_rows": pieces.step_rows,
            "step_source": pieces.step_source,
            "step_value": pieces.step_value,
        }

    async def show(
        self,
        request: Request,
        caller: Caller,
        template: str,
        look_up: Callable[[], Figures],
        *,
        problem: ProblemError | None = None,
        **more: Any,
    ) -> Response:
        """A page: what `look_up` finds (in a thread, from reports) put into its template, with `more` beside it.

        Where the database does not answer, the figures are those that this caller was shown last under this address. `problem`:
        why a change that was asked for on the page was not made; the page says so, with that status.
        """
        page = _page_of(request, caller)

        def made() -> Response:
            shown = self._kept.of(page, look_up)
            health = self._health(caller, shown.figures.get(MARKER))
            return self._shown(request, caller, template, shown, problem, more, health)

        return await self.product.ask(made)

    async def show_live(
        self,
        request: Request,
        caller: Caller,
        template: str,
        tenant: str | None,
        look_up: LookUp,
        prepare: Prepare = Around.tenants,
        *,
        problem: ProblemError | None = None,
        adds_up: bool = True,
        part: str | None = None,
        **more: Any,
    ) -> Response:
        """The same of a page that looks at its figures again by itself: they are shown again for as long as nothing was committed,
        and those that take long while they are worked out again.

        `look_up` is called within one moment of the tenant's scope, and asks for nothing else; what it needs of all that the caller
        sees, `prepare` has asked around it before. `adds_up`: most of them are totals. `part`: the figures are
        those of a part of the page (`console.later`); those of the page hold them as well.
        """
        whole = _page_of(request, caller)
        page = whole if part is None else PartOf(whole, part)

        def made() -> Response:
            is_piece = part is not None and part != REST
            given = caller, tenant, look_up, prepare
            view = LiveView(self.product, self._surroundings, *given, adds_up=adds_up, is_piece=is_piece)
            shown = self._kept.of_live(page, view)
            return self._shown(request, caller, template, shown, problem, more, view.health)

        return await self.product.ask(made)

    def _shown(
        self,
        request: Request,
        caller: Caller,
        template: str,
        shown: Shown,
        problem: ProblemError | None,
        more: dict[str, Any],
        health: dict[str, Any] | None,
    ) -> Response:
        status = HTTPStatus.OK if problem is None else problem.status
        times_of = {"as_of": shown.as_of, "old_since": shown.old_since, "is_renewed": shown.is_renewed}
        figures = {**shown.figures, **more, **times_of, "health": troubled(health)}
        return self._page(request, template, status, **figures, caller=caller, problem=problem)

    def _health(self, caller: Caller, marker: str | None) -> dict[str, Any] | None:
        """How deliveries fare; None: the database does not say, which the page itself tells. `marker` is that of the figures."""
        scope = caller.scope(Right.READ)
        quiet = self._surroundings.quiet(scope)
        if quiet is not None and quiet.marker == marker:
            with suppress(NotKnownError):
                return quiet.health()
        try:
            with one_moment(self.product.engine(), scope):
                return self._surroundings.of(caller).health()
        except RiceError as error:
            log.warning("a page does not say whether deliveries arrive: %s", error)
            return None

    def problem(self, request: Request, problem: ProblemError) -> Response | None:
        """The page that says why there is no other; None: whoever asks is no browser in front of a page."""
        if not self._is_for_people(request):
            return None
        # A page that looks at its figures again cannot follow to another site: it says that nobody is signed in any more.
        leads_on = self._by_provider and request.method == "GET" and "hx-request" not in request.headers
        if problem.status is HTTPStatus.UNAUTHORIZED and leads_on:
            asked = addresses.address(request.scope["path"], request.query_params.multi_items())
            return RedirectResponse(addresses.address(SIGN_IN, [("next", asked)]), HTTPStatus.SEE_OTHER, HEADERS)
        caller = getattr(request.state, "caller", None)
        answer = self._page(request, "problem.html", problem.status, problem=problem, caller=caller)
        answer.headers.update(problem.headers)
        return answer

    def compiling(self) -> Iterator[Callable[[], object]]:
        """Compiles all templates, one after the other: the first view of a page takes a tenth of a second for its own."""
        for name in self._templates.list_templates():
            yield partial(self._templates.get_template, name)

    def done(self, path: str, **parameters: str) -> Response:
        """After a change: the browser looks at the page again, so that loading it again repeats nothing."""
        return RedirectResponse(addresses.address(path, parameters.items()), HTTPStatus.SEE_OTHER, HEADERS)

    def _is_for_people(self, request: Request) -> bool:
        path = request.scope["path"]
        return not path.startswith("/v1/") and "text/html" in request.headers.get("accept", "")

    def _page(self, request: Request, template: str, status: HTTPStatus, **shown: Any) -> Response:
        caller: Caller | None = shown["caller"]
        pairs = without_part(request.query_params.multi_items())
        path = request.scope["path"]
        frame = {
            "path": path,
            "here": addresses.address(path, pairs),
            "theme": theme_of(request),
            "navigation": [entry for entry in self.entries if caller is not None and caller.may(entry.right)],
            "may": (lambda right: caller is not None and caller.may(Right[right])),
            "link": lambda **changes: addresses.address(path, addresses.changed(pairs, **changes)),
            "by_provider": self._by_provider,
            "now": self.product.now(),
            "zone": None,
            "as_of": None,
            "old_since": None,
            "is_renewed": False,
            "health": None,
            "later": False,
            "stands_under": path,
        }
        text = self._templates.get_template(template).render(**{**frame, **shown})
        return HTMLResponse(text, status, HEADERS)


def _page_of(request: Request, caller: Caller) -> tuple[object, ...]:
    """An address as one caller sees it."""
    pairs = tuple(without_part(request.query_params.multi_items()))
    return request.scope["path"], caller.name, caller.grants, pairs


def troubled(health: dict[str, Any] | None) -> dict[str, Any] | None:
    """What every page says of deliveries that do not arrive; None: all is well, or nobody knows."""
    return health if health and (health["failing"] or health["disabled"] or health["overdue"]) else None
