"""Contracts for electricity, applied to months that are over: entries that change carbon by the market alone."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from rice_stream.errors import ReferenceDataError, UsageError
from rice_stream.instants import epoch_us
from rice_stream.ledger.contracts import ApplyingContracts, ContractPlan, contracts_standing, planned
from rice_stream.ledger.voiding import void_record
from rice_stream.proof.rebuild import rebuild
from rice_stream.proof.verification import verify
from rice_stream.reports.bridge import bridge
from rice_stream.reports.coverage import coverage
from rice_stream.reports.record_keys import find_key
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.store.contract_store import TenantMonth
from rice_stream.store.engine import open_engine
from rice_stream.store.migrate import migrate
from rice_stream.store.scope import EVERYTHING
from tests.behaviours.test_factor_sets_in_force import TABLES, add, now_us, worker
from tests.behaviours.test_market_based import SETTLED, by_hand, ended, market_set, restate
from tests.support.cases import drawn, size
from tests.support.databases import Databases
from tests.support.factor_files import BRITAIN, SWEDEN, contract_row, market_row, set_of
from tests.support.fakes import OPERATOR, chunk_of
from tests.support.store_checks import assert_exact, rows_in

LOW, HIGH = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
OCTOBER = TotalsQuery(start=LOW, end=HIGH)
NOON = epoch_us(datetime(2026, 10, 5, 12, tzinfo=UTC))
HOUR_US = 3_600_000_000
KWH = by_hand(1000, NOON) / 1e9
"""Facility energy of one prompt."""


def contracts(engine: Engine, *rows: dict[str, Any], **changes: Any) -> None:
    """Add a set of contracts."""
    add(engine, set_of(*rows, kind="contract", **changes))


def apply(engine: Engine, *, tenant_key: int = 1, tenant_id: str = "acme", dry_run: bool = False) -> ContractPlan:
    """Apply what is in force to October."""
    month = TenantMonth(tenant_key, "2026-10", epoch_us(LOW), epoch_us(HIGH))
    plan = planned(engine, TABLES, month, tenant_id, None if dry_run else OPERATOR)
    run = ApplyingContracts(engine, plan, "contracts of October", OPERATOR, dry_run=dry_run)
    for _ in run.steps():
        pass
    change_ugco2e = round(run.told()["carbon_market_change_gco2e"] * 1e6)
    assert change_ugco2e == run.state.market_by_cause.get("contract", 0)
    return plan


def standing(engine: Engine) -> tuple[int, bool | None]:
    """As the checklist of October has it."""
    return contracts_standing(engine, TABLES, TenantMonth(1, "2026-10", epoch_us(LOW), epoch_us(HIGH)), "acme")


def market(engine: Engine, **asked: Any) -> int:
    """Micrograms by the market, of October."""
    query = TotalsQuery(start=LOW, end=HIGH, **asked)
    grams: float = totals(engine, EVERYTHING, query, datetime.now(UTC))["total"]["carbon_market_gco2e"]
    return round(grams * 1e6)


def filled(engine: Engine) -> None:
    """Three prompts of one hour, two in Sweden; one of the next hour, in Britain."""
    names = {"a": (NOON, SWEDEN), "b": (NOON + 1_000_000, SWEDEN), "c": (NOON, BRITAIN), "d": (NOON + HOUR_US, BRITAIN)}
    worker(engine).process([chunk_of([ended(name, *where) for name, where in names.items()])], now_us())


class TestContracts:
    """On every database."""

    def test_a_contract_covers_a_share_of_the_month_and_location_stays(self, engine: Engine) -> None:
        """By hand: a contract without carbon for half of the energy halves the carbon by the market; again, nothing is posted."""
        filled(engine)
        before = market(engine)
        location = totals(engine, EVERYTHING, OCTOBER, datetime.now(UTC))["total"]["carbon_gco2e"]
        assert standing(engine) == (0, True)
        contracts(engine, contract_row("ppa", 2 * KWH, "monthly"))
        assert standing(engine) == (1, False)
        tried = apply(engine, dry_run=True)
        assert rows_in(engine)("adjustment") == [] == rows_in(engine)("contract_coverage")
        plan = apply(engine)
        assert standing(engine) == (1, True)
        assert plan.energy_uwh == tried.energy_uwh
        assert plan.energy_uwh["ppa"] == pytest.approx(2 * KWH * 1e9, abs=2)
        assert market(engine) == pytest.approx(before / 2, abs=4)
        assert totals(engine, EVERYTHING, OCTOBER, datetime.now(UTC))["total"]["carbon_gco2e"] == location
        assert market(engine, amounts="reported") == before
        told = bridge(engine, EVERYTHING, OCTOBER, datetime.now(UTC))
        assert [step["cause"] for step in told["steps"] if step["carbon_market_ugco2e"]] == ["contract"]
        # Half of what was reported by the market, nothing by location: material all the same.
        assert (told["materiality_percent"], told["material"]) == (0.0, True)
        assert told["materiality_market_percent"] == pytest.approx(50, abs=1e-3)
        entries = rows_in(engine)("adjustment_entry")
        apply(engine)
        assert rows_in(engine)("adjustment_entry") == entries
        assert_exact(rows_in(engine))
        rebuild(engine, by=OPERATOR)
        assert verify(engine)["ok"]

    def test_an_hourly_contract_covers_its_hours_and_its_market_alone(self, engine: Engine) -> None:
        """One kilowatt-hour of prompts an hour, in Sweden: half of what was used there at noon; Britain keeps its own."""
        filled(engine)
        contracts(engine, contract_row("block", KWH, "hourly", region="country:SE"))
        plan = apply(engine)
        assert plan.energy_uwh["block"] == pytest.approx(KWH * 1e9, abs=2)
        by_event: Counter[str] = Counter()
        names = {str(row["event_key"]): row["event_id"] for row in rows_in(engine)("prompt_record")}
        for row in rows_in(engine)("adjustment_entry"):
            by_event[names[str(row["event_key"])]] += row["carbon_market_ugco2e"]
        own = {row["event_id"]: row["carbon_mid_ugco2e"] for row in rows_in(engine)("prompt_record")}
        assert by_event == {name: pytest.approx(-own[name] / 2, abs=1) for name in ("a", "b")}
        found = coverage(engine, EVERYTHING, now=datetime.now(UTC))["market"]["rows"]
        assert [(row["instrument"], row["granularity"]) for row in found] == [
            ("contract", "hourly"),
            ("location", "annual"),
        ]
        assert found[0]["share_of_energy"] == pytest.approx(0.25, rel=1e-6)

    def test_what_comes_is_corrected_or_voided_is_covered_when_it_is_applied_again(self, engine: Engine) -> None:
        """A restatement keeps what contracts have changed; each step shows what it changes by its own cause, and the end is what
        one application to all of it gives."""
        filled(engine)
        contracts(engine, contract_row("ppa", 2 * KWH, "monthly", value=10))
        apply(engine)
        one = market(engine)
        worker(engine).process([chunk_of([ended("late", NOON + 2 * HOUR_US)])], now_us())
        key = find_key(engine, EVERYTHING, "c", "acme").key
        void_record(engine, key, "acme", "c", reason="wrong", by=OPERATOR)
        by_hand_of = SETTLED.with_factors([market_set(market_row("supplier", 100, region=SWEDEN))])
        before = market(engine)
        assert standing(engine) == (1, False)
        restate(engine, by_hand_of, epoch_us(LOW), epoch_us(HIGH))
        steps = {step["cause"]: step for step in bridge(engine, EVERYTHING, OCTOBER, datetime.now(UTC))["steps"]}
        assert steps["factors"]["carbon_market_ugco2e"] == market(engine) - before
        apply(engine)
        # Four prompts are left, three of them in Sweden: half of all is under contract, at 10 g.
        britain = TABLES.resolve_region(BRITAIN, None, "lifecycle", NOON).rci_gco2e_per_kwh.mid
        expected = 2 * by_hand(10, NOON) + (3 * by_hand(100, NOON) + by_hand(britain, NOON)) / 2
        assert market(engine) == pytest.approx(expected, abs=10) != one
        assert_exact(rows_in(engine))
        assert verify(engine)["ok"]

    def test_several_tenants_never_share_out_more_than_there_is(self, engine: Engine) -> None:
        """One annual contract of all tenants: who comes second gets what is left; own contracts are of one tenant."""
        filled(engine)
        others = [{**ended(name, NOON), "tenant_id": "globex"} for name in ("x", "y")]
        worker(engine).process([chunk_of(others)], now_us())
        contracts(engine, contract_row("all", 5 * KWH, "annual"), contract_row("own", KWH, "annual", tenant="globex"))
        keys = {row["tenant_id"]: row["tenant_key"] for row in rows_in(engine)("tenant")}
        first = apply(engine, tenant_key=keys["acme"])
        second = apply(engine, tenant_key=keys["globex"], tenant_id="globex")
        assert first.energy_uwh == {"all": pytest.approx(4 * KWH * 1e9, abs=2)}
        assert second.energy_uwh == {name: pytest.approx(KWH * 1e9, abs=2) for name in ("all", "own")}
        covered = sum(row["covered_uwh"] for row in rows_in(engine)("contract_coverage") if row["contract"] == "all")
        assert covered <= round(5 * KWH * 1e9)
        again = apply(engine, tenant_key=keys["acme"])
        assert again.energy_uwh == first.energy_uwh

    def test_a_run_that_is_cut_short_goes_on(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        """One record in a transaction; the same entries as of a run that was not cut short."""
        monkeypatch.setattr("rice_stream.ledger.restating.RECORDS_AT_ONCE", 1)
        filled(engine)
        before = market(engine)
        contracts(engine, contract_row("ppa", 2 * KWH, "monthly"))
        month = TenantMonth(1, "2026-10", epoch_us(LOW), epoch_us(HIGH))
        for _ in range(3):
            run = ApplyingContracts(engine, planned(engine, TABLES, month, "acme", OPERATOR), "October", OPERATOR)
            next(run.steps(), None)
        apply(engine)
        assert len(rows_in(engine)("adjustment_entry")) == 4
        assert market(engine) == pytest.approx(before / 2, abs=4)
        assert verify(engine)["ok"]

    def test_whatever_happens_in_between_the_end_is_what_follows_from_all_of_it(self, engine: Engine) -> None:
        """Prompts come, are voided and restated, contracts are added and applied, in any order: nothing is ever covered beyond what
        is contracted or used, totals stay exact, and what is applied last is by hand what it has to be."""
        random = drawn("contracts")
        filled(engine)
        factors = [market_set(market_row("supplier", rci, region=SWEDEN)) for rci in (20, 200)]
        kwh = {"ppa": 0.0, "block": 0.0}
        for step in range(size(10, 60)):
            what = random.choice(["come", "come", "void", "restate", "contract", "apply", "apply"])
            if what == "come":
                hours = [random.randrange(3) for _ in range(3)]
                sent = [ended(f"n{step}.{k}", NOON + hour * HOUR_US + k, SWEDEN) for k, hour in enumerate(hours)]
                worker(engine).process([chunk_of(sent)], now_us())
            elif what == "void":
                event_id = random.choice([row["event_id"] for row in rows_in(engine)("prompt_record")])
                key = find_key(engine, EVERYTHING, event_id, "acme").key
                void_record(engine, key, "acme", event_id, reason="wrong", by=OPERATOR)
            elif what == "restate":
                restate(engine, SETTLED.with_factors([random.choice(factors)]), epoch_us(LOW), epoch_us(HIGH))
            elif what == "contract":
                kwh = {name: random.randrange(1, 9) * KWH / 2 for name in kwh}
                rows = [
                    contract_row("ppa", kwh["ppa"], "annual", value=7),
                    contract_row("block", kwh["block"], "hourly"),
                ]
                contracts(engine, *rows, note=str(step))
            else:
                apply(engine)
                _check_covered(engine, kwh)
            assert_exact(rows_in(engine))
        apply(engine)
        _check_covered(engine, kwh)
        entries = rows_in(engine)("adjustment_entry")
        apply(engine)
        assert rows_in(engine)("adjustment_entry") == entries
        assert verify(engine)["ok"]

    def test_a_month_that_is_not_over_is_refused(self, engine: Engine) -> None:
        """What it uses is not known yet."""
        ends_us = now_us() + HOUR_US
        with pytest.raises(UsageError, match="it is not over before"):
            planned(engine, TABLES, TenantMonth(1, "2026-11", epoch_us(HIGH), ends_us), "acme")

    def test_contracts_leave_estimates_and_their_version_alone(self, engine: Engine) -> None:
        """They are laid over no table, and may be of what is recorded."""
        filled(engine)
        contracts(engine, contract_row("ppa", 1, "monthly"))
        worker(engine).process([chunk_of([ended("after", now_us())])], now_us())
        assert {row["factor_version"] for row in rows_in(engine)("factor_use")} == {TABLES.version}


def _check_covered(engine: Engine, kwh: dict[str, float]) -> None:
    """Right after contracts were applied: what they cover, and what carbon by the market amounts to, worked out from the rows."""
    rows = rows_in(engine)
    used: Counter[int] = Counter()
    own: Counter[tuple[str, int]] = Counter()
    contract_groups = {row["adjustment_key"] for row in rows("adjustment") if row["cause"] == "contract"}
    energy: Counter[tuple[str, int]] = Counter()
    for row in [*rows("prompt_record"), *rows("adjustment_entry")]:
        place = str(row["event_key"]), row["ended_at_us"] // HOUR_US * 3600
        energy[place] += row["facility_energy_uwh"]
        used[place[1]] += row["facility_energy_uwh"]
        if row.get("adjustment_key") not in contract_groups:
            said = row["carbon_market_ugco2e"]
            own[place] += row["carbon_mid_ugco2e"] if said is None else said
    covered: Counter[tuple[str, int]] = Counter()
    for row in rows("contract_coverage"):
        covered[row["contract"], row["hour_start_s"]] += row["covered_uwh"]
    of_hour: Counter[int] = Counter()
    for (name, hour), amount in covered.items():
        of_hour[hour] += amount
        assert name == "ppa" or amount <= round(kwh["block"] * 1e9)
    assert sum(amount for (name, _), amount in covered.items() if name == "ppa") <= round(kwh["ppa"] * 1e9)
    assert all(amount <= used[hour] for hour, amount in of_hour.items())
    expected = 0.0
    for (event, hour), amount in energy.items():
        if amount:
            share = of_hour[hour] / used[hour]
            expected += own[event, hour] * (1 - share) + amount * covered["ppa", hour] / used[hour] * 7 / 1000
    assert market(engine) == pytest.approx(expected, abs=2 * len(energy) + 2)


REFUSED = [
    ({"scope": "direct"}, "column scope: direct beside lifecycle"),
    ({"signal": "marginal"}, "column signal: marginal says"),
    ({"kwh": 0}, "column kwh"),
    ({"valid_to": ""}, "column valid_from"),
    ({"granularity": "daily"}, "column granularity"),
    ({"instrument": "promise"}, "column instrument"),
    ({"region": "country:XX"}, "is no place of the tables"),
    ({"contract": "a"}, "its dates overlap"),
]


@pytest.mark.parametrize(("changes", "problem"), REFUSED, ids=[problem for _, problem in REFUSED])
def test_a_bad_contract_is_refused_and_names_row_and_column(
    changes: dict[str, Any], problem: str, either_database: Databases
) -> None:
    """Nothing is stored."""
    engine = open_engine(either_database.migrated())
    with pytest.raises(ReferenceDataError, match=f"row 2, .*{problem}"):
        contracts(engine, contract_row("a", 1, "monthly"), {**contract_row("b", 1, "monthly"), **changes})
    assert rows_in(engine)("factor_set") == []
    engine.dispose()


def test_the_version_before_cannot_have_contracts_and_says_so(either_database: Databases) -> None:
    """Up with corrections of the version before, which stay as they are; down where there is none of a contract."""
    engine = open_engine(either_database.migrated())
    filled(engine)
    key = find_key(engine, EVERYTHING, "c", "acme").key
    void_record(engine, key, "acme", "c", reason="wrong", by=OPERATOR)
    before = rows_in(engine)("adjustment")
    migrate(engine, "0035")
    assert rows_in(engine)("adjustment") == before
    migrate(engine)
    assert rows_in(engine)("adjustment") == before
    assert verify(engine)["ok"]
    contracts(engine, contract_row("ppa", KWH, "monthly"))
    with pytest.raises(UsageError, match="contracts were added or applied"):
        migrate(engine, "0035")
    apply(engine)
    assert {row["cause"] for row in rows_in(engine)("adjustment")} == {"void", "contract"}
    engine.dispose()
