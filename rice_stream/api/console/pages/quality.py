"""`/quality`: where the numbers are weak, as lists of work that is done here."""

from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query, Request, Response
from pydantic import Field

from rice_stream.api.access.actors import actor_of
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.around import Around
from rice_stream.api.console.dashboard import Dashboard, Entry
from rice_stream.api.console.forms import PageForm, Text
from rice_stream.api.console.kept import Figures
from rice_stream.api.console.pages.mapping import map_by_form
from rice_stream.api.console.pages.quality_figures import QualityParameters, figures, prepared
from rice_stream.api.problems import ProblemError, problem_of
from rice_stream.api.routing import check_every_tenant, needs
from rice_stream.api.writes.quarantine import NO_TENANTS, ChosenItems, ReplayBody, answer_drop, answer_replay
from rice_stream.errors import RiceError, ServiceUnavailableError

_PATH = "/quality"
_Asked = Annotated[QualityParameters, Query()]


class SettleForm(PageForm):
    """Refused items that are chosen, and what becomes of them; dropping has to be confirmed."""

    ids: Annotated[list[int], Field(max_length=1_000)]
    action: Literal["replay", "drop"]
    set: Text = None
    confirm: Text = None

    def fields(self) -> dict[str, str]:
        """What is put over the items' fields, from a line for each. ProblemError 400: a line without a sign of equality."""
        lines = [line.strip() for line in (self.set or "").splitlines() if line.strip()]
        if any("=" not in line for line in lines):
            raise ProblemError(HTTPStatus.BAD_REQUEST, "set: write field=value on each line, such as tenant_id=acme")
        return {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}


def install(app: FastAPI, dashboard: Dashboard) -> None:
    """Add the page."""
    dashboard.entries.append(Entry(_PATH, "Data quality", Right.READ))
    product = dashboard.product

    async def shown(request: Request, caller: Caller, asked: QualityParameters, **more: Any) -> Response:
        def look_up(around: Around, _live: str) -> Figures:
            return figures(product, caller, asked, around)

        prepare = partial(prepared, product, asked)
        return await dashboard.show_live(
            request, caller, "pages/quality.html", asked.tenant, look_up, prepare, **{"confirming": None, **more}
        )

    @app.get(_PATH, include_in_schema=False)
    async def _quality(
        request: Request, asked: _Asked, caller: Annotated[Caller, Depends(needs(Right.READ))]
    ) -> Response:
        return await shown(request, caller, asked)

    @app.post(_PATH, include_in_schema=False)
    async def _change(
        request: Request, asked: _Asked, caller: Annotated[Caller, Depends(needs(Right.WRITE))]
    ) -> Response:
        if asked.do != "settle":
            answer = await map_by_form(dashboard, request, caller, _PATH)
            return await shown(request, caller, asked, problem=answer) if isinstance(answer, ProblemError) else answer
        check_every_tenant(caller, Right.WRITE, NO_TENANTS)
        form = await dashboard.forms.read(request, caller, SettleForm)
        if form.action == "drop" and form.ids and form.confirm is None:
            return await shown(request, caller, asked, confirming=form.ids)
        try:
            return await _settled(dashboard, request, caller, form)
        except ServiceUnavailableError:
            raise
        except (ProblemError, RiceError) as error:
            problem = error if isinstance(error, ProblemError) else problem_of(error)
            return await shown(request, caller, asked, problem=problem)


async def _settled(dashboard: Dashboard, request: Request, caller: Caller, form: SettleForm) -> Response:
    """What the API's routes do. ProblemError, RiceError: nothing was done, and why."""
    product, by = dashboard.product, actor_of(caller, request)
    if not form.ids:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "ids: no item was chosen")
    if form.action == "drop":
        done = await product.ask(answer_drop, product, ChosenItems(ids=form.ids), by)
        return dashboard.done(_PATH, dropped=str(done["dropped"]))
    done = await product.ask(answer_replay, product, ReplayBody(ids=form.ids, set=form.fields()), by)
    return dashboard.done(_PATH, replayed=str(done["replayed"]), held=str(done["held"]))
