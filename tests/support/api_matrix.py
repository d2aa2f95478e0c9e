"""Requests for every route of the API: for what is one's own, for what is another's, and for lists."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI
from fastapi.routing import APIRoute

from rice_stream.api.access.rights import Right
from rice_stream.api.routing import rights_of
from tests.support.owned_names import delivery_of, mark, team_name, tenant_name

EVENT: dict[str, Any] = {
    "event_id": "sent",
    "ended_at": "2026-11-22T11:45:00Z",
    "request_model": "m",
    "input_tokens": 1,
    "output_tokens": 1,
}
_FORM = {"content-type": "application/x-www-form-urlencoded"}
_UPLOAD = {"content-type": "multipart/form-data; boundary=x"}
RESTATEMENT: dict[str, Any] = {"from": "2026-11-01", "to": "2026-12-01", "reason": "r"}
RECONCILIATION: dict[str, Any] = {"month": "2026-10", "provider": "openai", "usage": "no usage"}
BUDGET: dict[str, Any] = {"limit_kwh": 3, "period": "month"}


@dataclass(frozen=True)
class Try:
    """One request. `of` is the owner and the team whose it is about; None: it is about no one thing, it is a list."""

    method: str
    path: str
    route: str
    of: tuple[str, str | None] | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def routes(app: FastAPI) -> dict[tuple[str, str], frozenset[Right]]:
    """Method and path of every route that is not open -> the rights that it needs."""
    return {
        (method, route.path): rights_of(route)
        for route in app.routes
        if isinstance(route, APIRoute) and rights_of(route)
        for method in route.methods or ()
    }


def lists() -> Iterator[Try]:
    """Everything that is asked for without a name, as a whole and of one's own."""
    for path in (
        "/v1/totals",
        "/v1/totals?by=tenant,team,project,user,model,provider,region,day",
        "/v1/totals?by=team&window=24h",
        "/v1/totals?by=team,model&top=1&bucket=day&time_zone=America/New_York",
        "/v1/totals?by=team&team=&model=gpt-4o&provider=",
        "/v1/totals?by=tenant,model&format=csv",
        "/v1/totals?by=tenant,model&format=parquet",
        "/v1/rolling-totals",
        "/v1/tenants",
        "/v1/prompts?limit=1000",
        "/v1/prompts?format=csv",
        "/v1/prompts?format=parquet",
        "/v1/budgets",
        "/v1/budgets?forecast=true",
        "/v1/alerts?limit=1000",
        "/v1/channels",
        "/v1/channels/kafka",
        "/v1/deliveries?limit=1000",
        "/v1/coverage",
        "/v1/quarantine",
        "/v1/quarantine?status=all",
        "/v1/mappings",
        "/v1/factors",
        "/v1/bridge",
        "/v1/contracts",
        "/v1/restatements?limit=1000",
        "/v1/periods",
        "/v1/periods/closings",
        "/v1/reconciliations?limit=1000",
        "/v1/compare?from=2020-01-01&model=gpt-4o",
        "/v1/models?limit=5",
        "/v1/regions?limit=5",
        "/v1/rank?model=gpt-4o",
        "/v1/stream?limit=1",
    ):
        yield Try("GET", path, path.partition("?")[0].replace("/kafka", "/{name}"))
    for path in ("/v1/tokens?limit=1000", "/v1/audit?limit=1000", "/v1/checkpoints?limit=1000"):
        yield Try("GET", path, path.partition("?")[0])
    yield Try("GET", "/v1/audit/999999/proof", "/v1/audit/{entry_id}/proof")
    yield Try("POST", "/v1/tokens", "/v1/tokens", body={"name": "n", "role": "nobody"})
    yield Try("POST", "/v1/tokens/999999/rotate", "/v1/tokens/{token_id}/rotate", body={})
    yield Try("DELETE", "/v1/tokens/999999", "/v1/tokens/{token_id}")
    for path in ("/", "/?by=team", "/?by=tenant&time_zone=Asia/Kathmandu"):
        yield Try("GET", path, "/")
    yield Try("GET", "/models", "/models")
    yield Try("GET", "/models?model=gpt-4o", "/models")
    yield Try("GET", "/models?from=2020-01-01&to_model=gpt-4o&share=50", "/models")
    yield Try("POST", "/models", "/models", body={})
    for query in ("", "?by=team&window=mtd&measure=tokens", "?from=2020-01-01&without=team&model=gpt-4o&rows=1"):
        yield Try("GET", f"/explore{query}", "/explore")
    for path in ("/budgets", "/budgets?new=true"):
        yield Try("GET", path, "/budgets")
    yield Try("GET", "/quality?days=366", "/quality")
    yield Try("GET", "/quality?item=1", "/quality")
    yield Try("POST", "/quality", "/quality", body={})
    yield Try("POST", "/quality?do=settle", "/quality", body={})
    yield Try("GET", "/v1/coverage?days=366&bucket=day", "/v1/coverage")
    for query in ("", "?columns=1&time_zone=Asia/Kathmandu", "?year=2020"):
        yield Try("GET", f"/periods{query}", "/periods")
    yield Try("GET", "/periods?close=2026-10&tenant=nobody", "/periods")
    yield Try("POST", "/periods", "/periods", body=b"tenant=nobody&month=2100-01&how=soft", headers=_FORM)
    restating = b"tenant=nobody&from=2020-01-01&to=2021-01-01&reason=r"
    yield Try("POST", "/periods/restatements", "/periods/restatements", body=restating, headers=_FORM)
    covering = b"tenant=nobody&month=2100-01"
    yield Try("POST", "/periods/contracts", "/periods/contracts", body=covering, headers=_FORM)
    yield Try("POST", "/periods/reconciliations", "/periods/reconciliations", body=b"--x--", headers=_UPLOAD)
    yield Try("GET", "/periods/checkpoint?tenant=nobody&month=2026-10", "/periods/checkpoint")
    for section in ("tokens", "audit", "roles", "names", "factors", "erasing", "system"):
        yield Try("GET", f"/admin?section={section}", "/admin")
    yield Try("GET", "/admin?rotate=1&revoke=2&new=true&ended=true", "/admin")
    for form in (
        "action=rotate&id=999999",
        "action=revoke&id=999999",
        "action=make&name=n&role=nobody",
        "action=unmap&id=model:no",
    ):
        yield Try("POST", "/admin", "/admin", body=form.encode(), headers=_FORM)
    for query in (
        "",
        "?state=due&since=2020-01-01",
        "?new=true",
        "?new=true&type=slack",
        "?delivery=1",
        "?change=1",
        "?remove=1",
    ):
        yield Try("GET", f"/channels{query}", "/channels")
    for form in ("action=test&name=nobody", "action=remove&name=nobody", "action=resend&id=999999", "action=resend"):
        yield Try("POST", "/channels", "/channels", body=form.encode(), headers=_FORM)
    yield Try("GET", "/reference", "/reference")
    yield Try("POST", "/preferences", "/preferences", body={})
    yield Try("GET", "/problems/not-found", "/problems/{slug}")
    yield Try("GET", "/v1/factors/diff?a=no-such&b=no-such", "/v1/factors/diff")
    yield Try("POST", "/v1/periods/close", "/v1/periods/close", body={"tenant_id": "nobody", "month": "2100-01"})
    yield Try("GET", "/v1/factors/no-such", "/v1/factors/{digest}")
    yield Try("POST", "/v1/factors", "/v1/factors", body={"kind": "rci", "name": "n", "rows": []})
    yield Try("GET", "/v1/models/gpt-4o", "/v1/models/{model:path}")
    yield Try("POST", "/v1/estimate", "/v1/estimate", body={"model": "gpt-4o", "input_tokens": 1, "output_tokens": 1})
    for route in ("/v1/quarantine/drop", "/v1/quarantine/replay"):
        yield Try("POST", route, route, body={"ids": [999_999]})
    yield Try("POST", "/v1/restatements", "/v1/restatements", body={**RESTATEMENT, "to": "2000-01-01"})
    yield Try("GET", "/v1/periods/closings/no-such", "/v1/periods/closings/{closing_id}")
    yield Try("GET", "/v1/reconciliations/no-such", "/v1/reconciliations/{reconciliation_id}")
    never = {"tenant_id": "nobody", "month": "2100-01"}
    yield Try("POST", "/v1/contracts/apply", "/v1/contracts/apply", body=never)
    yield Try("POST", "/v1/reconciliations", "/v1/reconciliations", body={**RECONCILIATION, "tenant_id": "nobody"})
    yield Try("GET", "/v1/restatements/no-such", "/v1/restatements/{restatement_id}")
    yield Try("POST", "/v1/void", "/v1/void", body={"event_id": "no-such-event", "reason": "none"})
    yield Try("GET", "/v1/quarantine/1", "/v1/quarantine/{quarantine_id}")
    nobody = {"tenant_id": "nobody", "reason": "r", "dry_run": True}
    yield Try("POST", "/v1/erasures", "/v1/erasures", body=nobody)
    yield Try("POST", "/v1/mappings", "/v1/mappings", body={"kind": "model", "name": "n", "target": "no-such-model"})
    listed = [{"kind": "model", "name": "n", "target": "no-such-model"}]
    yield Try("POST", "/v1/mappings/import", "/v1/mappings/import", body={"mappings": listed})
    yield Try("DELETE", "/v1/mappings/model:no-such", "/v1/mappings/{mapping:path}")


