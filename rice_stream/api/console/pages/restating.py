"""The form of the page Periods that orders that prompts are estimated again, or asks what would come of it."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Query, Request, Response
from pydantic import Field

from rice_stream.api.access.actors import actor_of
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.dashboard import Dashboard
from rice_stream.api.console.forms import Blank, PageForm
from rice_stream.api.parameters import Name, Parameters
from rice_stream.api.problems import ProblemError
from rice_stream.api.routing import needs
from rice_stream.api.writes.restatements import RestatementBody, answer_order

_PAGE = "/periods"


class RestatementForm(PageForm):
    """What is estimated again, by what, and why; without `post` it is only worked out what would come of it."""

    tenant: Annotated[Name | None, Blank] = None
    from_: str = Field(alias="from", max_length=40)
    to: str = Field(max_length=40)
    method: Annotated[Literal["rice-calibrated", "rice-paper"] | None, Blank] = None
    true_up: Annotated[Literal["yes"] | None, Blank] = None
    factors: Annotated[Annotated[str, Field(max_length=200)] | None, Blank] = None
    reason: str = Field(max_length=1_000)
    post: Literal["yes"] | None = None

    def order(self) -> RestatementBody:
        """As the API takes it. ProblemError 400: there is no reason."""
        if not self.reason.strip():
            raise ProblemError(HTTPStatus.BAD_REQUEST, "reason: say why, in words that an auditor understands")
        said = self.model_dump(by_alias=True, exclude={"post", "true_up"})
        how = {"dry_run": self.post is None, "true_up": self.true_up is not None}
        return RestatementBody.model_validate({**said, **how})


def install(app: FastAPI, dashboard: Dashboard) -> None:
    """Add the route."""
    product = dashboard.product

    @app.post(f"{_PAGE}/restatements", include_in_schema=False)
    async def _order(
        request: Request,
        _: Annotated[Parameters, Query()],
        caller: Annotated[Caller, Depends(needs(Right.WRITE))],
    ) -> Response:
        form = await dashboard.forms.read(request, caller, RestatementForm)
        await product.ask(answer_order, product, caller, form.order(), actor_of(caller, request))
        what = "A dry run" if form.post is None else "A restatement"
        said = f"{what} is ordered; how far it has come is below, under Restatements."
        whose = {} if form.tenant is None else {"tenant": form.tenant}
        return dashboard.done(_PAGE, **whose, said=said)
