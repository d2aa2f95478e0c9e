"""What no tree of a month has, and figures rest on, follow or were corrected for: whatever is changed of it is found, and named."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, text

from rice_stream.alerting.budgets import set_budgets
from rice_stream.budgets.parsing import parse_budget
from rice_stream.channels.months import Month
from rice_stream.ledger.closing import CloseOrder
from rice_stream.ledger.closing_orders import order_closing
from rice_stream.ledger.erasing import ErasureOrder, erase
from rice_stream.ledger.reconciling import record_reconciliation
from rice_stream.ledger.voiding import void_record
from rice_stream.pipeline.mapping import map_name
from rice_stream.proof.audit_verification import verify_trail
from rice_stream.proof.grounds_verification import verify_grounds
from rice_stream.proof.identity_verification import verify_identities
from rice_stream.proof.period_verification import verify_months
from rice_stream.proof.verification import verify
from rice_stream.reports.reconciliation import reconcile
from rice_stream.reports.record_keys import find_key
from rice_stream.reports.usage_exports.reading import read_usage
from rice_stream.store.attribution_store import propose_version
from rice_stream.store.calendars import set_time_zone
from rice_stream.store.contract_store import CoveredHour, TenantMonth, set_aside
from rice_stream.store.engine import writing
from rice_stream.store.factor_set_store import add_set
from rice_stream.store.http_tokens import HttpToken, create_token
from rice_stream.store.kept_tables import keep_tables
from rice_stream.store.scope import EVERYTHING
from tests.behaviours.test_reconciliation import ORDER, stated
from tests.behaviours.test_restating import BY_METHOD, filled, restate
from tests.support.closing import close, closing_of
from tests.support.factor_files import rci_row, set_of
from tests.support.fakes import NOON_US, OPERATOR
from tests.support.kept_content import KEPT, SHIPPED, changed
from tests.support.reports_store import Store, at

_HOUR = CoveredHour("wind", 1_791_000_000, "location", "annual", "ppa", "monthly", 7)
_TOKEN = HttpToken(0, "ci", "reader", "rice_", b"d" * 32, frozenset({"acme"}), frozenset(), None, None, 0, None)
_WITH_TRIGGERS = ("factor_set", "reference_tables", "audit_entry")


def problems(engine: Engine) -> list[str]:
    """What `audit verify` finds."""
    found = verify_trail(engine)
    verify_months(engine, found)
    verify_identities(engine, found)
    verify_grounds(engine, found)
    return found.problems


def ledger_of(store: Store) -> Engine:
    """Prompts, one of them voided, all restated, of a month that is closed and one that came late into it, and what they rest on;
    without what keeps rows from being changed."""
    engine = filled(store).engine
    restate(engine, BY_METHOD)
    key = find_key(engine, EVERYTHING, "g", "globex").key
    void_record(engine, key, "globex", "g", reason="a load test", by=OPERATOR)
    add_set(engine, set_of(rci_row()), None, OPERATOR)
    keep_tables(engine, SHIPPED.version, lambda: KEPT)
    close(engine, "2026-10")
    store.add(at("2026-10-20T08:00:00Z", team_id="ads"))
    map_name(
        engine,
        "model",
        "chat",
        "gpt-4o",
        by=OPERATOR,
        open_reference=lambda: SHIPPED,
        valid_from_us=None,
        now_us=NOON_US,
    )
    set_time_zone(engine, "globex", "Europe/Berlin", OPERATOR)
    set_budgets(
        engine, [parse_budget({"name": "b", "tenant_id": "acme", "limit_gco2e": 5, "period": "day"})], NOON_US, OPERATOR
    )
    create_token(engine, _TOKEN, EVERYTHING, OPERATOR)
    order_closing(closing_of(engine), CloseOrder("globex", Month.of("2026-10", "UTC"), accepted={"coverage": "why"}))
    usage = read_usage(stated(("2026-10-02", "", 800)), "openai")
    record_reconciliation(engine, reconcile(engine, EVERYTHING, ORDER, usage), "ab" * 32, OPERATOR)
    for settings in ("first", "second"):
        propose_version(engine, settings)
    with writing(engine) as connection:
        set_aside(connection, TenantMonth(1, "2026-09", 0, 1), "acme", [_HOUR], OPERATOR)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            for name in _WITH_TRIGGERS:
                connection.execute(text(f"ALTER TABLE {name} DISABLE TRIGGER USER"))
        else:
            for name in connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
                connection.execute(text(f"DROP TRIGGER {name}"))
    return engine


@contextmanager
def changed_rows(engine: Engine, statement: str, values: dict[str, Any]) -> Iterator[None]:
    """The ledger with something changed, for a while."""
    words = statement.split()
    table = words[1] if words[0] == "UPDATE" else words[2]
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE as_it_was AS SELECT * FROM {table}"))
        assert connection.execute(text(statement), values).rowcount == 1
    yield
    with engine.begin() as connection:
        connection.execute(text(f"DELETE FROM {table}"))
        connection.execute(text(f"INSERT INTO {table} SELECT * FROM as_it_was"))
        connection.execute(text("DROP TABLE as_it_was"))


_VOID, _LATE = "WHERE cause = 'void'", "WHERE cause = 'late'"
_ANOTHER = changed(KEPT, '"rci_gco2e_per_kwh":', '"rci_gco2e_per_kwh":1')
_OF_OTHERS = changed(KEPT, ",false,", ",true,")
_TABLES = f"reference tables {SHIPPED.version}: "
_OF_LATE = "WHERE counted = 0"
_OF_G = "WHERE event_id = 'g'"
_EARLIEST = "WHERE adjustment_key = (SELECT MIN(adjustment_key) FROM adjustment)"
CHANGES: list[tuple[str, dict[str, Any], str]] = [
    ("UPDATE factor_use SET pue = 3 WHERE factor_key = 1", {}, "factors 1 (small, unknown, fake-1): they are others"),
    ("UPDATE factor_use SET detail = '{}' WHERE factor_key = 1", {}, "factors 1 (small, unknown, fake-1): they are"),
    ("DELETE FROM factor_use WHERE factor_key = 1", {}, "factors 1: totals rest on them, and they are missing"),
    ("UPDATE basis SET names = 'x' WHERE basis_flags = 0", {}, "basis 0: its row says otherwise of names"),
    ("UPDATE reference_tables SET content = :new", {"new": _ANOTHER}, f"{_TABLES}they are others"),
    ("UPDATE reference_tables SET content = :new", {"new": _OF_OTHERS}, f"{_TABLES}they are others"),
    ("DELETE FROM reference_tables", {}, f"{_TABLES}the audit trail says that they were kept, and they are missing"),
    ("UPDATE factor_set SET source = 'Ours'", {}, "(grid): its row says otherwise of source than its content"),
    ("UPDATE factor_set SET row_count = 2", {}, "(grid): its row says otherwise of row_count than its content"),
    ("UPDATE factor_set SET content = :new", {"new": b"{}"}, "(grid): its content is not that of its digest"),
    (
        "UPDATE factor_set SET effective_from_us = 1",
        {},
        "(grid): its row says otherwise of effective_from than the audit",
    ),
    ("UPDATE factor_set SET added_by = 'x'", {}, "(grid): its row says otherwise of added_by than the audit trail"),
    ("DELETE FROM factor_set", {}, ": the audit trail tells of it, and it is missing"),
    (f"UPDATE adjustment SET reason = 'x' {_VOID}", {}, "(void): its row says otherwise of its reason"),
    (f"UPDATE adjustment SET author_name = 'x' {_VOID}", {}, "(void): its row says otherwise of its author"),
    (f"UPDATE adjustment SET digest = :new {_VOID}", {"new": bytes(16)}, "the audit trail does not tell of it"),
    (f"UPDATE adjustment SET event_key = NULL {_VOID}", {}, "(void): its tenant and event are not those of its digest"),
    (
        f"UPDATE adjustment SET detail = '{{}}' {_VOID}",
        {},
        "(void): its row says otherwise of its event than the audit",
    ),
    (
        f"UPDATE adjustment SET recorded_us = 1 {_VOID}",
        {},
        "(void): its row says otherwise of its tenant, event, instant",
    ),
    (f"UPDATE adjustment SET contra_prompts = 9 {_VOID}", {}, "(void): its row says otherwise of its amounts than the"),
    (f"UPDATE adjustment SET reason = 'x' {_LATE}", {}, "(late): its row says otherwise of its reason or author"),
    (f"UPDATE adjustment SET detail = '{{}}' {_LATE}", {}, "(late): its row says otherwise of closed months than its"),
    (
        f"UPDATE adjustment SET digest = :new {_LATE}",
        {"new": bytes(16)},
        "(late): its tenant, month and events are not",
    ),
    (f"UPDATE adjustment SET reason = 'x' {_EARLIEST}", {}, "(method): its row says otherwise of its reason than its"),
    (
        f"UPDATE adjustment SET detail = '{{}}' {_EARLIEST}",
        {},
        "(method): its row says otherwise of its method or factors",
    ),
    (
        f"UPDATE adjustment SET cause = 'evidence' {_EARLIEST}",
        {},
        ": by_cause of its row is not what its corrections add",
    ),
    (
        f"UPDATE adjustment SET restatement_id = 'x' {_EARLIEST}",
        {},
        "(method): there is no restatement x that posted it",
    ),
    (
        f"UPDATE adjustment_entry SET ended_at_us = ended_at_us + 1 {_OF_LATE}",
        {},
        "(late): an entry of it says otherwise of",
    ),
    (f"UPDATE adjustment_entry SET user_key = 77 {_OF_LATE}", {}, "(late): an entry of it says otherwise of its event"),
    ("UPDATE restatement SET reason = 'x'", {}, ": its row says otherwise of its reason than the audit trail"),
    ("UPDATE restatement SET to_us = 1", {}, ": its row says otherwise of to_us than the audit trail"),
    ("UPDATE restatement SET number = 9", {}, ": its number is not that of its id; it was changed"),
    ("UPDATE restatement SET records = 9", {}, ": its row says otherwise of records than the audit trail"),
    (
        "UPDATE restatement SET after_carbon_low_ugco2e = 9",
        {},
        ": its row says otherwise of after_carbon_low_ugco2e than",
    ),
    (
        "UPDATE restatement SET before_carbon_mid_ugco2e = 9",
        {},
        ": carbon_mid_ugco2e before, and what its corrections add",
    ),
    ("UPDATE restatement SET basis = 'x'", {}, ": its row says otherwise of basis than the audit trail"),
    ("UPDATE restatement SET state = 'running'", {}, ": its row says otherwise of state than the audit trail"),
    ("UPDATE restatement SET by_cause = '{}'", {}, ": by_cause of its row is not what its corrections add up to"),
    (
        "UPDATE restatement SET market_by_cause = '{}'",
        {},
        ": market_by_cause of its row is not what its corrections add",
    ),
    ("DELETE FROM restatement", {}, ": the audit trail tells of it, and it is missing"),
    ("UPDATE contract_coverage SET covered_uwh = 8", {}, "contracts of 2026-09 of acme: what they cover is not what"),
    ("DELETE FROM contract_coverage", {}, "contracts of 2026-09 of acme: what they cover is not what the audit trail"),
    (
        "UPDATE mapping SET target = 'x'",
        {},
        "mapping model/chat (2026-11-22T12:00:10Z): its row says otherwise of target",
    ),
    (
        "UPDATE mapping SET valid_from_us = 1",
        {},
        "mapping model/chat (1970-01-01T00:00:00.000001Z): the audit trail does not tell of it",
    ),
    ("DELETE FROM mapping", {}, "mapping model/chat (2026-11-22T12:00:10Z): the audit trail tells of it, and it is"),
    (
        "UPDATE attribution_version SET settings = 'x' WHERE id = 1",
        {},
        "settings of attribution 1: they are others than",
    ),
    ("DELETE FROM attribution_version WHERE id = 2", {}, "the audit trail tells of 2 versions, and there are 1"),
    (
        "UPDATE tenant SET time_zone = 'UTC' WHERE tenant_id = 'globex'",
        {},
        "tenant globex: its row says otherwise of time",
    ),
    (
        "UPDATE budget SET limit_amount = 1",
        {},
        "budget b of acme: its row says otherwise of limit_gco2e than the audit",
    ),
    ("DELETE FROM budget", {}, "budget b of acme: the audit trail tells of it, and it is missing"),
    ("UPDATE http_token SET role = 'admin'", {}, "token 1: its row says otherwise of role than the audit trail"),
    ("UPDATE http_token SET tenants = '*'", {}, "token 1: its row says otherwise of tenants than the audit trail"),
    ("UPDATE period SET closed_by = 'x'", {}, "close of month 2026-10 of acme: its row says otherwise of by than the"),
    (
        "UPDATE period SET checklist = 'no JSON'",
        {},
        "mark of month 2026-10 of acme: its row says otherwise of checklist",
    ),
    ("UPDATE period SET leaf_columns = '{}'", {}, "month 2026-10 of acme: its row says otherwise of leaf_columns than"),
    ("UPDATE period SET assertion = '{}'", {}, "month 2026-10 of acme: its row says otherwise of tenant_key than what"),
    ("UPDATE period SET state = 'closing'", {}, "month 2026-10 of acme: its state is not that of who closed it"),
    ("UPDATE period SET signed_by = 'x'", {}, "month 2026-10 of acme: its root is not the one of checkpoint 1"),
    ("UPDATE checkpoint SET signed_by = 'x'", {}, "checkpoint 1: its row says otherwise than the note that was signed"),
    ("UPDATE closing SET accepted = '{}'", {}, "of globex: its row says otherwise of accepted than the audit trail"),
    ("UPDATE closing SET soft = 1", {}, "of globex: its row says otherwise of soft than the audit trail"),
    ("DELETE FROM closing", {}, "of globex: the audit trail tells of it, and it is missing"),
    ("UPDATE reconciliation SET ok = 1 - ok", {}, "of acme: its row says otherwise of ok than the audit trail"),
    (
        "UPDATE reconciliation SET digest = 'x'",
        {},
        "of acme: its row says otherwise of reconciliation_id than the audit",
    ),
    ("UPDATE reconciliation SET theirs = 9", {}, "of acme: its row says otherwise of reconciliation_id than the audit"),
    ("UPDATE reconciliation SET told = 'x'", {}, "of acme: its row says otherwise of reconciliation_id than the audit"),
    ("DELETE FROM reconciliation", {}, "of acme: the audit trail tells of it, and it is missing"),
    ("UPDATE audit_entry SET after = '[]' WHERE action = 'record.void'", {}, ": its columns say otherwise than its"),
]


def test_whatever_is_changed_is_named(store: Store) -> None:
    """Each change by itself; put back, nothing is found. What says something twice may be told of twice."""
    engine = ledger_of(store)
    assert problems(engine) == []
    for statement, values, said in CHANGES:
        with changed_rows(engine, statement, values):
            told = problems(engine)
            assert any(said in problem for problem in told), (statement, told)
    assert problems(engine) == []


def test_of_what_earlier_versions_did_not_keep_nothing_is_said(store: Store) -> None:
    """A run that began before carbon by the market was kept, and a trail that did not tell of its sums."""
    engine = filled(store).engine
    restate(engine, BY_METHOD)
    told = "UPDATE restatement SET market_by_cause = '{}', after_carbon_market_ugco2e = NULL"
    with changed_rows(engine, told, {}):
        assert not any("of its row is not what its corrections add up to" in each for each in problems(engine))


def test_erased_names_leave_it_whole(store: Store) -> None:
    """Of a person, and of a tenant whose corrections the trail does not tell of any more."""
    engine = filled(store).engine
    restate(engine, BY_METHOD)
    for tenant, event in (("globex", "g"), ("acme", "2026-11-02T10:00:00Z")):
        found = find_key(engine, EVERYTHING, event, tenant)
        void_record(engine, found.key, tenant, event, reason="asked for by u-2", by=OPERATOR)
    close(engine, "2026-10")
    erase(engine, ErasureOrder("acme", "asked for", user="u-2"), by=OPERATOR)
    erase(engine, ErasureOrder("globex", "asked for"), by=OPERATOR)
    erase(engine, ErasureOrder("acme", "asked for"), by=OPERATOR)
    assert problems(engine) == []
    assert verify(engine)["ok"]
