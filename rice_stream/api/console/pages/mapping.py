"""The form that says what a name stands for, on every page that shows names which no table knows."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import Request, Response
from pydantic import BaseModel, Field

from rice_stream.api.access.actors import actor_of
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.dashboard import Dashboard
from rice_stream.api.console.forms import Blank, PageForm
from rice_stream.api.parameters import Name
from rice_stream.api.problems import ProblemError, problem_of
from rice_stream.api.routing import check_every_tenant
from rice_stream.api.writes.accounts import HOLDS_FOR_ALL, MappingBody, answer_mapping
from rice_stream.errors import UsageError

Kind = Literal["tenant", "model", "region"]


class MappingForm(PageForm):
    """A mapping as it is filled in; without `valid_from` it holds from now on."""

    kind: Kind
    name: Name
    target: Name
    valid_from: Annotated[Annotated[str, Field(max_length=40)] | None, Blank] = None


def may_map(caller: Caller) -> bool:
    """Whether the form is offered: mappings hold for every tenant."""
    return caller.may(Right.WRITE) and caller.scope(Right.WRITE).is_everything


async def map_by_form(dashboard: Dashboard, request: Request, caller: Caller, path: str) -> Response | ProblemError:
    """Do what `POST /v1/mappings` does, and lead back to `path`; why it was not done, where what was filled in is not right."""
    check_every_tenant(caller, Right.WRITE, HOLDS_FOR_ALL)
    form = await dashboard.forms.read(request, caller, MappingForm)
    body = MappingBody.model_validate(form.model_dump())
    try:
        await dashboard.product.ask(answer_mapping, dashboard.product, body, actor_of(caller, request))
    except UsageError as error:
        return problem_of(error)
    return dashboard.done(path, mapped_kind=form.kind, mapped_name=form.name)


class MappedParameters(BaseModel):
    """What was mapped a moment ago: the page says what holds of it."""

    mapped_kind: Annotated[Kind | None, Blank] = None
    mapped_name: Annotated[Name | None, Blank] = None


def mapping_figures(rows: Sequence[dict[str, Any]], caller: Caller, asked: MappedParameters) -> dict[str, Any]:
    """What the form and its answer show: `may_map`, `mapped_names` (the last mapping of each kind and name), `just_mapped`;
    `rows` as of `reports.mappings`."""
    by_name = {f"{row['kind']}:{row['name']}": row for row in rows}
    return {
        "may_map": may_map(caller),
        "mapped_names": by_name,
        "just_mapped": by_name.get(f"{asked.mapped_kind}:{asked.mapped_name}"),
    }
