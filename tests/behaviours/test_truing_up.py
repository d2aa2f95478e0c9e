"""Provisional carbon intensities: flagged in the record, and trued up by entries of their own cause when the final ones come."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from rice_stream.ledger.truing_up import TruingUp
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.factors import FactorPolicy
from rice_stream.meter.live_intensity import LiveIntensity
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.proof.verification import verify
from rice_stream.reference.sets.factor_set import FactorSet
from rice_stream.reports.bridge import bridge
from rice_stream.reports.coverage import coverage
from rice_stream.reports.restatements import described
from rice_stream.store.dimensions import Dimensions
from rice_stream.store.restatement_store import RestatementOrder
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.writers import open_writer
from tests.behaviours.test_factor_sets_in_force import HOUR_US, TABLES, add, now_us, worker
from tests.behaviours.test_market_based import SETTLED, by_hand, ended, market_set, moments, recorded
from tests.support.factor_files import BRITAIN, SWEDEN, market_row, rci_row, set_of
from tests.support.fakes import OPERATOR, TOKEN_DEFAULTS, FakeMethod, chunk_of
from tests.support.store_checks import assert_exact, rows_in


class Feed:
    """A live feed that says of every hour that its value is an estimate, of Sweden alone."""

    generation = 0

    def __call__(self, region_id: str, at_us: int) -> LiveIntensity | None:
        return LiveIntensity(30.0, "Feed zone SE (estimated)", estimated=True) if region_id == SWEDEN else None


def fed(engine: Engine) -> Pipeline:
    """A worker with the feed."""
    return Pipeline(
        dimensions=Dimensions(engine),
        writer=open_writer(engine),
        estimator=Estimator(TABLES, FactorPolicy(pue=1.25), FakeMethod()),
        defaults=TOKEN_DEFAULTS,
        live=Feed(),
    )


def true_up(engine: Engine, at_us: int, *sets: FactorSet, dry_run: bool = False) -> dict[str, Any]:
    """True the hours around an instant up, by these sets over the tables."""
    by = SETTLED.with_factors(sets)
    order = RestatementOrder(
        at_us - HOUR_US, at_us + 9 * HOUR_US, None, by.method.version, by.reference.version, "final values", "true-up"
    )
    run = TruingUp(engine, by, TOKEN_DEFAULTS, replace(order, dry_run=dry_run), OPERATOR)
    for _ in run.steps():
        pass
    return described(run.state, 5.0)


def words(engine: Engine) -> dict[str, bool]:
    """Event id -> whether its record says that its intensity is an estimate."""
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT event_id, basis FROM prompt_emission").all()
    return {event_id: "intensity_estimated" in basis.split(",") for event_id, basis in rows}


class TestTruingUp:
    """On every database."""

    def test_estimates_of_a_feed_become_final_by_entries_of_their_own_cause(self, engine: Engine) -> None:
        """By hand: 30 g/kWh of the feed become the 12.5 of the set; what the feed did not estimate, and what no set makes final,
        stays. Again, nothing is posted."""
        at_us = now_us()
        fed(engine).process([chunk_of([ended("fed", at_us), ended("table", at_us, BRITAIN)])], at_us)
        assert words(engine) == {"fed": True, "table": False}
        assert true_up(engine, at_us)["entries"] == 0
        final = set_of(rci_row(value=12.5))
        tried = true_up(engine, at_us, final, dry_run=True)
        done = true_up(engine, at_us, final)
        change = by_hand(12.5, at_us) - by_hand(30, at_us)
        assert done["by_cause"] == tried["by_cause"] == {"true_up": pytest.approx(change / 1e6, abs=2e-6)}
        assert true_up(engine, at_us, final)["entries"] == done["entries"]
        told = bridge(engine, EVERYTHING, moments(at_us), datetime.now(UTC))
        assert [step["cause"] for step in told["steps"] if step["carbon_ugco2e"]] == ["true_up"]
        assert told["reported"]["carbon_ugco2e"] == sum(location for location, _ in recorded(engine).values())
        # By the market it was the middle by location, and is so still.
        assert told["restated"]["carbon_market_ugco2e"] == told["restated"]["carbon_ugco2e"]
        entries = {row["basis_flags"] for row in rows_in(engine)("adjustment_entry") if row["carbon_mid_ugco2e"] > 0}
        assert entries == {0}
        assert_exact(rows_in(engine))
        assert verify(engine)["ok"]

    def test_a_provisional_market_factor_is_trued_up_too(self, engine: Engine) -> None:
        """Location stays."""
        row = {"region": SWEDEN, "status": "estimated"}
        begins_us = add(engine, market_set(market_row("supplier", 10, **row)))
        worker(engine).process([chunk_of([ended("e", begins_us)])], now_us())
        assert words(engine) == {"e": True}
        assert true_up(engine, begins_us, market_set(market_row("supplier", 9, **row)))["entries"] == 0
        true_up(engine, begins_us, market_set(market_row("supplier", 8, region=SWEDEN)))
        [step] = [
            step
            for step in bridge(engine, EVERYTHING, moments(begins_us), datetime.now(UTC))["steps"]
            if step["carbon_market_ugco2e"]
        ]
        change = by_hand(8, begins_us) - by_hand(10, begins_us)
        assert (step["cause"], step["carbon_ugco2e"]) == ("true_up", 0)
        assert step["carbon_market_ugco2e"] == pytest.approx(change, abs=2)
        assert verify(engine)["ok"]

    def test_coverage_says_of_how_much_energy_the_electricity_is_known(self, engine: Engine) -> None:
        """Five prompts of equal energy: one each by supplier and hours, by supplier and year, by residual mix, by the hours of a
        grid, by nothing better than a year of a grid."""
        begins_us = add(
            engine,
            market_set(
                market_row("supplier", None, region=SWEDEN, by_hour=[5.0] * 24),
                market_row("supplier", 20, region="country:FR"),
                market_row("residual_mix", 400, region="country:DE", granularity="monthly"),
            ),
        )
        start_us = add(engine, set_of(rci_row(BRITAIN, None, by_hour=[7.0] * 24)), begins_us + 1_000_000)
        regions = {"a": SWEDEN, "b": "country:FR", "c": "country:DE", "d": BRITAIN, "e": "country:PL"}
        worker(engine).process(
            [chunk_of([ended(name, start_us, region) for name, region in regions.items()])], now_us()
        )
        found = coverage(engine, EVERYTHING, now=datetime.now(UTC))["market"]
        energy = by_hand(1000, start_us) / 1e9
        assert found["facility_energy_kwh"] == pytest.approx(5 * energy, rel=1e-6)
        assert [(row["instrument"], row["granularity"]) for row in found["rows"]] == [
            ("supplier", "hourly"),
            ("supplier", "annual"),
            ("residual_mix", "monthly"),
            ("location", "hourly"),
            ("location", "annual"),
        ]
        assert [row["share_of_energy"] for row in found["rows"]] == pytest.approx([0.2] * 5, rel=1e-6)
        long_after = datetime(2096, 1, 1, tzinfo=UTC)
        assert coverage(engine, EVERYTHING, now=long_after, days=1)["market"]["rows"] == []