def about(owner: str, team: str | None) -> Iterator[Try]:
    """Everything that is asked for by the name of a tenant, or of what belongs to a team of it."""
    own, tenant = mark(owner, team), tenant_name(owner)
    whole: tuple[str, str | None] = (owner, None)
    for path in (
        "/",
        "/v1/totals",
        "/v1/totals?by=team,model&from=2020-01-01",
        "/v1/prompts",
        "/v1/prompts?format=csv",
        "/v1/rolling-totals",
        "/v1/budgets",
        "/v1/alerts",
        "/v1/channels",
        "/v1/deliveries",
        "/v1/coverage",
        "/v1/periods",
        "/v1/periods/closings",
        "/v1/reconciliations",
        "/v1/stream?limit=1",
        "/v1/bridge",
        "/v1/restatements",
        "/v1/compare?from=2020-01-01&model=gpt-4o",
        "/models?from=2020-01-01&to_model=gpt-4o",
        "/explore?from=2020-01-01&by=project",
        "/quality?days=366",
        "/periods",
        "/channels",
    ):
        yield Try("GET", f"{path}{'&' if '?' in path else '?'}tenant={tenant}", path.partition("?")[0], (owner, "any"))
    for query in ("", f"?tenant={tenant}"):
        for tail in ("", "/explain", "/adjustments"):
            route = "/v1/prompts/{event_id:path}" + tail
            yield Try("GET", f"/v1/prompts/event-{own}-1{tail}{query}", route, (owner, team))
        yield Try("GET", f"/v1/proofs/event-{own}-1{query}", "/v1/proofs/{event_id:path}", (owner, team))
        yield Try("GET", f"/prompts/event-{own}-1{query}", "/prompts/{event_id:path}", (owner, team))
        # Refused to everybody, so that it is there for the next one.
        page = f"/prompts/event-{own}-1{query}"
        yield Try("POST", page, "/prompts/{event_id:path}", (owner, team), b"reason=+", _FORM)
        void = {"event_id": f"event-{own}-1", "reason": " ", **({"tenant": tenant} if query else {})}
        yield Try("POST", "/v1/void", "/v1/void", (owner, team), void)
        for tail in ("", "/history", "/burn-down"):
            yield Try("GET", f"/v1/budgets/budget-{own}{tail}{query}", "/v1/budgets/{name}" + tail, (owner, team))
        headers = {"If-Match": '"0"'}
        name = f"/v1/budgets/budget-{own}{query}"
        changed = {**BUDGET, "team_id": None if team is None else team_name(owner, team)}
        yield Try("PUT", name, "/v1/budgets/{name}", (owner, team), changed, headers)
        yield Try("DELETE", name, "/v1/budgets/{name}", (owner, team), headers=headers)
    new = {
        "name": f"new-{own}",
        "tenant_id": tenant,
        **BUDGET,
        "team_id": None if team is None else team_name(owner, team),
    }
    yield Try("POST", "/v1/budgets", "/v1/budgets", (owner, team), {**new, "period": "fortnight"})
    team_asked = "" if team is None else f"&team={team_name(owner, team)}"
    yield Try("GET", f"/v1/suggested-budget?tenant={tenant}{team_asked}", "/v1/suggested-budget", (owner, team))
    for query in (f"tenant={tenant}", f"new=true&tenant={tenant}{team_asked}"):
        yield Try("GET", f"/budgets?{query}", "/budgets", (owner, "any"))
    for query in ("", "&change=true", "&remove=true"):
        yield Try("GET", f"/budgets?name=budget-{own}&tenant={tenant}{query}", "/budgets", (owner, team))
    for action, named in (("make", f"new-{own}"), ("change", f"budget-{own}"), ("remove", f"budget-{own}")):
        form = {"action": action, "name": named, "tenant": tenant, "period": "fortnight", "limit": "3", "etag": '"0"'}
        yield Try("POST", "/budgets", "/budgets", (owner, team), urlencode(form).encode(), _FORM)
    yield from _exports(owner)
    yield Try("GET", f"/v1/audit?tenant={tenant}", "/v1/audit", whole)
    yield Try("GET", f"/admin?section=audit&tenant={tenant}", "/admin", (owner, "any"))
    for soft in (True, False):
        # Not over for long: nobody closes it.
        month = {"tenant_id": tenant, "month": "2100-01", "soft": soft}
        yield Try("POST", "/v1/periods/close", "/v1/periods/close", whole, month)
    yield Try("GET", f"/periods/checkpoint?tenant={tenant}&month=2026-10", "/periods/checkpoint", whole)
    # Not over for long: nothing covers it.
    month = {"tenant_id": tenant, "month": "2100-01"}
    yield Try("POST", "/v1/contracts/apply", "/v1/contracts/apply", whole, month)
    # Refused to everybody: it is no usage.
    yield Try("POST", "/v1/reconciliations", "/v1/reconciliations", whole, {**RECONCILIATION, "tenant_id": tenant})
    asked = {"name": f"new-{own}", "role": "reader", "tenants": [tenant], "expires_days": -1}
    made = {"action": "make", "name": f"new-{own}", "role": "reader", "tenants": tenant, "expires_days": "-1"}
    yield Try("POST", "/admin", "/admin", whole, urlencode(made).encode(), _FORM)
    # Refused to everybody: without an address, without having seen it, and because it waits for its turn anyway.
    for action, named in (("make", f"new-{own}"), ("remove", f"channel-{own}"), ("resend", f"channel-{own}")):
        form = {
            "action": action,
            "name": named,
            "of": tenant,
            "tenants": tenant,
            "type": "slack",
            "id": str(2 * int(owner) + 1),
        }
        yield Try("POST", "/channels", "/channels", whole, urlencode(form).encode(), _FORM)
    yield Try("POST", "/v1/tokens", "/v1/tokens", whole, asked)
    # Refused to everybody: nothing lies in the stretch.
    yield Try(
        "POST", "/v1/restatements", "/v1/restatements", whole, {**RESTATEMENT, "tenant": tenant, "to": "2000-01-01"}
    )
    yield Try("PUT", f"/v1/tenants/{tenant}", "/v1/tenants/{tenant_id:path}", whole, {"time_zone": "Mars/Olympus"})
    if team is None:
        yield from _about_channels(owner)
    event = {**EVENT, "tenant_id": tenant, "team_id": None if team is None else team_name(owner, team)}
    yield Try("POST", "/v1/events", "/v1/events", (owner, team), event)
    for signal in ("traces", "logs"):
        yield Try("POST", f"/v1/{signal}", f"/v1/{signal}", whole, b"\x00")


