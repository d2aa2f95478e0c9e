"""`/periods`: what each month came to so far, its files, and how it stands: with a form that closes months for who may."""

from functools import partial
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import Field

from rice_stream.api.access.actors import actor_of
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.around import Around
from rice_stream.api.console.asked import AS_SHOWN, AmountsShown, PageParameters
from rice_stream.api.console.dashboard import Dashboard, Entry
from rice_stream.api.console.forms import Blank
from rice_stream.api.console.kept import Figures
from rice_stream.api.console.later import fetches_parts
from rice_stream.api.console.pages.covering import prepared
from rice_stream.api.console.pages.periods_closing import CloseForm, beginning
from rice_stream.api.console.pages.periods_figures import TENANTS, Part, periods
from rice_stream.api.parameters import Name, Parameters
from rice_stream.api.problems import ProblemError, problem_of
from rice_stream.api.routing import needs
from rice_stream.api.writes.periods import answer_close, check_may_close
from rice_stream.errors import NotFoundError, RiceError, ServiceUnavailableError
from rice_stream.reports.periods import periods as periods_of

PATH = "/periods"
_Reader = Annotated[Caller, Depends(needs(Right.READ))]


class PeriodsParameters(PageParameters):
    """Which year, how many tenants have a column of their own, which page of the months that are not open.

    `close`: the month of the tenant that is to be closed.
    """

    year: Annotated[Annotated[int, Field(ge=1971, le=9_000)] | None, Blank] = None
    columns: Annotated[int, Field(ge=1, le=50)] = TENANTS
    as_: AmountsShown = AS_SHOWN
    page: Annotated[Annotated[int, Field(ge=1, le=1_000_000)], Blank] = 1
    close: Annotated[str, Field(max_length=20)] | None = None
    said: Annotated[str, Field(max_length=200)] | None = None
    part: Literal["corrections", "all"] | None = Field(None, exclude=True)


class MonthParameters(Parameters):
    """Which month of whom."""

    tenant: Name
    month: str = Field(max_length=20)


def install(app: FastAPI, dashboard: Dashboard) -> None:
    """Add the page."""
    dashboard.entries.append(Entry(PATH, "Periods and reports", Right.READ))
    product = dashboard.product

    @app.get(PATH, include_in_schema=False)
    async def _periods(request: Request, asked: Annotated[PeriodsParameters, Query()], caller: _Reader) -> Response:
        if asked.close is not None:
            if not caller.may(Right.WRITE):
                raise ProblemError(HTTPStatus.FORBIDDEN, "your role does not close months")
            look = partial(beginning, product, caller, asked.tenant or "", asked.close)
            return await dashboard.show(request, caller, "pages/period_close.html", look)

        later: Part | None = "rest" if asked.part is None and fetches_parts(request) else None
        part: Part | None = "corrections" if asked.part == "corrections" else later

        def look_up(around: Around, _live: str) -> Figures:
            of_page = asked.as_, asked.page, part or "whole"
            return periods(product, caller, asked, asked.year, asked.columns, around, *of_page)

        prepare = partial(prepared, product)
        template = "pages/periods_corrections.html" if part == "corrections" else "pages/periods.html"
        return await dashboard.show_live(request, caller, template, asked.tenant, look_up, prepare, part=part)

    @app.post(PATH, include_in_schema=False)
    async def _close(
        request: Request,
        asked: Annotated[PeriodsParameters, Query()],
        caller: Annotated[Caller, Depends(needs(Right.WRITE))],
    ) -> Response:
        form = await dashboard.forms.read(request, caller, CloseForm)
        try:
            order = form.order()
            check_may_close(product, caller, order)
            await product.ask(answer_close, product, order, actor_of(caller, request))
        except ServiceUnavailableError:
            raise
        except (ProblemError, RiceError) as error:
            problem = error if isinstance(error, ProblemError) else problem_of(error)
            look = partial(beginning, product, caller, form.tenant, form.month)
            return await dashboard.show(request, caller, "pages/period_close.html", look, problem=problem)
        word = "closed softly" if order.soft else "closed and signed"
        said = f"{form.month} of {form.tenant} is being {word}; how far it has come is below."
        return dashboard.done(PATH, tenant=form.tenant, year=form.month[:4], said=said)

    @app.get(f"{PATH}/checkpoint", include_in_schema=False)
    async def _checkpoint(asked: Annotated[MonthParameters, Query()], caller: _Reader) -> Response:
        scope = product.scope(caller, Right.READ, asked.tenant)
        rows = await product.ask(lambda: periods_of(product.engine(), scope, product.now()))
        note = next((row["checkpoint"] for row in rows if row["month"] == asked.month), None)
        if note is None:
            raise NotFoundError("there is no signed checkpoint of this month that you may see")
        named = {"content-disposition": f'attachment; filename="checkpoint-{asked.month}.txt"'}
        return PlainTextResponse(note, headers=named)
