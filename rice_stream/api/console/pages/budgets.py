"""`/budgets`: will each budget last? With forms that set, change and remove budgets for who may write."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import Depends, FastAPI, Query, Request, Response

from rice_stream.api.access.actors import actor_of
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.around import Around
from rice_stream.api.console.dashboard import Dashboard, Entry
from rice_stream.api.console.kept import Figures
from rice_stream.api.console.pages import budgets_figures as figures
from rice_stream.api.console.pages.budgets_asked import BudgetForm, BudgetsAsked
from rice_stream.api.etags import check_seen
from rice_stream.api.problems import ProblemError, problem_of
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.api.writes.budgets import change_budget, drop_budget, make_budget, parsed_budget
from rice_stream.errors import RiceError, ServiceUnavailableError
from rice_stream.store.audit import Actor

_PATH = "/budgets"
_LIST, _ONE, _FORM = "pages/budgets.html", "pages/budget.html", "pages/budget_form.html"
_Reader = Annotated[Caller, Depends(needs(Right.READ))]
_Editor = Annotated[Caller, Depends(needs(Right.WRITE))]


def install(app: FastAPI, dashboard: Dashboard) -> None:
    """Add the page."""
    dashboard.entries.append(Entry(_PATH, "Budgets and alerts", Right.READ))
    product = dashboard.product

    @app.get(_PATH, include_in_schema=False)
    async def _budgets(request: Request, asked: Annotated[BudgetsAsked, Query()], caller: _Reader) -> Response:
        form = _form(asked, caller)
        if form is not None:
            # A form that is being filled in is not looked at again.
            return await dashboard.show(request, caller, _FORM, partial(form, product, caller, asked))
        look_up = figures.listed if asked.name is None else figures.one

        def found(around: Around, _live: str) -> Figures:
            return look_up(product, caller, asked, around)

        prepare = partial(figures.prepared, product)
        template = _LIST if asked.name is None else _ONE
        return await dashboard.show_live(request, caller, template, asked.tenant, found, prepare, adds_up=False)

    @app.post(_PATH, include_in_schema=False)
    async def _changed(request: Request, caller: _Editor) -> Response:
        form = await dashboard.forms.read(request, caller, BudgetForm)
        try:
            owner = await product.ask(_do, product, caller, form, actor_of(caller, request))
        except ServiceUnavailableError:
            raise
        except (ProblemError, RiceError) as error:
            problem = error if isinstance(error, ProblemError) else problem_of(error)
            look_up = partial(figures.entered, product, caller, form, problem)
            return await dashboard.show(request, caller, _FORM, look_up, problem=problem)
        if form.action == "remove":
            return dashboard.done(_PATH, said=f"The budget “{form.name}” is removed. Its alerts stay.")
        word = "set" if form.action == "make" else "changed"
        return dashboard.done(_PATH, name=form.name or "", tenant=owner, said=f"The budget is {word}.")


def _form(asked: BudgetsAsked, caller: Caller) -> Callable[[Product, Caller, BudgetsAsked], Figures] | None:
    """The figures of the form that is asked for; None: no form is, or none that the caller may send."""
    if caller.may(Right.WRITE):
        if asked.name is not None and (asked.change or asked.remove):
            return figures.changing
        if asked.new:
            return figures.beginning
    return None


def _do(product: Product, caller: Caller, form: BudgetForm, by: Actor) -> str:
    """Whose the budget is. ProblemError, RiceError: it was not done, and why."""
    check = partial(check_seen, {form.etag or ""})
    if form.action == "remove":
        drop_budget(product, caller, form.name or "", form.tenant, by, check)
        return ""
    values = form.values()
    if form.action == "make":
        wanted = parsed_budget({**values, "name": form.name, "tenant_id": form.tenant})
        done = make_budget(product, caller, wanted, by)
    else:
        done = change_budget(product, caller, form.name or "", form.tenant, values, by, check)
    return str(done["tenant_id"])
