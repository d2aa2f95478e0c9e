"""Every report, through the API's role: the two lines of confinement leave out the same, and nothing that is one's own."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from rice_stream.errors import RiceError
from rice_stream.reports.alerts import alert_page, latest_alerts
from rice_stream.reports.audit import audit_entries
from rice_stream.reports.budget_history import budget_burn_down, budget_history
from rice_stream.reports.budgets import budget_statuses, named_budget_status
from rice_stream.reports.channels import channels
from rice_stream.reports.coverage import coverage
from rice_stream.reports.deliveries import DeliveryFilter, deliveries_of_alerts, delivery_health, delivery_page
from rice_stream.reports.explanation import explain
from rice_stream.reports.figures import read_figures
from rice_stream.reports.known_names import known_names
from rice_stream.reports.mappings import mappings
from rice_stream.reports.meta import report_meta
from rice_stream.reports.name_filter import NameFilter
from rice_stream.reports.prompt_filter import PromptFilter
from rice_stream.reports.prompt_stream import stream_prompts
from rice_stream.reports.prompts import prompts
from rice_stream.reports.quarantine import quarantine_page, quarantined, show
from rice_stream.reports.rolling_totals import rolling_totals
from rice_stream.reports.statements import statements
from rice_stream.reports.tenants import named_tenant, tenant_page, tenants
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.store import scoped
from rice_stream.store.engine import reading
from rice_stream.store.quarantine import Choice
from rice_stream.store.scope import EVERYTHING, Scope
from rice_stream.store.scoped import confined
from tests.support.databases import Databases
from tests.support.fakes import TOKEN_DEFAULTS, FakeMethod
from tests.support.reports_store import NOON, Store, open_store
from tests.support.three_tenants import ODD, SCOPES, fill

Report = Callable[[Engine, Scope], Any]


def totals_of(**asked: Any) -> Report:
    return lambda engine, scope: totals(engine, scope, TotalsQuery(**asked), NOON)


REPORTS: dict[str, Report] = {
    "totals": totals_of(),
    "totals by team, model": totals_of(by=("team", "model")),
    "totals by user": totals_of(by=("user",)),
    "totals by day": totals_of(by=("tenant", "day")),
    "totals of a window": totals_of(window="24h", by=("team",)),
    "totals of the month": totals_of(window="mtd"),
    "totals of a tenant": totals_of(tenant=ODD, by=("project",)),
    "totals of some names": totals_of(
        by=("model",), where=NameFilter(team=("search", ""), project=("",), model=("small", "none"))
    ),
    "totals of a user": totals_of(by=("region",), where=NameFilter(user=("u-1", ""), team=("search",))),
    "rolling totals": lambda engine, scope: rolling_totals(engine, scope, NOON),
    "prompts": lambda engine, scope: prompts(engine, scope, PromptFilter(), limit=1000),
    "all prompts": lambda engine, scope: [[*rows] for _, rows in stream_prompts(engine, scope, PromptFilter())],
    "alerts": latest_alerts,
    "a page of alerts": lambda engine, scope: alert_page(engine, scope, limit=3),
    "audit": lambda engine, scope: audit_entries(engine, scope, limit=100),
    "budgets": lambda engine, scope: budget_statuses(engine, scope, NOON),
    "a budget": lambda engine, scope: named_budget_status(engine, scope, "team", "acme", NOON),
    "history": lambda engine, scope: budget_history(engine, scope, "acme", "team"),
    "burn-down": lambda engine, scope: budget_burn_down(engine, scope, "acme", "team", NOON),
    "burn-down of a user": lambda engine, scope: budget_burn_down(engine, scope, "acme", "user", NOON),
    "channels": lambda engine, scope: channels(engine, scope, NOON)[1:],
    "kafka as a channel": lambda engine, scope: channels(engine, scope, NOON)[0]["deliveries"],
    "deliveries": delivery_page,
    "a page of deliveries": lambda engine, scope: delivery_page(engine, scope, DeliveryFilter(state="due"), limit=2),
    "deliveries of an alert": lambda engine, scope: deliveries_of_alerts(
        engine, scope, [row["id"] for row in latest_alerts(engine, scope)]
    ),
    "delivery health": lambda engine, scope: delivery_health(engine, scope, NOON + timedelta(minutes=2)),
    "statements": lambda engine, scope: statements(engine, scope, "acme", "2026-11", NOON),
    "coverage": lambda engine, scope: coverage(engine, scope, now=NOON),
    "explanation": lambda engine, scope: explain(
        engine, scope, "2026-11-22T11:01:00Z", "acme", defaults=TOKEN_DEFAULTS, open_method=lambda _: FakeMethod()
    ),
    "names to choose from": known_names,
    "mappings": mappings,
    "quarantine": lambda engine, scope: quarantined(engine, scope, Choice()),
    "a page of the quarantine": lambda engine, scope: quarantine_page(engine, scope, Choice()),
    "a refused item": lambda engine, scope: show(engine, scope, 1),
    "tenants": tenants,
    "a page of tenants": tenant_page,
    "a tenant": lambda engine, scope: named_tenant(engine, scope, "acme"),
    "figures": lambda engine, scope: read_figures(engine, scope, NOON),
    "meta": lambda engine, scope: report_meta(engine, scope, NOON),
}


@pytest.fixture(scope="module")
def stored(request: pytest.FixtureRequest) -> Iterator[Store]:
    databases: Databases = request.getfixturevalue("postgres_of_module")
    with open_store(databases.migrated()) as store:
        fill(store)
        yield store


def answer(report: Report, engine: Engine, scope: Scope) -> Any:
    """What it says, errors included."""
    try:
        return report(engine, scope)
    except RiceError as error:
        return type(error), str(error)


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_says_the_same_with_and_without_row_level_security(stored: Store, name: str) -> None:
    """In every scope: the policies hide nothing that its statements show. And the statements alone show no more."""
    found = {}
    for scope_name, scope in SCOPES.items():
        by_statements = answer(REPORTS[name], stored.engine, scope)
        found[scope_name] = answer(REPORTS[name], confined(stored.engine), scope)
        assert found[scope_name] == by_statements, scope_name
    assert found["everything"] != found["nothing"]


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_whose_statements_forget_the_scope_tells_nothing_of_others(
    stored: Store, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its own conditions open, PostgreSQL still says the names and numbers of its scope alone."""
    api = confined(stored.engine)
    for scope_name, scope in SCOPES.items():
        with monkeypatch.context() as opened:
            opened.setattr(scoped, "within", lambda engine, _, told=scope: engine.execution_options(rice_scope=told))
            opened.setattr(
                scoped, "reading", lambda engine, *, told=scope, **more: reading(engine, **{**more, "rice_scope": told})
            )
            found = answer(REPORTS[name], api, EVERYTHING)
        said = str(found).replace(ASKED_FOR.get(name, "\0"), "")
        for tenant, sign in SIGNS.items():
            assert scope.has_tenant(tenant) or sign not in said, (scope_name, said)
        if name not in ASKED_FOR and not scope.teams and name not in OF_NOBODY:
            assert found == answer(REPORTS[name], api, scope), scope_name


SIGNS = {"acme": "acme", ODD: "Müller", "*": "'*'"}
"""What a tenant is seen by in an answer."""
ASKED_FOR = dict.fromkeys(
    ("a budget", "history", "burn-down", "burn-down of a user", "explanation", "a tenant", "statements"), "acme"
)
"""Reports of one tenant: that they name it in an error tells nobody anything."""
OF_NOBODY = ("quarantine", "a page of the quarantine", "a refused item", "mappings", "figures")
"""Reports that tell those who see everything of what is no tenant's, also where there is nothing of it to see."""
