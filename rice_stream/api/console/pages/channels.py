"""`/channels`: where alerts are sent, and whether they arrive. With forms that set, try and remove channels, and send again."""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, FastAPI, Query, Request, Response

from rice_stream.api.access.actors import actor_of
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.around import Around
from rice_stream.api.console.dashboard import Dashboard
from rice_stream.api.console.kept import AFTERWARDS, Figures
from rice_stream.api.console.pages import channels_figures as figures
from rice_stream.api.console.pages.channels_asked import ChannelForm, ChannelsAsked
from rice_stream.api.console.pages.channels_changes import Done, do
from rice_stream.api.problems import ProblemError, problem_of
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.errors import RiceError, ServiceUnavailableError

_PATH = "/channels"
_LIST, _FORM, _SHOWN_ONCE = "pages/channels.html", "pages/channel_form.html", "pages/channel_key.html"
_Reader = Annotated[Caller, Depends(needs(Right.READ))]
_Editor = Annotated[Caller, Depends(needs(Right.WRITE))]


def install(app: FastAPI, dashboard: Dashboard) -> None:
    """Add the page. It is reached from the pages of administration and of budgets."""
    product = dashboard.product

    @app.get(_PATH, include_in_schema=False)
    async def _channels(request: Request, asked: Annotated[ChannelsAsked, Query()], caller: _Reader) -> Response:
        if figures.may_set(caller) and (asked.new or asked.change or asked.remove):
            return await dashboard.show(request, caller, _FORM, partial(figures.beginning, product, caller, asked))
        # Channels are those that the caller sees, whichever tenant's are shown: no figures of the tenant's own moment.
        all_of_them = {AFTERWARDS: partial(figures.listed, product, caller, asked)}

        def look_up(_around: Around, _live: str) -> Figures:
            return {**all_of_them}

        return await dashboard.show_live(request, caller, _LIST, asked.tenant, look_up, adds_up=False)

    @app.post(_PATH, include_in_schema=False)
    async def _changed(request: Request, caller: _Editor) -> Response:
        form = await dashboard.forms.read(request, caller, ChannelForm)
        try:
            done: Done = await product.ask(do, product, caller, form, actor_of(caller, request))
        except ServiceUnavailableError:
            raise
        except (ProblemError, RiceError) as error:
            problem = error if isinstance(error, ProblemError) else problem_of(error)
            if problem.status is HTTPStatus.PRECONDITION_FAILED:
                problem = ProblemError(
                    problem.status, "somebody else has changed it meanwhile; here it is as it is now"
                )
            template, look_up = _again(product, caller, form, problem)
            return await dashboard.show(request, caller, template, look_up, problem=problem)
        if done.new_key is not None:
            # In this answer only: not in an address, and not among the figures that are kept.
            frame = partial(figures.framed, product, caller, ChannelsAsked())
            return await dashboard.show(request, caller, _SHOWN_ONCE, frame, name=form.name, key=done.new_key)
        if done.delivery is not None:
            return dashboard.done(_PATH, delivery=str(done.delivery))
        return dashboard.done(_PATH, said=done.said or "")


def _again(
    product: Product, caller: Caller, form: ChannelForm, problem: ProblemError
) -> tuple[str, Callable[[], Figures]]:
    """What is shown where a change was not made: the form as it was sent; as the channel is now, where it has changed meanwhile."""
    is_stale = problem.status is HTTPStatus.PRECONDITION_FAILED
    if form.action not in ("make", "change", "remove") or (is_stale and form.id is None):
        return _LIST, partial(figures.listed, product, caller, ChannelsAsked())
    if is_stale:
        asked = ChannelsAsked.model_validate({form.action: form.id})
        return _FORM, partial(figures.beginning, product, caller, asked)
    return _FORM, partial(figures.entered, product, caller, form)
