"""`/prompts/{event_id}`: why this number?"""

from collections.abc import Callable
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, FastAPI, Query, Request, Response

from rice_stream.api.access.actors import actor_of
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.basis_words import KNOWN, sentences
from rice_stream.api.console.dashboard import Dashboard
from rice_stream.api.console.kept import MARKER, Figures
from rice_stream.api.console.pages.corrections import VoidForm, adjustments_told, void_shown
from rice_stream.api.console.pages.record_figures import (
    carbon_of,
    causes_of,
    energy_bars,
    licences_in,
    narrowing_of,
    rests_on,
)
from rice_stream.api.problems import ProblemError, problem_of
from rice_stream.api.product import Product
from rice_stream.api.reads.prompts import (
    RecordParameters,
    answer_explanation,
    answer_record,
    found_key,
    methods_of,
)
from rice_stream.api.routing import needs
from rice_stream.errors import NotFoundError, RiceError, ServiceUnavailableError
from rice_stream.estimator.method import Method
from rice_stream.instants import parse_instant
from rice_stream.reports.meta import reach_later
from rice_stream.reports.one_moment import one_moment
from rice_stream.reports.progress import progress_marker
from rice_stream.reports.prompt_neighbours import neighbours_later
from rice_stream.reports.record_adjustments import record_adjustments_later
from rice_stream.reports.record_month import record_month_later
from rice_stream.reports.tenants import named_tenant_later
from rice_stream.store.scope import Scope


def install(app: FastAPI, dashboard: Dashboard) -> None:
    """Add the page. An event id may hold any signs, slashes among them."""
    opened = methods_of(dashboard.product)

    async def shown(
        request: Request, caller: Caller, event_id: str, asked: RecordParameters, problem: ProblemError | None = None
    ) -> Response:
        return await dashboard.show(
            request,
            caller,
            "pages/record.html",
            lambda: _figures(dashboard.product, caller, event_id, asked, opened),
            problem=problem,
        )

    @app.get("/prompts/{event_id:path}", include_in_schema=False)
    async def _record(
        request: Request,
        event_id: str,
        asked: Annotated[RecordParameters, Query()],
        caller: Annotated[Caller, Depends(needs(Right.READ))],
    ) -> Response:
        return await shown(request, caller, event_id, asked)

    @app.post("/prompts/{event_id:path}", include_in_schema=False)
    async def _void(
        request: Request,
        event_id: str,
        asked: Annotated[RecordParameters, Query()],
        caller: Annotated[Caller, Depends(needs(Right.WRITE))],
    ) -> Response:
        form = await dashboard.forms.read(request, caller, VoidForm)
        by, product = actor_of(caller, request), dashboard.product
        try:
            await product.ask(void_shown, product, caller, event_id, asked, form.reason, by)
        except (NotFoundError, ServiceUnavailableError):
            raise
        except (ProblemError, RiceError) as error:
            problem = error if isinstance(error, ProblemError) else problem_of(error)
            return await shown(request, caller, event_id, asked, problem=problem)
        return dashboard.done(f"/prompts/{quote(event_id, safe='')}", **dict(request.query_params))


def _figures(
    product: Product, caller: Caller, event_id: str, asked: RecordParameters, opened: Callable[[str], Method]
) -> Figures:
    """Of one moment of the tenant whose the prompt is."""
    if asked.tenant is None:
        record = answer_record(product, caller, event_id, asked)
        whose = {"tenant": record["tenant_id"], "ended_at": parse_instant(record["ended_at"])}
        asked = asked.model_copy(update=whose)
    scope = product.scope(caller, Right.READ, asked.tenant)
    with one_moment(product.engine(), scope, keeps_join_order=True):
        return _looked_up(product, caller, scope, event_id, asked, opened)


def _looked_up(
    product: Product,
    caller: Caller,
    scope: Scope,
    event_id: str,
    asked: RecordParameters,
    opened: Callable[[str], Method],
) -> Figures:
    engine = product.engine()
    reach_later(engine, scope)
    tenant = named_tenant_later(engine, scope, asked.tenant or "")
    found = found_key(product, scope, event_id, asked)
    # What is beside the record is looked for while it is told how it came about.
    neighbours = neighbours_later(engine, scope, found.key)
    adjustments = record_adjustments_later(engine, scope, found.key)
    month = record_month_later(engine, scope, found.key, found.ended_at_us)
    explained = answer_explanation(product, caller, event_id, asked, opened)
    record, steps = explained["record"], explained["steps"]
    sources = product.estimator().reference.sources()
    causes = causes_of(steps)
    return {
        **explained,
        "carbon": carbon_of(record),
        "bars": energy_bars(steps),
        "causes": causes,
        "narrowing": narrowing_of(causes),
        "rests": rests_on(record),
        "known": KNOWN,
        "words": sentences(record["basis"]),
        "by_name": {step["name"]: step for step in steps},
        "licences": {step["name"]: licences_in(step["source"], sources) for step in steps},
        "neighbours": neighbours(),
        **adjustments_told(adjustments()),
        "month": month(),
        "meta": product.meta(scope, None),
        MARKER: progress_marker(engine, scope),
        "zone": tenant()["time_zone"],
    }
