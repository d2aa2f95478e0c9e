"""What `/budgets` shows: from what the API answers, and nothing added up here."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.around import Around
from rice_stream.api.console.drawing import outlooks
from rice_stream.api.console.kept import AFTERWARDS, Figures
from rice_stream.api.console.pages.budgets_asked import NARROWING, THRESHOLDS, BudgetForm, BudgetsAsked, filled_in
from rice_stream.api.console.pages.channels_figures import changeable
from rice_stream.api.etags import etag_of
from rice_stream.api.problems import ProblemError
from rice_stream.api.product import Product
from rice_stream.api.reads.budgets import (
    SuggestionParameters,
    answer_budgets,
    answer_burn_down,
    answer_history,
    answer_suggestion,
    definition,
    named_status,
)
from rice_stream.api.reads.totals import answer_totals
from rice_stream.budgets.definition import HYSTERESIS_DEFAULT
from rice_stream.errors import NotFoundError, RiceError
from rice_stream.instants import zone
from rice_stream.reports.budgets import UNREADABLE
from rice_stream.reports.channels import EVERY_TENANT, channels
from rice_stream.reports.deliveries import deliveries_of_alerts
from rice_stream.reports.pages import packed
from rice_stream.reports.tenants import tenants
from rice_stream.reports.totals_query import TotalsQuery

CHANGES_ROWS = 20
LISTED_ROWS = 50
_SUGGESTED = 6
_NAMES_MAX = 200
_LISTED = ("team", "project", "cost_centre", "model")
ANY_STATE = "*"


def prepared(product: Product, around: Around) -> None:
    """Ask around the page what `listed` and `one` need of all that the caller sees."""
    around.tenants()
    _channels(product, around)


def listed(product: Product, caller: Caller, asked: BudgetsAsked, around: Around) -> Figures:
    """A page of all budgets, those that need somebody first; where there are none, what they could be."""
    frame = _frame(product, caller, asked, around.tenants())
    found = answer_budgets(product, caller, asked.tenant, outlook=True)
    rows = outlooks.most_urgent_first(found, product.now())
    pages = max(1, -(-len(rows) // LISTED_ROWS))
    number = min(asked.page, pages)
    first = (number - 1) * LISTED_ROWS
    shown = rows[first : first + LISTED_ROWS]
    tenant_ids = [each["tenant_id"] for each in frame["tenants"]]
    chosen = tenant_ids if asked.tenant is None else [each for each in tenant_ids if each == asked.tenant]
    offered = not rows and not _sees_teams(caller) and len(chosen) <= _SUGGESTED
    return {
        **frame,
        "rows": [{"budget": budget, "ending": ending, **_drawn(budget)} for budget, ending in shown],
        "rows_total": len(rows),
        "first_row": first + 1,
        "page": number,
        "pages": pages,
        "endings": Counter(ending.kind for _, ending in rows),
        **_told(product, caller, asked, [budget for budget, _ in shown], around),
        "suggestions": [_suggested(product, caller, each) for each in chosen] if offered else [],
        "chooses": not rows and not offered and len(chosen) > 1,
        "sees_none": around.scope.tenants == frozenset(),
    }


def _channels(product: Product, around: Around) -> list[dict[str, Any]]:
    """All that the caller sees; Kafka fails after some time."""
    return around.this_minute("channels", lambda: channels(product.engine(), around.scope, product.now()))


def _told(
    product: Product, caller: Caller, asked: BudgetsAsked, budgets: Sequence[Mapping[str, Any]], around: Around
) -> Figures:
    """Open alerts, where each was told and what became of it there, and which channels hold something over quiet hours."""
    opened = [{"budget": each, "alert": each["open_alerts"][-1]} for each in budgets if each.get("open_alerts")]
    ids = [each["alert"]["id"] for each in opened if each["alert"]["id"] is not None]
    found = _channels(product, around)
    own = [
        each
        for each in found
        if asked.tenant is None or each["tenants"] == EVERY_TENANT or asked.tenant in each["tenants"]
    ]
    return {
        "open": opened,
        **_deliveries(product, around, ids),
        "holding": [each for each in own if each["deliveries"]["held"]],
        "own_ids": changeable(caller, found),
    }


def _deliveries(product: Product, around: Around, alert_ids: Sequence[str]) -> Figures:
    """On all channels that the caller sees, which is another scope than that of the page."""
    if not alert_ids:
        return {"deliveries": {}}
    return {
        AFTERWARDS: lambda: {"deliveries": deliveries_of_alerts(product.engine(), around.scope, alert_ids)},
    }


def one(product: Product, caller: Caller, asked: BudgetsAsked, around: Around) -> Figures:
    """One budget: used so far, what is to come, how fast, and what happened."""
    status = named_status(product, caller, asked.name or "", asked.tenant)
    frame = _frame(product, caller, asked, around.tenants())
    after = None if asked.before is None else packed(asked.before)
    changes = answer_history(product, caller, status["name"], status["tenant_id"], after=after, limit=CHANGES_ROWS)
    if status["state"] == UNREADABLE:
        return {
            **frame,
            "budget": status,
            "ending": outlooks.ending_of(status, product.now()),
            "changes": changes,
            "happened": outlooks.happenings(changes["rows"]),
            "deliveries": {},
            "own_ids": set(),
        }
    budget = answer_burn_down(product, caller, status["name"], status["tenant_id"])
    rates = [each["burn_rate"] for each in budget["burn_rates"]]
    return {
        **frame,
        "budget": budget,
        "ending": outlooks.ending_of(budget, product.now()),
        "chart": outlooks.burn_down_of(budget, product.now()),
        "paces": [outlooks.pace_of(rate, rates) for rate in rates],
        "changes": changes,
        "happened": outlooks.happenings(changes["rows"]),
        **_deliveries(product, around, [each["id"] for each in changes["rows"]]),
        "own_ids": changeable(caller, _channels(product, around)),
        **_drawn(budget),
    }


def beginning(product: Product, caller: Caller, asked: BudgetsAsked) -> Figures:
    """The form of a new budget, filled in from a period at today's pace."""
    frame = _frame(product, caller, asked)
    known = [each["tenant_id"] for each in frame["tenants"]]
    tenant = asked.tenant or (known[0] if len(known) == 1 else None)
    form = BudgetForm(action="make", tenant=tenant, thresholds=THRESHOLDS, hysteresis=f"{HYSTERESIS_DEFAULT * 100:g}")
    form = form.model_copy(update={name: getattr(asked, name) for name in (*NARROWING, "period")})
    suggestion = None
    if tenant is not None:
        suggestion = _suggested(product, caller, tenant, form)
        limit = None if suggestion is None else suggestion["limit_gco2e"]
        narrowest = form.model or form.user or form.project or form.cost_centre or form.team or tenant
        zones = {each["tenant_id"]: each["time_zone"] for each in frame["tenants"]}
        form = form.model_copy(
            update={
                "name": f"{narrowest} {asked.period}".replace("/", " ")[:200],
                "limit": None if limit is None else f"{limit:.10f}".rstrip("0").rstrip("."),
                "time_zone": zones.get(tenant, frame["zone"]),
            }
        )
    return {**frame, "form": form, "suggestion": suggestion, "names": _names(product, caller, tenant), "current": None}


