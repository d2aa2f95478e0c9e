"""Events, late ones, voids, restatements, mappings, contracts, closes, retention, erasure, questions about the past, in any order:
what was reported of a closed month stays, reported and entries are what is restated, and every proof holds."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from rice_stream.channels.months import Month
from rice_stream.errors import NotFoundError
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.mappings import WITHIN_TENANT, MappedName
from rice_stream.instants import epoch_us
from rice_stream.ledger.contracts import ApplyingContracts, planned
from rice_stream.ledger.erasing import ErasureOrder, erase
from rice_stream.ledger.recharging import recharging_by
from rice_stream.ledger.restating import Restating
from rice_stream.ledger.voiding import void_record
from rice_stream.pipeline.mapping import map_name
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.proof.audit_verification import verify_trail
from rice_stream.proof.grounds_verification import verify_grounds
from rice_stream.proof.period_verification import verify_months
from rice_stream.proof.verification import verify
from rice_stream.quantities import MEASURES
from rice_stream.reference.loader import load_reference
from rice_stream.reference.types import GRANULARITIES
from rice_stream.reports.month_proofs import month_proof
from rice_stream.reports.record_keys import find_key
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.runtime.month_contracts import month_to_cover
from rice_stream.store.factor_set_store import add_set
from rice_stream.store.identity_rules import StoredRules
from rice_stream.store.restatement_store import RestatementOrder
from rice_stream.store.retention import drop_records_before
from rice_stream.store.scope import EVERYTHING
from rice_stream.transparency.proof_files import check_proof_file
from tests.behaviours.test_restating import AS_BEFORE, BY_BOTH, BY_METHOD
from tests.simulation.store import SqliteStore
from tests.support.cases import size
from tests.support.closing import close
from tests.support.databases import PostgresDatabases
from tests.support.factor_files import contract_row, set_of
from tests.support.fakes import NOON_US, OPERATOR, TOKEN_DEFAULTS, chunk_of, event
from tests.support.reports_store import NOON, Store, open_store
from tests.support.store_checks import assert_totals, measures_of, rows_in
from tests.support.store_running import new_pipeline

RUNS = int(os.environ.get("LEDGER_RUNS", "300"))
"""Of a drill."""
FIRST = datetime(2026, 8, 30, 12, tzinfo=UTC)
HOURS = 24 * 66
TENANTS, MONTHS = ("acme", "globex"), ("2026-08", "2026-09", "2026-10")
USERS = ("u-somebody", "u-another")
RETAINED_AFTER = 25
"""Events: records are dropped where there is a ledger to drop them from."""
TABLES = load_reference()
ZONES = ("UTC", "Pacific/Auckland", "America/New_York")
MAPPED: dict[str, Any] = {"open_reference": load_reference, "by": OPERATOR, "recharges": True}
TARGETS = {"as before": AS_BEFORE, "by method": BY_METHOD, "by both": BY_BOTH}


class Months(RuleBasedStateMachine):
    """One database; sums are worked out in plain Python, apart from the code under test."""

    engine: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.empty()
        self.pipeline = self.worker()
        self.rows = rows_in(self.engine)
        self.sent: dict[str, dict[str, Any]] = {}
        self.offset = 0
        self.remembered: list[tuple[datetime, Any, Any]] = []
        self.kept_from_us = 0

    def worker(self) -> Pipeline:
        """One that starts now, and knows all mappings of now."""
        return new_pipeline(self.engine, rules=StoredRules(self.engine, FormatOptions()))

    def empty(self) -> None:
        """Forget everything."""
        raise AssertionError("said by each database")

    @initialize(random=st.randoms(use_true_random=False))
    def begin(self, random: Random) -> None:
        self.commit([24 * day for day in range(0, 66, 6)], random)

    @rule(hours=st.lists(st.integers(0, HOURS), min_size=1, max_size=6), random=st.randoms(use_true_random=False))
    def commit(self, hours: list[int], random: Random) -> None:
        events = [
            event(
                event_id=f"e-{self.offset}-{number}",
                ended_at=(FIRST + timedelta(hours=after)).isoformat(),
                started_at=...,
                tenant_id=random.choice(TENANTS),
                team_id=random.choice(["a", "b"]),
                user_id=random.choice(USERS),
                input_tokens=random.choice([None, 0, 7]),
            )
            for number, after in enumerate(hours)
        ]
        self.send(events + random.sample(list(self.sent.values()), min(2, len(self.sent))))

    def has(self, tenant: str) -> bool:
        """Whether there is such a tenant by now."""
        return any(each["tenant_id"] == tenant for each in self.sent.values())

    def send(self, events: list[dict[str, Any]]) -> None:
        """One batch, repeats and all."""
        self.pipeline.process([chunk_of(events, offset=self.offset)], NOON_US)
        self.offset += len(events)
        self.sent |= {each["event_id"]: each for each in events if self.is_kept(each)}

    def is_kept(self, sent: dict[str, Any]) -> bool:
        """Whether retention has not dropped its record, and would take it."""
        return epoch_us(datetime.fromisoformat(sent["ended_at"])) >= self.kept_from_us

    @precondition(lambda self: self.sent)
    @rule(random=st.randoms(use_true_random=False))
    def void(self, random: Random) -> None:
        chosen = random.choice(list(self.sent.values()))
        found = find_key(self.engine, EVERYTHING, chosen["event_id"], chosen["tenant_id"])
        void_record(self.engine, found.key, found.tenant_id, found.event_id, reason="wrong", by=OPERATOR)

    @rule(method=st.sampled_from(sorted(TARGETS)), tenant=st.sampled_from([None, "acme"]))
    def restate(self, method: str, tenant: str | None) -> None:
        by = TARGETS[method]
        if tenant is not None and not self.has(tenant):
            return
        versions = by.method.version, by.reference.version
        low_us, high_us = (epoch_us(FIRST + timedelta(days=days)) for days in (20, 60))
        bounds = max(low_us, self.kept_from_us), high_us
        order = RestatementOrder(*bounds, tenant, *versions, "better")
        for _ in Restating(self.engine, by, TOKEN_DEFAULTS, order, OPERATOR).steps():
            pass

    @rule(
        tenant=st.sampled_from(TENANTS),
        kind=st.sampled_from(WITHIN_TENANT),
        name=st.sampled_from(["a", "b*"]),
        day=st.integers(0, 60),
    )
    def charge(self, tenant: str, kind: str, name: str, day: int) -> None:
        """What is recorded is charged to others, by entries; what comes, at once."""
        if self.has(tenant):
            since_us = max(epoch_us(FIRST + timedelta(days=day)), self.kept_from_us)
            how = {**MAPPED, "tenant_id": tenant, "subject": "team", "valid_from_us": since_us, "now_us": NOON_US}
            target = f"{kind} {name}"
            map_name(self.engine, kind, name, target, **how)
            mapping = MappedName(kind, name, target, since_us, tenant, "team")
            for _ in recharging_by(self.engine, mapping, "new books", OPERATOR).steps():
                pass
            self.pipeline = self.worker()

    @rule(
        tenant=st.sampled_from(TENANTS),
        month=st.sampled_from(MONTHS),
        kwh=st.sampled_from([1e-6, 1e-3, 1.0]),
        granularity=st.sampled_from(GRANULARITIES),
    )
    def contract(self, tenant: str, month: str, kwh: float, granularity: str) -> None:
        """Electricity is bought, and covers some of a month: carbon by the market changes, by entries."""
        if not self.has(tenant) or epoch_us(Month.of(month, "UTC").start) < self.kept_from_us:
            return
        bought = set_of(contract_row("wind", kwh, granularity, value=7), kind="contract", note=str(self.offset))
        add_set(self.engine, bought, None, OPERATOR)
        located = self.answers(None, "carbon_gco2e")
        plan = planned(self.engine, TABLES, month_to_cover(self.engine, tenant, month), tenant, OPERATOR)
        for _ in ApplyingContracts(self.engine, plan, "contracts", OPERATOR).steps():
            pass
        assert self.answers(None, "carbon_gco2e") == located

    @rule(
        tenant=st.sampled_from(TENANTS),
        month=st.sampled_from(MONTHS),
        soft=st.booleans(),
        time_zone=st.sampled_from(ZONES),
    )
    def close(self, tenant: str, month: str, *, soft: bool, time_zone: str) -> None:
        if self.has(tenant) and epoch_us(Month.of(month, time_zone).start) >= self.kept_from_us:
            close(self.engine, month, tenant, soft=soft, time_zone=time_zone)

    @precondition(lambda self: self.offset > RETAINED_AFTER)
    @rule(month=st.sampled_from(MONTHS[1:]))
    def retain(self, month: str) -> None:
        """Records from before a month go; what is answered of them, reported and restated, stays."""
        answered = self.answers(None)
        first = Month.of(month, "UTC").start
        drop_records_before(self.engine, first)
        assert self.answers(None) == answered
        self.kept_from_us = max(self.kept_from_us, epoch_us(first))
        self.sent = {name: each for name, each in self.sent.items() if self.is_kept(each)}

    @precondition(lambda self: self.sent)
    @rule(random=st.randoms(use_true_random=False))
    def erase(self, random: Random) -> None:
        """A person's name goes; what is answered, and every proof, stays."""
        chosen = random.choice(list(self.sent.values()))
        answered = self.answers(None)
        order = ErasureOrder(chosen["tenant_id"], "asked for it", user=chosen["user_id"])
        with suppress(NotFoundError):  # erased before
            erase(self.engine, order, by=OPERATOR)
        assert self.answers(None) == answered

    @precondition(lambda self: not self.kept_from_us)
    @rule()
    def remember(self) -> None:
        self.remembered.append((datetime.now(UTC), *self.answers(None)))

    @precondition(lambda self: self.remembered and not self.kept_from_us)
    @rule(random=st.randoms(use_true_random=False))
    def ask_again(self, random: Random) -> None:
        instant, reported, restated = random.choice(self.remembered)
        assert self.answers(instant) == (reported, restated)

    def answers(self, as_of: datetime | None, *figures: str) -> tuple[Any, Any]:
        """Reported and restated prompts and carbon (of `figures`), by location and by the market, by tenant and month."""
        found = []
        for how in ("reported", "restated"):
            query = TotalsQuery(by=["tenant", "team"], bucket="month", amounts=how, as_of=as_of)
            rows = totals(self.engine, EVERYTHING, query, NOON)["rows"]
            asked = ["prompts", *(figures or ("carbon_gco2e", "carbon_market_gco2e"))]
            told = [
                (*(row[name] or "" for name in ("tenant", "team", "month")), *(_middle(row[name]) for name in asked))
                for row in rows
            ]
            found.append(sorted(row for row in told if any(row[3:])))
        return found[0], found[1]

    @invariant()
    def what_was_reported_of_closed_months_stays(self) -> None:
        records, entries = self.rows("prompt_record"), self.rows("adjustment_entry")
        if self.kept_from_us:
            assert verify(self.engine)["ok"]
        else:
            assert_totals(self.rows)
        for period in self.rows("period"):
            if period["assertion"] is None or period["low_us"] < self.kept_from_us:
                continue
            within = [[each for each in rows if self.is_within(period, each)] for rows in (records, entries)]
            restated = self.sums(within[0], within[1], lambda entry: entry["counted"])
            reported = {name: restated[name] - sum(each[name] or 0 for each in within[1]) for name in MEASURES}
            stated = json.loads(period["assertion"])
            assert {name: int(stated["reported"][name]) for name in MEASURES} == reported
            of_then = self.sums([], within[1], lambda entry: entry["adjustment_key"] <= period["entries_up_to"])  # noqa: B023
            assert {name: int(stated["restated"][name]) - reported[name] for name in MEASURES} == of_then

    @staticmethod
    def is_within(period: dict[str, Any], row: dict[str, Any]) -> bool:
        is_tenants: bool = row["tenant_key"] == period["tenant_key"]
        within: bool = period["low_us"] <= row["ended_at_us"] < period["high_us"]
        return is_tenants and within

    @staticmethod
    def sums(records: list[dict[str, Any]], entries: list[dict[str, Any]], counts: Any) -> dict[str, int]:
        """What they add up to, of the entries those that count."""
        rows = [measures_of(record) for record in records] + [entry for entry in entries if counts(entry)]
        return {name: sum(row[name] for row in rows) for name in MEASURES}

    def teardown(self) -> None:
        assert verify(self.engine)["ok"]
        found = verify_trail(self.engine)
        verify_months(self.engine, found)
        verify_grounds(self.engine, found)
        assert found.problems == []
        for each in list(self.sent.values())[:10]:
            try:
                proof = month_proof(self.engine, EVERYTHING, each["event_id"], tenant=each["tenant_id"])
            except NotFoundError:
                continue
            assert check_proof_file(proof).problems == []


def _middle(figure: Any) -> Any:
    return figure["mid"] if isinstance(figure, dict) else figure


class OnSqlite(Months):
    """On SQLite."""

    store = SqliteStore()

    def empty(self) -> None:
        self.store.empty()
        self.engine = self.store.engine


def test_what_was_reported_stays_on_sqlite() -> None:
    """Whatever comes in whichever order."""
    shape = settings(max_examples=size(14, RUNS), stateful_step_count=size(25, 40), deadline=None, print_blob=True)
    run_machine(OnSqlite, settings=shape)


@pytest.fixture
def postgresql_store(postgresql: PostgresDatabases) -> Iterator[Store]:
    """An empty one."""
    with open_store(postgresql.emptied()) as store:
        yield store


@pytest.mark.services
def test_what_was_reported_stays_on_postgresql(postgresql_store: Store, postgresql: PostgresDatabases) -> None:
    """The same, fewer times."""

    class OnPostgresql(Months):
        engine = postgresql_store.engine

        def empty(self) -> None:
            postgresql.emptied()

    shape = settings(
        max_examples=size(2, -(-RUNS // 15)), stateful_step_count=size(12, 30), deadline=None, print_blob=True
    )
    run_machine(OnPostgresql, settings=shape)
