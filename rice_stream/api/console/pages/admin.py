"""`/admin`: who may do what, who did what, what names stand for, and how the ledger is."""

from functools import partial
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response

from rice_stream.api.access.actors import actor_of
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.dashboard import Dashboard, Entry
from rice_stream.api.console.pages.admin_asked import AdminAsked, AdminForm
from rice_stream.api.console.pages.admin_figures import AdminFigures
from rice_stream.api.console.pages.explore_links import words_of
from rice_stream.api.problems import ProblemError, not_found, problem_of
from rice_stream.api.product import Product
from rice_stream.api.reads.accounts import mapping_of
from rice_stream.api.routing import needs
from rice_stream.api.writes.accounts import answer_mapping, end_of_mapping, mapping_scope
from rice_stream.api.writes.erasures import answer_erasure, check_may_erase
from rice_stream.api.writes.tokens import answer_new_token, answer_revocation, answer_rotation
from rice_stream.errors import RiceError, ServiceUnavailableError
from rice_stream.store.audit import Actor

_PATH, _TEMPLATE, _SHOWN_ONCE = "/admin", "pages/admin.html", "pages/admin_token.html"
_SECTIONS = {
    **dict.fromkeys(("make", "rotate", "revoke"), "tokens"),
    **dict.fromkeys(("map", "unmap"), "names"),
    "erase": "erasing",
}
_Auditor = Annotated[Caller, Depends(needs(Right.READ_AUDIT))]
_Manager = Annotated[Caller, Depends(needs(Right.MANAGE_TOKENS))]


def install(app: FastAPI, dashboard: Dashboard) -> None:
    """Add the page. Whoever manages tokens reads the audit trail as well: it is the right to come here."""
    dashboard.entries.append(Entry(_PATH, "Admin", Right.READ_AUDIT))
    product = dashboard.product
    figures = AdminFigures(product)

    @app.get(_PATH, include_in_schema=False)
    async def _admin(request: Request, asked: Annotated[AdminAsked, Query()], caller: _Auditor) -> Response:
        return await dashboard.show(request, caller, _TEMPLATE, partial(figures.of, caller, asked))

    @app.post(_PATH, include_in_schema=False)
    async def _changed(request: Request, caller: _Manager) -> Response:
        form = await dashboard.forms.read(request, caller, AdminForm)
        try:
            done = await product.ask(_do, product, caller, form, actor_of(caller, request))
        except ServiceUnavailableError:
            raise
        except (ProblemError, RiceError) as error:
            problem = error if isinstance(error, ProblemError) else problem_of(error)
            look_up = partial(figures.entered, caller, form, _SECTIONS[form.action])
            return await dashboard.show(request, caller, _TEMPLATE, look_up, problem=problem)
        if "token" in done:
            # In this answer only: not in an address, and not among the figures that are kept.
            address = product.settings.http_public_url or str(request.base_url)
            return await dashboard.show(
                request, caller, _SHOWN_ONCE, figures.frame, made=done, server=address.rstrip("/")
            )
        return dashboard.done(_PATH, section=_SECTIONS[form.action], said=done["said"])


def _do(product: Product, caller: Caller, form: AdminForm, by: Actor) -> dict[str, Any]:
    """What was made, or what to say. ProblemError, RiceError: it was not done, and why."""
    if form.action == "make":
        return answer_new_token(product, caller, by, form.token())
    if form.action == "rotate":
        return answer_rotation(product, caller, by, _id(form), form.overlap())
    if form.action == "revoke":
        ended = answer_revocation(product, caller, by, _id(form))
        also = len(ended["also_revoked"])
        return {"said": f"The token “{ended['name']}” is revoked{f', and {also} that came of it' if also else ''}."}
    if form.action == "erase":
        check_may_erase(caller)
        erased = answer_erasure(product, form.erasure(), by)["erased"]
        rows = sum(erased.values())
        return {"said": f"The name is erased: it was in {rows} {'row' if rows == 1 else 'rows'}."}
    if form.action == "unmap":
        key = mapping_of(form.id or "")
        end_of_mapping(product, mapping_scope(product, caller, key.kind, key.tenant_id or None), key, by)
        return {"said": "The name stands for itself again, in events from now on."}
    body = form.mapping()
    answer_mapping(product, mapping_scope(product, caller, body.kind, body.tenant_id), body, by)
    if body.tenant_id:
        whom = f"the {words_of(body.kind)} “{body.target}”"
        return {
            "said": f"What “{body.tenant_id}” is charged for under “{body.name}” is charged to {whom} from then on."
        }
    return {"said": f"“{body.name}” stands for “{body.target}” in events from then on."}


def _id(form: AdminForm) -> int:
    if form.id is None or not form.id.isdecimal() or int(form.id) >= 2**63:
        raise not_found("id: there is no such token")
    return int(form.id)
