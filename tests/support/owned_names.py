"""A store in which every name says whose it is, every report over it, and which names a scope may see."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rice_stream.alerting.budgets import remove_budget, set_budgets
from rice_stream.alerting.judge import Judge
from rice_stream.budgets.parsing import parse_budget
from rice_stream.errors import UsageError
from rice_stream.estimator.loading import load_calibrated
from rice_stream.events.mappings import MappedName
from rice_stream.instants import epoch_us
from rice_stream.ledger.reconciling import record_reconciliation
from rice_stream.ledger.voiding import void_record
from rice_stream.meter.estimator_at import EstimatorAt
from rice_stream.meter.factors import FactorPolicy
from rice_stream.meter.what_if import Change
from rice_stream.reports import alerts, budgets, prompts, quarantine, tenants
from rice_stream.reports.audit import audit_entries
from rice_stream.reports.bridge import bridge
from rice_stream.reports.budget_history import budget_burn_down, budget_history
from rice_stream.reports.budget_suggestion import budget_suggestion
from rice_stream.reports.channels import channels
from rice_stream.reports.closings import closing_page
from rice_stream.reports.comparison import compare, traffic_of
from rice_stream.reports.contracts import contracts
from rice_stream.reports.coverage import coverage
from rice_stream.reports.deliveries import (
    DeliveryFilter,
    deliveries_of_alerts,
    delivery_health,
    delivery_page,
    named_deliveries,
    named_delivery,
    with_deliveries,
)
from rice_stream.reports.durations import narrowed_kinds
from rice_stream.reports.earlier_prompts import any_before_later
from rice_stream.reports.erasures import erasures
from rice_stream.reports.explanation import explain
from rice_stream.reports.exports.making import make_export
from rice_stream.reports.exports.orders import ExportOptions, ExportOrder, Form
from rice_stream.reports.factor_sets import factor_sets, tables_kept
from rice_stream.reports.figures import read_figures, read_versions
from rice_stream.reports.known_names import known_names
from rice_stream.reports.mappings import mappings
from rice_stream.reports.meta import report_meta
from rice_stream.reports.name_filter import NameFilter
from rice_stream.reports.periods import periods
from rice_stream.reports.prompt_filter import PromptFilter
from rice_stream.reports.prompt_neighbours import neighbours_later
from rice_stream.reports.prompt_stream import stream_prompts
from rice_stream.reports.reconciliation import ReconciliationOrder, reconcile
from rice_stream.reports.reconciliations import reconciliation_page
from rice_stream.reports.record_adjustments import record_adjustments
from rice_stream.reports.record_keys import find_key
from rice_stream.reports.restatements import restatement_page
from rice_stream.reports.rolling_totals import rolling_totals
from rice_stream.reports.sums import FIELDS
from rice_stream.reports.system import system_report
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.reports.usage_exports.reading import read_usage
from rice_stream.reports.window_state import prompts_so_far
from rice_stream.store.adjustments import posting
from rice_stream.store.audit import Actor
from rice_stream.store.closing_store import add_or_find_closing
from rice_stream.store.engine import Engine, writing
from rice_stream.store.mapping_store import save_mapping
from rice_stream.store.quarantine import Choice
from rice_stream.store.restatement_store import RestatementOrder, begin_or_resume
from rice_stream.store.scope import EVERYTHING, Scope
from tests.support.channels_store import add_channel, add_delivery
from tests.support.fakes import NOON_US, OPERATOR, TOKEN_DEFAULTS, FakeMethod, fake_reference
from tests.support.reports_store import NOON, Store, at

OWNERS = ("0", "1", "2")
TEAMS = ("a", "b", "c", None)
"""Teams of every tenant; team `c` has one name for all of them, the others' names are their own."""
ZONES = {"0": "Asia/Kathmandu", "1": "America/New_York", "2": "Australia/Lord_Howe"}
STARTS = ("2026-11-22T10:07:01Z", "2026-11-22T10:20:30Z", "2026-11-21T23:59:59.5Z", "2026-10-03T15:00:00Z")
LATER = NOON + timedelta(minutes=2)
USAGE = '{"start_time": 1762000000, "model": "m", "input_tokens": 1}'
Outcome = dict[str, Any] | list[Any] | str


def tenant_name(owner: str) -> str:
    """`tenant-x0x`"""
    return f"tenant-x{owner}x"


