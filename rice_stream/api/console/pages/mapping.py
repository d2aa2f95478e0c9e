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
from rice_stream.api.reads.accounts import identified, mapping_id
from rice_stream.api.writes.accounts import MappingBody, answer_mapping, mapping_scope
from rice_stream.errors import UsageError
from rice_stream.events.mappings import MappingKey
from rice_stream.quantities import NAME_LENGTH_MAX

Kind = Literal["tenant", "model", "region", "team", "project", "cost_centre"]


class MappingForm(PageForm):
    """A mapping as it is filled in; without `valid_from` it holds from now on."""

    kind: Kind
    name: Name
    target: Name
    valid_from: Annotated[Annotated[str, Field(max_length=40)] | None, Blank] = None
    tenant_id: Annotated[Name | None, Blank] = None
    subject: Annotated[Literal["user", "api_key", "project", "team"] | None, Blank] = None


def may_map(caller: Caller) -> bool:
    """Whether the form is offered for what holds for every tenant."""
    return caller.may(Right.WRITE) and caller.scope(Right.WRITE).is_everything


async def map_by_form(dashboard: Dashboard, request: Request, caller: Caller, path: str) -> Response | ProblemError:
    """Do what `POST /v1/mappings` does, and lead back to `path`; why it was not done, where what was filled in is not right."""
    form = await dashboard.forms.read(request, caller, MappingForm)
    body = MappingBody.model_validate(form.model_dump())
    scope = mapping_scope(dashboard.product, caller, body.kind, body.tenant_id)
    try:
        await dashboard.product.ask(answer_mapping, dashboard.product, scope, body, actor_of(caller, request))
    except UsageError as error:
        return problem_of(error)
    key = MappingKey(form.kind, form.name, form.tenant_id or "", form.subject or "")
    return dashboard.done(path, mapped=mapping_id(key))


class MappedParameters(BaseModel):
    """What was mapped a moment ago: the page says what holds of it."""

    mapped: Annotated[Annotated[str, Field(max_length=4 * NAME_LENGTH_MAX)] | None, Blank] = None
    """Its id."""


def mapping_figures(rows: Sequence[dict[str, Any]], caller: Caller, asked: MappedParameters) -> dict[str, Any]:
    """What the form and its answer show: `may_map`, `mapped_names` (the last mapping of each id), `just_mapped`;
    `rows` as of `reports.mappings`."""
    by_name = {row["id"]: row for row in map(identified, rows)}
    return {
        "may_map": may_map(caller),
        "mapped_names": by_name,
        "just_mapped": by_name.get(asked.mapped or ""),
    }