def changing(product: Product, caller: Caller, asked: BudgetsAsked) -> Figures:
    """The form of a budget as it is, or the question whether to remove it."""
    status = named_status(product, caller, asked.name or "", asked.tenant, Right.WRITE)
    action = "remove" if asked.remove else "change"
    tag = _tag(status)
    form = (
        BudgetForm(action="change", name=status["name"], tenant=status["tenant_id"], thresholds=THRESHOLDS)
        if status["state"] == UNREADABLE
        else filled_in(status)
    )
    form = form.model_copy(update={"action": action, "etag": tag})
    return {
        **_frame(product, caller, asked),
        "form": form,
        "suggestion": None,
        "names": _names(product, caller, status["tenant_id"]),
        "current": None,
    }


def entered(product: Product, caller: Caller, form: BudgetForm, problem: ProblemError) -> Figures:
    """The form as it was sent, beside what the budget is now where somebody else has changed it."""
    current = problem.more.get("current")
    if current is not None:
        form = form.model_copy(update={"etag": problem.headers["ETag"]})
    return {
        **_frame(product, caller, BudgetsAsked()),
        "form": form,
        "suggestion": None,
        "names": _names(product, caller, form.tenant),
        "current": filled_in(current) if current is not None and "limit" in current else None,
    }


def _frame(
    product: Product, caller: Caller, asked: BudgetsAsked, seen: Sequence[Mapping[str, str]] | None = None
) -> Figures:
    """Whose, in which time zone, as of when; `seen` are the tenants that the caller sees, where they are known."""
    scope = product.scope(caller, Right.READ, asked.tenant)
    if seen is None:
        seen = tenants(product.engine(), product.scope(caller, Right.READ, None))
    own = [each["time_zone"] for each in seen if asked.tenant in (None, each["tenant_id"])]
    shown = asked.time_zone or (own[0] if len(own) == 1 else product.settings.report_time_zone)
    zone(shown)
    return {"meta": product.meta(scope, shown), "zone": shown, "asked": asked, "tenants": seen}


def _drawn(budget: Mapping[str, Any]) -> Figures:
    if budget["state"] == UNREADABLE:
        return {"meter": None, "kind": None, "size": 1.0}
    return {"meter": outlooks.meter_of(budget), "kind": outlooks.kind_of(budget), "size": outlooks.size_of(budget)}


def _tag(status: Mapping[str, Any]) -> str:
    return ANY_STATE if status["state"] == UNREADABLE else etag_of(definition(dict(status)))


def _sees_teams(caller: Caller) -> bool:
    return bool(caller.scope(Right.READ).teams)


def _suggested(product: Product, caller: Caller, tenant: str, form: BudgetForm | None = None) -> dict[str, Any] | None:
    """None: the caller sees some teams only, and this is not one of them."""
    asked = SuggestionParameters(tenant=tenant)
    if form is not None:
        given = {name: getattr(form, name) for name in (*NARROWING, "period")}
        asked = SuggestionParameters(tenant=tenant, **given)
    try:
        return answer_suggestion(product, caller, asked)
    except NotFoundError:
        return None


def _names(product: Product, caller: Caller, tenant: str | None) -> dict[str, list[str]]:
    """What the tenant's prompts of the last 30 days are charged to, for lists to choose from."""
    if tenant is None:
        return {field: [] for field in _LISTED}
    found = {}
    for field in _LISTED:
        query = TotalsQuery(tenant=tenant, by=[field], window="30d", limit=_NAMES_MAX)
        try:
            rows = answer_totals(product, caller, query)["rows"]
        except RiceError:
            rows = []
        found[field] = [row[field] for row in rows if row[field]]
    return found