def team_name(owner: str, team: str) -> str:
    """`team-x0ax`; team `c` of every tenant is `team-shared`."""
    return "team-shared" if team == "c" else f"team-x{owner}{team}x"


def mark(owner: str, team: str | None) -> str:
    """What stands in all names that belong to a team of a tenant."""
    return f"x{owner}{team or 'none'}x"


def events() -> list[dict[str, Any]]:
    """Four prompts of each team of each tenant, with another number of tokens each, and one id that came twice."""
    made = []
    for owner in OWNERS:
        for place, team in enumerate(TEAMS):
            own = mark(owner, team)
            common = {
                "tenant_id": tenant_name(owner),
                "team_id": ... if team is None else team_name(owner, team),
                "project_id": f"project-{own}",
                "user_id": f"user-{own}",
                "api_key_id": f"key-{own}",
                "source": f"source-{own}",
                "provider": f"provider-{own}",
                "request_model": f"model-{own}",
                "inference_region": f"region-{own}",
                "input_tokens": 10 ** int(owner) * (place + 1),
            }
            made += [at(start, event_id=f"event-{own}-{n}", **common) for n, start in enumerate(STARTS)]
            made.append(at("2026-11-22T11:00:00Z", event_id=f"event-{own}-0", **common))
            made[-1]["started_at"] = "2026-11-22T10:59:50Z"
            made[-2]["gateway_cache_hit"] = team == "a"
    return made


def fill(store: Store) -> None:
    """Prompts, budgets with alerts (one of them removed), refused items, contradictions and mappings of every owner."""
    store.add(*events())
    for owner, zone in ZONES.items():
        store.set_time_zone(tenant_name(owner), zone)
    wanted = [
        parse_budget(
            {
                "name": f"{name}-{mark(owner, team)}",
                "tenant_id": tenant_name(owner),
                "team_id": None if team is None else team_name(owner, team),
                "limit_gco2e": 1,
                "period": period,
                "time_zone": ZONES[owner],
            }
        )
        for owner in OWNERS
        for team in TEAMS
        for name, period in (("budget", "month"), ("gone", "day"))
    ]
    set_budgets(store.engine, wanted, NOON_US, OPERATOR)
    Judge(store.engine).judge_all(NOON)
    for budget in wanted:
        if budget.name.startswith("gone"):
            remove_budget(store.engine, budget.tenant_id, budget.name, OPERATOR)
    for owner in OWNERS:
        own = mark(owner, None)
        store.add(at("2026-11-22T11:30:00Z", event_id=f"refused-{own}", tenant_id=tenant_name(owner), input_tokens=-1))
        store.add(
            at(
                STARTS[0],
                event_id=f"event-{own}-0",
                tenant_id=tenant_name(owner),
                source=f"source-{own}",
                input_tokens=7,
            )
        )
        with writing(store.engine) as connection:
            save_mapping(connection, MappedName("model", f"alias-{own}", f"model-{own}", NOON_US), NOON_US)
    for owner in OWNERS:
        for own in (mark(owner, None), mark(owner, "a")):
            found = find_key(store.engine, EVERYTHING, f"event-{own}-3")
            reason = f"reason-{own}" if own == mark(owner, None) else "wrong"
            void_record(store.engine, found.key, found.tenant_id, found.event_id, reason=reason, by=OPERATOR)
        order = RestatementOrder(NOON_US, NOON_US + 1, tenant_name(owner), "m", "f", f"reason-{mark(owner, None)}")
        with posting(store.engine) as connection:
            begin_or_resume(connection, order, OPERATOR, by_server=True)
            accepted = {"quarantine": f"reason-{mark(owner, None)}"}
            whose = tenant_name(owner), "2026-10"
            add_or_find_closing(connection, *whose, soft=True, accepted=accepted, expected=1, by=OPERATOR)
        usage = read_usage(USAGE, "openai")
        compared = reconcile(
            store.engine, EVERYTHING, ReconciliationOrder(tenant_name(owner), "2026-10", "openai"), usage
        )
        author = Actor("command line", f"author-{mark(owner, None)}")
        record_reconciliation(store.engine, compared, "0" * 64, author)
    _fill_channels(store)


