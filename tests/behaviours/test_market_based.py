"""Carbon by the market beside carbon by location: from a factor set into record, totals, explanation, restatement and bridge."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, text

from rice_stream.errors import ReferenceDataError, UsageError
from rice_stream.instants import epoch_us, rfc3339
from rice_stream.ledger.restating import Restating
from rice_stream.ledger.voiding import void_record
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.factors import FactorPolicy
from rice_stream.proof.rebuild import rebuild
from rice_stream.proof.verification import verify
from rice_stream.reference.sets.factor_set import FactorSet
from rice_stream.reports.bridge import bridge
from rice_stream.reports.explanation import explain
from rice_stream.reports.record_keys import find_key
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.store.engine import open_engine
from rice_stream.store.migrate import migrate
from rice_stream.store.restatement_store import RestatementOrder
from rice_stream.store.scope import EVERYTHING
from tests.behaviours.test_factor_sets_in_force import PAPER, TABLES, add, now_us, worker
from tests.support.databases import Databases
from tests.support.factor_files import BRITAIN, SWEDEN, market_row, set_of
from tests.support.fakes import IT_WH_PER_TOKEN, OPERATOR, TOKEN_DEFAULTS, FakeMethod, chunk_of, event
from tests.support.store_checks import assert_exact, rows_in

AZURE, AWS, OPENAI = "azure", "aws", "openai"
SETTLED = Estimator(TABLES, FactorPolicy(pue=1.25), FakeMethod())


def market_set(*rows: dict[str, Any], **changes: Any) -> FactorSet:
    """A set of market-based factors."""
    return set_of(*rows, kind="market", **changes)


def ended(name: str, at_us: int, region: str | None = SWEDEN, provider: str | None = None) -> dict[str, Any]:
    """An event of 20 weighted tokens."""
    more = {"provider": provider} if provider else {}
    return event(event_id=name, ended_at=rfc3339(at_us), started_at=..., inference_region=region or ..., **more)


def recorded(engine: Engine) -> dict[str, tuple[int, int | None]]:
    """Event id -> micrograms by location and by the market."""
    return {
        row["event_id"]: (row["carbon_mid_ugco2e"], row["carbon_market_ugco2e"])
        for row in rows_in(engine)("prompt_record")
    }


def by_hand(rci: float, at_us: int) -> float:
    """Micrograms: 20 tokens x Wh a token x parameters x 1.25 x g/kWh."""
    size_b = TABLES.resolve_model(None, "small", None, at_us).params_active_b.mid
    return 20 * IT_WH_PER_TOKEN * size_b * 1.25 * rci * 1e3


def restate(engine: Engine, by: Estimator, from_us: int, to_us: int) -> dict[str, tuple[int, int]]:
    """Restate by an estimator; micrograms by location and by the market, by cause."""
    order = RestatementOrder(from_us, to_us, None, by.method.version, by.reference.version, "new market factors")
    run = Restating(engine, by, TOKEN_DEFAULTS, order, OPERATOR)
    for _ in run.steps():
        pass
    return {cause: (amount, run.state.market_by_cause[cause]) for cause, amount in run.state.by_cause.items()}


def moments(at_us: int, more_us: int = 1) -> TotalsQuery:
    """A day around an instant."""
    first, last = (datetime.fromtimestamp(moment // 1_000_000, UTC) for moment in (at_us, at_us + more_us))
    start = first.replace(hour=0, minute=0, second=0)
    return TotalsQuery(start=start, end=last.replace(hour=0, minute=0, second=0) + (DAY * 2))


DAY = datetime(2026, 1, 2, tzinfo=UTC) - datetime(2026, 1, 1, tzinfo=UTC)


class TestMarketBased:
    """On every database."""

    def test_the_best_factor_that_is_known_is_taken_and_named(self, engine: Engine) -> None:
        """The provider at the place, whoever supplies the place, the provider anywhere, the residual mix; else nothing. What is
        known of a place is not taken for a prompt of which only a guess says where it ran."""
        begins_us = add(
            engine,
            market_set(
                market_row("supplier", 10, provider=AZURE, region=SWEDEN),
                market_row("supplier", 20, region=SWEDEN),
                market_row("supplier", 30, provider=AWS),
                market_row("residual_mix", 70, region="country:SE"),
                market_row("residual_mix", 400, region=BRITAIN),
            ),
        )
        sent = [
            ended("own", begins_us, SWEDEN, AZURE),
            ended("utility", begins_us, SWEDEN),
            ended("anywhere", begins_us, BRITAIN, AWS),
            ended("nowhere said", begins_us, None, AWS),
            ended("residual", begins_us, "country:SE"),
            ended("of the country", begins_us, "azure:uksouth", OPENAI),
            ended("unknown", begins_us, "country:DE"),
            ended("guessed", begins_us, None, AZURE),
            ended("before", begins_us - 1, SWEDEN, AZURE),
        ]
        worker(engine).process([chunk_of(sent)], now_us())
        found = recorded(engine)
        expected = {"own": 10, "utility": 20, "anywhere": 30, "nowhere said": 30, "residual": 70, "of the country": 400}
        for name, rci in expected.items():
            assert found[name][1] == pytest.approx(by_hand(rci, begins_us), abs=1), name
        assert [found[name][1] for name in ("unknown", "guessed", "before")] == [None] * 3
        assert found["before"][0] == found["own"][0]
        answer = totals(engine, EVERYTHING, moments(begins_us), datetime.now(UTC))["total"]
        assert answer["carbon_gco2e"]["mid"] == pytest.approx(sum(one for one, _ in found.values()) / 1e6)
        market = sum(location if market is None else market for location, market in found.values())
        assert answer["carbon_market_gco2e"] == pytest.approx(market / 1e6)
        assert_exact(rows_in(engine))
        before = rows_in(engine)("day_total")
        rebuild(engine, by=OPERATOR)
        assert rows_in(engine)("day_total") == before
        assert verify(engine)["ok"]

    def test_explain_says_which_factor_and_repeats_its_arithmetic(self, engine: Engine) -> None:
        """A step each for the factor, the amount and its rounding; a record that was changed is found."""
        begins_us = add(engine, market_set(market_row("residual_mix", 70, region="country:SE", year=2025)))
        worker(engine, PAPER).process([chunk_of([ended("e", begins_us)])], now_us())
        answer = explain(engine, EVERYTHING, "e", defaults=TOKEN_DEFAULTS)
        assert answer["agrees"]
        steps = {step["name"]: step for step in answer["steps"]}
        factor = steps["market_rci_gco2e_per_kwh"]
        assert (factor["value"], factor["formula"]) == (70, "residual_mix, annual")
        assert "Grid Co (factor set" in factor["source"]
        assert factor["source"].endswith(", 2025")
        assert steps["carbon_market_gco2e"]["value"] == pytest.approx(steps["facility_energy_wh"]["value"] * 0.07)
        assert steps["carbon_market_ugco2e"]["value"] == answer["record"]["carbon_market_ugco2e"]
        with engine.begin() as connection:
            connection.execute(text("UPDATE prompt_record SET carbon_market_ugco2e = carbon_market_ugco2e + 1"))
        changed = explain(engine, EVERYTHING, "e", defaults=TOKEN_DEFAULTS)
        assert changed["agrees"] is False
        assert "carbon_market_ugco2e" in changed["remarks"][0]

    def test_hours_of_a_supplier_hold_by_the_hour(self, engine: Engine) -> None:
        """By hand: the number of the hour."""
        by_hour = [float(hour) for hour in range(24)]
        begins_us = add(engine, market_set(market_row("supplier", None, region=SWEDEN, by_hour=by_hour)))
        hour_us = begins_us // 3_600_000_000 * 3_600_000_000 + 3_600_000_000
        sent = [ended(f"h{k}", hour_us + k * 3_600_000_000) for k in range(5)]
        worker(engine).process([chunk_of(sent)], now_us())
        hour = hour_us // 3_600_000_000 % 24
        found = recorded(engine)
        for k in range(5):
            assert found[f"h{k}"][1] == pytest.approx(by_hand((hour + k) % 24, hour_us), abs=1)

    def test_another_market_set_changes_the_market_alone_by_its_cause(self, engine: Engine) -> None:
        """Restated by new factors, and back; the bridge adds up to the microgram in both columns, and location stays."""
        begins_us = add(engine, market_set(market_row("residual_mix", 70, region="country:SE")))
        worker(engine).process([chunk_of([ended("e", begins_us), ended("f", begins_us, BRITAIN)])], now_us())
        location = sum(one for one, _ in recorded(engine).values())
        stretch = begins_us - 1, begins_us + 1
        old = SETTLED.with_factors([market_set(market_row("residual_mix", 70, region="country:SE"))])
        new = SETTLED.with_factors([market_set(market_row("supplier", 5, region=SWEDEN))])
        query, now = moments(begins_us), datetime.now(UTC)
        done = restate(engine, new, *stretch)
        told = bridge(engine, EVERYTHING, query, now)
        change = {step["cause"]: step["carbon_market_ugco2e"] for step in told["steps"] if step["carbon_market_ugco2e"]}
        assert change == {"factors": pytest.approx(by_hand(5, begins_us) - by_hand(70, begins_us), abs=2)}
        assert done == {"factors": (0, change["factors"])}
        assert all(not step["carbon_ugco2e"] for step in told["steps"])
        assert told["reported"]["carbon_ugco2e"] == told["restated"]["carbon_ugco2e"] == location
        assert told["reported"]["carbon_market_ugco2e"] + change["factors"] == told["restated"]["carbon_market_ugco2e"]
        assert_exact(rows_in(engine))
        restate(engine, old, *stretch)
        assert not any(step["carbon_market_ugco2e"] for step in bridge(engine, EVERYTHING, query, now)["steps"])
        assert verify(engine)["ok"]

    def test_voiding_takes_the_market_away_and_says_so(self, engine: Engine) -> None:
        """As much as the record has."""
        begins_us = add(engine, market_set(market_row("supplier", 10, region=SWEDEN)))
        worker(engine).process([chunk_of([ended("e", begins_us)])], now_us())
        market = recorded(engine)["e"][1]
        key = find_key(engine, EVERYTHING, "e", "acme").key
        answer = void_record(engine, key, "acme", "e", reason="wrong", by=OPERATOR)
        assert market is not None
        assert answer["amounts"]["carbon_market_gco2e"] == -market / 1e6
        assert totals(engine, EVERYTHING, moments(begins_us), datetime.now(UTC))["total"]["carbon_market_gco2e"] == 0
        assert_exact(rows_in(engine))


REFUSED = [
    ({"scope": "direct"}, "column scope: direct beside lifecycle"),
    ({"signal": "marginal"}, "column signal: marginal says"),
    ({"provider": None, "region": None}, "column provider: a supplier's factor is of"),
    ({"valid_to": None}, "column valid_from: what holds by the market is of a stretch of time"),
    ({"granularity": "hourly"}, "column granularity: hourly needs the hours"),
    ({"value": None, "by_hour": [1.0] * 24, "granularity": "annual"}, "column granularity: the row gives hours"),
    ({"instrument": "residual_mix", "provider": AZURE}, "column provider: a residual mix is of a market"),
    ({"instrument": "residual_mix", "region": None}, "column region: a residual mix is of a market"),
    ({"instrument": "wish"}, "column instrument: 'wish' is not allowed"),
    ({"unit": "gCO2/MJ"}, "column unit"),
    ({"region": "country:XX"}, "is no place of the tables"),
]


@pytest.mark.parametrize(("changes", "problem"), REFUSED, ids=[problem for _, problem in REFUSED])
def test_a_file_that_mixes_or_leaves_out_is_refused_and_names_row_and_column(
    changes: dict[str, Any], problem: str
) -> None:
    """With and without plants and fuels, average and marginal, a factor without its market or its time."""
    row = {"instrument": "supplier", "value": 3, "region": SWEDEN, **changes}
    made = market_row(row.pop("instrument"), row.pop("value"), **row)
    with pytest.raises(ReferenceDataError, match=f"row 2, .*{problem}"):
        SETTLED.with_factors([set_of(market_row("supplier", 3, region=BRITAIN), made, kind="market")])


def test_rows_of_rci_that_say_market_are_those_of_a_supplier() -> None:
    """As overlays and sets of `rci` have had them."""
    row = {"region": SWEDEN, "scope": "lifecycle", "value": 4, "unit": "gCO2e/kWh", "accounting": "market"}
    made = set_of({**row, "valid_from": "2026-01-01", "valid_to": "2027-01-01"})
    for moment, expected in (
        (datetime(2026, 5, 1, tzinfo=UTC), (4.0, "supplier")),
        (datetime(2027, 5, 1, tzinfo=UTC), None),
    ):
        at = SETTLED.with_factors([made]).at(epoch_us(moment))
        region = at.reference.resolve_region(SWEDEN, None, "lifecycle", at.at_us)
        found = at.reference.resolve_market(None, region, at.at_us)
        assert (None if found is None else (found.rci_gco2e_per_kwh, found.instrument)) == expected


def test_the_version_before_cannot_have_market_sets_and_says_so(either_database: Databases) -> None:
    """Up with a set of the version before, which stays as it is; down where there is none of the market, and not where there is."""
    engine = open_engine(either_database.migrated())
    migrate(engine, "0033")
    add(engine, set_of({"region": SWEDEN, "scope": "lifecycle", "value": 4, "unit": "gCO2e/kWh"}))
    before = rows_in(engine)("factor_set")
    migrate(engine)
    assert rows_in(engine)("factor_set") == before
    with pytest.raises(Exception, match="append-only"), engine.begin() as connection:
        connection.execute(text("DELETE FROM factor_set"))
    migrate(engine, "0033")
    migrate(engine)
    add(engine, market_set(market_row("supplier", 3, region=BRITAIN)))
    with pytest.raises(UsageError, match="of the kind market were added"):
        migrate(engine, "0033")
    assert len(rows_in(engine)("factor_set")) == 2
    engine.dispose()