def _exports(owner: str) -> Iterator[Try]:
    """Files of a tenant's month."""
    for tail in ("", "/manifest"):
        asked = f"chargeback{tail}?tenant={tenant_name(owner)}&month=2026-11&by=team,project,user"
        yield Try("GET", f"/v1/exports/{asked}", "/v1/exports/{kind}" + tail, (owner, "any"))
    for kind in ("focus", "scope-pack", "sci", "prompts", "spruce"):
        asked = f"/v1/exports/{kind}?tenant={tenant_name(owner)}&month=2026-11"
        yield Try("GET", asked, "/v1/exports/{kind}", (owner, "any"))


def _about_channels(owner: str) -> Iterator[Try]:
    """A channel is for all teams of its tenants, and so another's to whoever sees some of them only."""
    own, whole, route = mark(owner, None), (owner, None), "/v1/channels/{name}"
    new = {"name": f"new-{own}", "type": "webhook", "tenants": [tenant_name(owner)], "min_severity": "fortnight"}
    yield Try("POST", "/v1/channels", "/v1/channels", whole, new)
    seen = {"If-Match": '"0"'}
    for query in ("", f"?tenant={tenant_name(owner)}"):
        name = f"/v1/channels/channel-{own}{query}"
        yield Try("GET", name, route, whole)
        yield Try("PUT", name, route, whole, {"type": "webhook", "tenants": [tenant_name(owner)]}, seen)
        yield Try("DELETE", name, route, whole, headers=seen)
    yield Try("POST", f"/v1/channels/gone-{own}/test", f"{route}/test", whole)
    delivery_id = delivery_of(owner)
    yield Try("GET", f"/v1/deliveries/{delivery_id}", "/v1/deliveries/{delivery_id}", whole)
    yield Try("POST", "/v1/deliveries/resend", "/v1/deliveries/resend", whole, {"ids": [delivery_id]})
    since = {"since": "2000-01-01", "channel": f"channel-{own}"}
    yield Try("POST", "/v1/deliveries/resend", "/v1/deliveries/resend", whole, since)


def pact_tries(footprint_ids: Mapping[str, str]) -> Iterator[Try]:
    """What a server asks that exchanges footprints by PACT: lists, the footprint of each owner by its id, and to send one."""
    one = "/pact/3/footprints/{footprint_id}"
    for query in ("", "?limit=1", "?status=Active&validOn=2027-01-01T00:00:00Z"):
        yield Try("GET", f"/pact/3/footprints{query}", "/pact/3/footprints")
    yield Try("GET", one.replace("{footprint_id}", "00000000-0000-0000-0000-000000000000"), one)
    for owner, footprint_id in footprint_ids.items():
        yield Try("GET", one.replace("{footprint_id}", footprint_id), one, (owner, None))
    yield Try("POST", "/pact/3/events", "/pact/3/events", body={})


def tries() -> list[Try]:
    """All of them, for what belongs to teams of two tenants."""
    return [*lists(), *about("0", "a"), *about("1", "a"), *about("1", None), *about("0", "c")]