def _fill_channels(store: Store) -> None:
    """A channel of every owner with an alert that waits and one that is held, and one whose receiver is gone."""
    alert_ids = {row["tenant_id"]: row["id"] for row in store.rows("SELECT tenant_id, id FROM alert")}
    for owner in OWNERS:
        own, tenant = mark(owner, None), tenant_name(owner)
        channel = f"channel-{own}"
        number = add_channel(store.engine, channel, [tenant], target=f"https://target-{own}.example", state="failing")
        for state in ("due", "held"):
            values = {"channel": channel, "tenant_id": tenant, "alert_id": alert_ids[tenant], "state": state}
            add_delivery(store.engine, number, f"{state}-{own}", **values)
    for owner in OWNERS:
        gone = {"state": "disabled", "last_error": f"error-{mark(owner, None)}"}
        add_channel(store.engine, f"gone-{mark(owner, None)}", [tenant_name(owner)], **gone)


def delivery_of(owner: str) -> int:
    """The id of the owner's alert that waits: every owner has two deliveries."""
    return 2 * OWNERS.index(owner) + 1


def may_see(scope: Scope) -> set[str]:
    """The marks and tenants' names and zones that may be in an answer to the scope."""
    seen: set[str] = set()
    for owner in OWNERS:
        if not scope.has_tenant(tenant_name(owner)):
            continue
        of_owner = {team for team in TEAMS if scope.has_team(None if team is None else team_name(owner, team))}
        if of_owner:
            seen |= {mark(owner, team) for team in of_owner} | {f"x{owner}x", ZONES[owner]}
    return seen


def all_marks() -> set[str]:
    """Every mark there is."""
    return may_see(EVERYTHING)


SCOPES = {
    "everything": EVERYTHING,
    "one tenant": Scope(frozenset({tenant_name("0")})),
    "two tenants": Scope(frozenset({tenant_name("0"), tenant_name("2")})),
    "one team": Scope(frozenset({tenant_name("1")}), frozenset({team_name("1", "a")})),
    "two teams": Scope(frozenset({tenant_name("1")}), frozenset({team_name("1", "b"), "team-shared"})),
    "a team that others have as well": Scope(frozenset({tenant_name("0")}), frozenset({"team-shared"})),
    "another tenant's team": Scope(frozenset({tenant_name("0")}), frozenset({team_name("1", "a")})),
    "a team of all tenants": Scope(None, frozenset({"team-shared"})),
    "nobody": Scope(frozenset({"nobody"})),
    "no tenant at all": Scope(frozenset()),
}


@dataclass(frozen=True)
class Asking:
    """A report with everything but the scope decided."""

    name: str
    ask: Callable[[Engine, Scope], Any]

    def outcome(self, engine: Engine, scope: Scope) -> str:
        """The answer or the error, as text."""
        try:
            return json.dumps(self.ask(engine, scope), default=_plain, ensure_ascii=False)
        except UsageError as error:
            return f"{type(error).__name__}: {error}"


def _asking(name: str, report: Callable[..., Any], *args: Any, **options: Any) -> Asking:
    return Asking(name, lambda engine, scope: report(engine, scope, *args, **options))


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset | set):
        return sorted(value)
    return repr(value)


def reports(tenant: str | None = None, own: str = mark("0", "a")) -> Iterator[Asking]:
    """Every report: of all that may be seen, or of a tenant; single things are those with the mark `own`."""
    for by in FIELDS:
        query = TotalsQuery(by=[by], tenant=tenant)
        yield _asking(f"totals by {by}", totals, query, NOON)
    for query in _queries(tenant):
        yield _asking(f"totals {query}", totals, query, NOON)
    yield from _lists(tenant)
    yield from _single(tenant, own)


def _queries(tenant: str | None) -> list[TotalsQuery]:
    start = datetime.fromisoformat("2026-11-22T10:07:00Z")
    return [
        TotalsQuery(tenant=tenant, by=["tenant,team,model,day"]),
        TotalsQuery(tenant=tenant, window="mtd"),
        TotalsQuery(tenant=tenant, by=["tenant,team"], top=1, bucket="month"),
        TotalsQuery(tenant=tenant, by=["user"], top=2, bucket="day", time_zone="Pacific/Apia"),
        TotalsQuery(tenant=tenant, window="24h", by=["tenant,user"]),
        TotalsQuery(tenant=tenant, start=start, end=start + timedelta(minutes=14), by=["tenant,team"]),
        TotalsQuery(tenant=tenant, start=start.date(), by=["day,hour"]),
    ]


