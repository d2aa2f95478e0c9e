"""`/models`: which model for which work, the card of one model, and names that no table knows."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.around import Around
from rice_stream.api.console.causes import CAUSES, NARROWING
from rice_stream.api.console.dashboard import Dashboard, Entry
from rice_stream.api.console.kept import Figures
from rice_stream.api.console.pages.mapping import map_by_form, mapping_figures
from rice_stream.api.console.pages.models_figures import ModelsParameters, figures
from rice_stream.api.problems import ProblemError
from rice_stream.api.product import Product
from rice_stream.api.reads.models import answer_card
from rice_stream.api.routing import needs
from rice_stream.reports.coverage import unknown_names
from rice_stream.reports.mappings import mappings

_PATH = "/models"
_Asked = Annotated[ModelsParameters, Query()]
ROUTES = {
    "measured": ("A meter", "The energy is what the server’s own meter said."),
    "known_serving": ("Known serving", "It is said on what, and with how many requests at a time, the model runs."),
    "hosted_posterior": (
        "Disclosures",
        "Energy that providers have disclosed, for this model or its like, corrects the method.",
    ),
    "price": ("Its list price", "The price of a token bounds what its energy may cost."),
    "assumed": ("Assumptions", "Nobody says how the model is served: what is usual is assumed."),
}
"""What an estimate may rest on: a word and a sentence."""


def install(app: FastAPI, dashboard: Dashboard) -> None:
    """Add the page."""
    dashboard.entries.append(Entry(_PATH, "Models", Right.READ))

    async def shown(
        request: Request, caller: Caller, asked: ModelsParameters, problem: ProblemError | None = None
    ) -> Response:
        product = dashboard.product
        if asked.model is not None:
            return await dashboard.show(
                request, caller, "pages/model_card.html", lambda: _card(product, caller, asked), problem=problem
            )
        return await dashboard.show_live(
            request,
            caller,
            "pages/models.html",
            asked.tenant,
            lambda around, _live: figures(product, caller, asked, around),
            _prepare,
            problem=problem,
        )

    @app.get(_PATH, include_in_schema=False)
    async def _models(
        request: Request, asked: _Asked, caller: Annotated[Caller, Depends(needs(Right.READ))]
    ) -> Response:
        return await shown(request, caller, asked)

    @app.post(_PATH, include_in_schema=False)
    async def _map(request: Request, asked: _Asked, caller: Annotated[Caller, Depends(needs(Right.WRITE))]) -> Response:
        answer = await map_by_form(dashboard, request, caller, _PATH)
        return await shown(request, caller, asked, answer) if isinstance(answer, ProblemError) else answer


def _card(product: Product, caller: Caller, asked: ModelsParameters) -> Figures:
    try:
        card = answer_card(product, asked.model or "", asked.provider)
    except ProblemError:
        card = None
    unknown: list[dict[str, Any]] = []
    if card is None:
        scope = caller.scope(Right.READ)
        rows = unknown_names(product.engine_for(scope), scope, "model", now=product.now())
        unknown = [row for row in rows if row["name"] == asked.model]
    return {
        "card": card,
        "asked": asked,
        "unknown": unknown,
        "narrowing": NARROWING,
        "causes_in_words": CAUSES,
        "routes": ROUTES,
        **mapping_figures(mappings(product.engine(), caller.scope(Right.READ)), caller, asked),
    }


def _prepare(around: Around) -> None:
    around.tenants()
    around.mappings()