def _lists(tenant: str | None) -> Iterator[Asking]:
    day = traffic_of(NOON, tenant=tenant, window="30d")
    estimator = EstimatorAt(fake_reference(), FactorPolicy(), FakeMethod(), NOON_US)
    change = Change(model="big")
    asked = PromptFilter(tenant=tenant)

    def within(scope: Scope) -> Scope:
        return scope.within(tenant)

    yield _asking("rolling totals", rolling_totals, NOON, tenant=tenant)
    yield Asking("tenants", lambda e, s: tenants.tenants(e, s, only=tenant))
    yield Asking("tenant pages", lambda e, s: tenants.tenant_page(e, within(s)))
    yield Asking("periods", lambda e, s: periods(e, within(s), NOON))
    yield Asking("reconciliations", lambda e, s: reconciliation_page(e, within(s)))
    yield Asking("closings", lambda e, s: closing_page(e, within(s)))
    yield Asking("audit", lambda e, s: audit_entries(e, within(s), limit=1000))
    yield Asking("erasures", lambda e, s: erasures(e, within(s), limit=10))
    yield Asking("budgets", lambda e, s: budgets.budget_statuses(e, s, NOON, tenant=tenant, outlook=True))
    yield Asking("known names", lambda e, s: known_names(e, within(s)))
    yield Asking("budgets' names", lambda e, s: budgets.budget_names(e, within(s)))
    yield Asking("alerts", lambda e, s: alerts.latest_alerts(e, s, tenant=tenant))
    yield Asking("alert pages", lambda e, s: alerts.alert_page(e, s, tenant=tenant, limit=1000))
    yield _asking("channels", channels, NOON, tenant=tenant)
    yield Asking("deliveries", lambda e, s: delivery_page(e, s, DeliveryFilter(tenant=tenant)))
    yield Asking("a delivery", lambda e, s: named_delivery(e, s, 1))
    yield Asking("delivery health", lambda e, s: delivery_health(e, within(s), LATER))
    yield Asking("named deliveries", lambda e, s: named_deliveries(e, s, range(1, 10)))
    yield Asking("deliveries of alerts", _deliveries_of_all_alerts)
    yield Asking("alerts with deliveries", _alerts_with_deliveries)
    yield Asking("coverage", lambda e, s: coverage(e, within(s), now=NOON))
    yield Asking("figures", lambda e, s: read_figures(e, within(s), NOON))
    yield Asking("versions", lambda e, s: read_versions(e, within(s)))
    yield Asking("meta", lambda e, s: report_meta(e, s, NOON, tenant=tenant))
    yield Asking("system", lambda e, s: system_report(e, within(s)))
    yield Asking("mappings", lambda e, s: mappings(e, within(s)))
    yield Asking("factor sets", lambda e, s: factor_sets(e, within(s), now_us=NOON_US))
    yield Asking("contracts", lambda e, s: contracts(e, within(s), now_us=NOON_US))
    yield Asking("tables kept", lambda e, s: tables_kept(e, within(s)))
    yield Asking("quarantine", lambda e, s: quarantine.quarantined(e, within(s), Choice()))
    yield Asking("quarantine pages", lambda e, s: quarantine.quarantine_page(e, within(s), Choice()))
    yield Asking("prompts of a stretch", lambda e, s: prompts_so_far(e, within(s), 0, 2 * NOON_US))
    yield Asking("anything before", lambda e, s: any_before_later(e, within(s), NOON)())
    yield Asking("dropped", lambda e, s: quarantine.dropped(e, within(s), [1, 2, 3]))
    yield Asking("restatements", lambda e, s: restatement_page(e, within(s)))
    yield _asking("bridge", bridge, TotalsQuery(tenant=tenant), NOON)
    yield Asking("compare", lambda e, s: compare(e, s, day, change, estimator=estimator, defaults=TOKEN_DEFAULTS))
    yield Asking("durations", lambda e, s: narrowed_kinds(e, s, day, load_calibrated()))
    for first in (True, False):
        yield _asking(f"prompts, newest first: {first}", prompts.prompts, asked, limit=7, newest_first=first)
    yield Asking("stream of prompts", lambda e, s: [[*map(tuple, rows)] for _, rows in stream_prompts(e, s, asked)])


def _alerts_with_deliveries(engine: Engine, scope: Scope) -> Any:
    return with_deliveries(engine, scope, alerts.latest_alerts(engine, scope))


def _deliveries_of_all_alerts(engine: Engine, scope: Scope) -> Any:
    ids = [row["id"] for row in alerts.latest_alerts(engine, EVERYTHING)]
    return [row for rows in deliveries_of_alerts(engine, scope, ids).values() for row in rows]


def exported(engine: Engine, scope: Scope, kind: str, tenant: str, form: Form = "csv", **options: Any) -> Any:
    """The text of an exported month of November and its manifest, without the instant at which it was made."""
    order = ExportOrder(kind=kind, tenant=tenant, month="2026-11", form=form, options=ExportOptions(**options))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "november"
        manifest = make_export(engine, scope, order, path)
        text = path.read_text(encoding="utf-8").replace(manifest["as_of"], "now")
        # A document says when it was made, and so its digests do as well.
        own = {name: value for name, value in manifest.items() if name not in ("as_of", "file", "content_sha256")}
        return text, {**own, "rows": manifest["file"]["rows"]}


def _single(tenant: str | None, own: str) -> Iterator[Asking]:
    whose = tenant or tenant_name(own[1])
    event_id = f"event-{own}-1"
    yield Asking("explain", lambda e, s: explain(e, s, event_id, tenant, defaults=TOKEN_DEFAULTS))
    yield Asking("adjustments", lambda e, s: record_adjustments(e, s, find_key(e, s, f"event-{own}-3", tenant).key))
    yield Asking("neighbours", lambda e, s: neighbours_later(e, s, find_key(e, s, event_id, tenant).key)())
    yield Asking("explain refused", lambda e, s: explain(e, s, f"refused-{own}", tenant, defaults=TOKEN_DEFAULTS))
    yield Asking(
        "a chargeback", lambda e, s: exported(e, s, "chargeback", whose, by=("team", "project", "user", "model"))
    )
    yield Asking("a month in the shape of FOCUS", lambda e, s: exported(e, s, "focus", whose))
    yield Asking("a month's footprints", partial(exported, kind="pact", tenant=whose, form="json"))
    yield Asking("a scope pack", lambda e, s: exported(e, s, "scope-pack", whose, "json"))
    yield Asking("a month's software carbon intensity", lambda e, s: exported(e, s, "sci", whose, "json"))
    for kind in ("msm", "netzero", "envizi", "prompts"):
        yield Asking(f"a month's file, {kind}", partial(exported, kind=kind, tenant=whose))
    usage = read_usage(USAGE, "openai")
    order = ReconciliationOrder(whose, "2026-11", "openai", (f"provider-{own}",))
    yield Asking("a reconciliation", lambda e, s: reconcile(e, s, order, usage))
    yield Asking("a tenant", lambda e, s: tenants.named_tenant(e, s, whose))
    yield Asking("a budget", lambda e, s: budgets.named_budget_status(e, s, f"budget-{own}", tenant, NOON))
    yield Asking("a budget's owner", lambda e, s: budgets.budget_owner(e, s, f"budget-{own}", tenant))
    team = {"c": "team-shared", "none": None}.get(own[2:-1], f"team-{own}")
    suggested = partial(budget_suggestion, tenant=whose, team=team, period="month")
    yield Asking("a suggested budget", lambda e, s: suggested(e, s, NOON))
    yield Asking("a budget's history", lambda e, s: budget_history(e, s, whose, f"budget-{own}"))
    yield Asking("a budget's burn-down", lambda e, s: budget_burn_down(e, s, whose, f"budget-{own}", NOON))
    for name in ("team", "project", "user", "model", "provider", "region"):
        value = {name: [f"{name}-{own}"]}
        if name == "team" and own[2:-1] in ("c", "none"):
            value = {name: ["team-shared" if own[2] == "c" else ""]}
        where = NameFilter.of(value)
        asked = PromptFilter(tenant=tenant, where=where, start=NOON - timedelta(days=1))
        yield _asking(f"prompts of a {name}", prompts.prompts, asked)
        yield _asking(f"totals of a {name}", totals, TotalsQuery(tenant=tenant, by=["tenant", name], where=where), NOON)
    yield Asking("a refused item", lambda e, s: quarantine.show(e, s, 1))


assert epoch_us(NOON) == NOON_US
