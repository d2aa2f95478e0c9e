"""Ranges of totals: shared uncertainties in every break-down and window, in budgets and alerts, on every database."""

import json
import math
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from rice_stream.alerting.judge import Judge
from rice_stream.budgets.parsing import parse_budget
from rice_stream.budgets.periods import period_at
from rice_stream.estimator.spread import Z80
from rice_stream.meter.shared_ranges import KindSums, SharedRange, shared_of, total_range
from rice_stream.proof.verification import verify
from rice_stream.quantities import MICRO
from rice_stream.reports.budgets import budget_statuses
from rice_stream.reports.figures import read_figures
from rice_stream.reports.sums import FIELDS
from rice_stream.reports.totals import totals as answer_to
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.store import budget_store, consumption
from rice_stream.store.consumption import consumed_in_each
from rice_stream.store.engine import reading, writing
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.watching import watch_user
from tests.support.fakes import NOON_US
from tests.support.reports_store import NOON, Store, at
from tests.support.spreads import give_spreads, hosted
from tests.support.store_checks import assert_exact, rows_in


def totals(store: Store, **asked: Any) -> dict[str, Any]:
    return answer_to(store.engine, EVERYTHING, TotalsQuery(**asked), NOON)


def traffic() -> list[dict[str, Any]]:
    """Twelve models at four providers in two regions, three teams and users, over two days; one more tenant."""
    return [
        at(
            f"2026-11-{20 + number % 2}T{number % 24:02d}:{number * 7 % 60:02d}:{number * 11 % 60:02d}Z",
            event_id=f"e-{number}",
            tenant_id="globex" if number % 13 == 12 else "acme",
            team_id=f"team-{number % 3}",
            user_id=f"u-{number % 3}",
            provider=f"host-{number % 12 // 3}",
            request_model=f"m-{number % 12}",
            inference_region=("eu", "us")[number % 12 // 6],
            input_tokens=(number % 12 + 1) * 30,
        )
        for number in range(120)
    ]


def by_hand(store: Store, where: str = "TRUE", mid: int | None = None) -> SharedRange:
    """The range of some records, from the records themselves and what is stored with their factors."""
    kinds = []
    for row in store.rows(
        "SELECT r.*, f.detail, f.method_version FROM prompt_record r JOIN factor_use f USING (factor_key)"
        f" JOIN tenant t ON t.tenant_key = r.tenant_key JOIN attribution a ON a.tenant_key = r.tenant_key"
        f" AND a.attribution_key = r.attribution_key WHERE {where}"
    ):
        ends = [row[f"carbon_{end}_ugco2e"] for end in ("low", "mid", "high")]
        spread = json.loads(row["detail"]).get("spread")
        kinds.append(KindSums(None if spread is None else shared_of(spread), row["method_version"], 1, *ends))
    return total_range(kinds, mid)


def in_grams(carbon: SharedRange) -> dict[str, float]:
    return {"low": carbon.low / MICRO, "mid": carbon.mid / MICRO, "high": carbon.high / MICRO}


class TestTotalRanges:
    """On every database."""

    def test_two_models_worked_out_by_hand(self, store: Store) -> None:
        """2.5 g each: v11 = 0.04 + 0.36, v22 = 0.04 + 0.81, v12 = 0.04; the sums of the ends are those of the records."""
        store.add(at("2026-11-22T11:00:00Z"), at("2026-11-22T11:01:00Z", request_model="other"))
        sds = {"small": 0.6, "other": 0.9}
        give_spreads(store, lambda row: {"global:hosted": 0.2, f"model:{row['model']}": sds[row["model"]]})
        first, second = 2.5 * math.exp(0.2), 2.5 * math.exp(0.425)
        variance = first**2 * math.expm1(0.4) + second**2 * math.expm1(0.85) + 2 * first * second * math.expm1(0.04)
        s2 = math.log1p(variance / (first + second) ** 2)
        median = (first + second) * math.exp(-s2 / 2)
        row = totals(store)["total"]
        assert row["carbon_gco2e"]["mid"] == 5.0
        assert row["carbon_gco2e"]["low"] == pytest.approx(median * math.exp(-Z80 * math.sqrt(s2)), abs=1e-6)
        assert row["carbon_gco2e"]["high"] == pytest.approx(median * math.exp(Z80 * math.sqrt(s2)), abs=1e-6)
        assert row["carbon_gco2e_median"] == pytest.approx(median, abs=1e-6)
        assert row["carbon_gco2e_linear"] == {"low": 2.5, "high": 10.0}

    @pytest.mark.parametrize("by", [*FIELDS, "team,model", "user,region", "tenant,day"])
    def test_every_break_down_has_ranges_that_hold_exact_middles(self, store: Store, by: str) -> None:
        """The total is the same whatever it is broken down by; middles add up to it; no row is wider than its widest part."""
        store.add(*traffic())
        give_spreads(store, hosted)
        answer = totals(store, by=[by])
        assert answer["total"] == totals(store)["total"]
        assert in_grams(by_hand(store)) == answer["total"]["carbon_gco2e"]
        middles = [row["carbon_gco2e"]["mid"] for row in answer["rows"]]
        assert sum(round(mid * MICRO) for mid in middles) == round(answer["total"]["carbon_gco2e"]["mid"] * MICRO)
        widest = math.exp(2 * Z80 * math.sqrt(sum(sd * sd for sd in (0.20, 0.30, 0.35, 0.20, 0.25))))
        for row in answer["rows"]:
            low, mid, high = (row["carbon_gco2e"][end] for end in ("low", "mid", "high"))
            assert low <= mid <= high
            assert high / low <= widest * (1 + 1e-6)
        first = totals(store, by=[by], limit=1)
        assert (first["rows"], first["total"]) == (answer["rows"][:1], answer["total"])

    def test_a_portfolio_is_known_better_than_its_parts(self, store: Store) -> None:
        """Twelve models at four providers: a factor of three at most; a model alone has that of its estimate, 4.9."""
        store.add(*traffic())
        give_spreads(store, hosted)
        carbon = totals(store, tenant="acme")["total"]["carbon_gco2e"]
        assert carbon["high"] / carbon["low"] <= 3.0
        (row, *_) = totals(store, by=["model"], tenant="acme")["rows"]
        alone = row["carbon_gco2e"]
        sd = math.sqrt(0.20**2 + 0.30**2 + 0.35**2 + 0.20**2 + 0.25**2)
        assert alone["high"] / alone["mid"] == pytest.approx(math.exp(Z80 * sd), rel=1e-6)
        assert row["carbon_gco2e_median"] == pytest.approx(alone["mid"], rel=1e-6)

    @pytest.mark.parametrize("by", ["tenant", "team", "model", "day"])
    def test_a_window_that_cuts_a_quarter_hour_has_the_shares_of_whole_quarters(self, store: Store, by: str) -> None:
        """11:05 to 11:20 has the first model's second prompt and not its first, and the other's; shares count both."""
        store.add(
            at("2026-11-22T11:01:00Z"),
            at("2026-11-22T11:06:00Z"),
            at("2026-11-22T11:19:00Z", request_model="other"),
            at("2026-11-22T11:29:00Z", request_model="other"),
            at("2026-11-22T11:29:59Z", request_model="other"),
            at("2026-11-22T11:30:00Z", request_model="big"),
        )
        give_spreads(store, lambda row: {f"model:{row['model']}": 0.8})
        window = {
            "start": datetime(2026, 11, 22, 11, 5, tzinfo=UTC),
            "end": datetime(2026, 11, 22, 11, 20, tzinfo=UTC),
        }
        answer = totals(store, by=[by], **window)
        whole = by_hand(store, "r.ended_at_us < 1795347000000000", 5_000_000)
        assert answer["total"]["carbon_gco2e"] == in_grams(whole)
        assert answer["total"]["carbon_gco2e_linear"] == {"low": 2.5, "high": 10.0}
        if by == "model":
            assert [row["carbon_gco2e"]["mid"] for row in answer["rows"]] == [2.5, 2.5]
        else:
            assert answer["rows"][0]["carbon_gco2e"] == in_grams(whole)

    @pytest.mark.parametrize("by", ["tenant", "model,region", "team"])
    def test_a_stretch_of_months_has_the_shares_of_all_its_days(self, store: Store, by: str) -> None:
        """From within a month to within another; a time zone whose months are not those of UTC."""
        store.add(
            *(
                at(
                    f"2026-{number % 5 + 6:02d}-{number * 7 % 30 + 1:02d}T{number % 24:02d}:15:00Z",
                    event_id=f"e-{number}",
                    team_id="team-1",
                    request_model=f"m-{number % 7}",
                    inference_region=("eu", "us")[number % 2],
                    input_tokens=(number % 12 + 1) * 30,
                )
                for number in range(240)
            )
        )
        store.set_time_zone("acme", "Asia/Kolkata")
        give_spreads(store, hosted)
        for start, end in (("2026-06-11", "2026-10-20"), ("2026-07-01", "2026-10-01"), ("2026-07-03", "2026-07-09")):
            kolkata = timezone(timedelta(hours=5, minutes=30))
            bounds = [datetime.fromisoformat(day).replace(tzinfo=kolkata) for day in (start, end)]
            low_us, high_us = (int(bound.timestamp()) * MICRO for bound in bounds)
            answer = totals(store, tenant="acme", by=[by], start=date.fromisoformat(start), end=date.fromisoformat(end))
            expected = by_hand(store, f"r.ended_at_us >= {low_us} AND r.ended_at_us < {high_us}")
            assert answer["total"]["carbon_gco2e"] == in_grams(expected)
        assert verify(store.engine)["ok"]
        assert_exact(rows_in(store.engine))

    def test_records_of_methods_without_a_spread_keep_the_width_of_their_ends(self, store: Store) -> None:
        """Half and twice, whatever the number of models."""
        store.add(*traffic())
        total = totals(store)["total"]
        linear = total["carbon_gco2e_linear"]
        assert total["carbon_gco2e"] == {**linear, "mid": pytest.approx(2 * linear["low"])}

    def test_budgets_on_an_end_are_judged_by_the_range(self, store: Store) -> None:
        """Every kind of scope, calendar and rolling; alerts and statuses say the same, and the middle is exact."""
        watch_user(store.engine, "acme", "u-1")
        store.add(*traffic())
        give_spreads(store, hosted)
        scopes: dict[str, dict[str, str]] = {
            "tenant": {},
            "team": {"team_id": "team-1"},
            "user": {"user_id": "u-1"},
            "model": {"model": "m-1"},
        }
        where = {
            "tenant": "",
            "team": " AND a.team_id = 'team-1'",
            "user": " AND a.team_id = 'team-1'",
            "model": " AND f.model = 'm-1'",
        }
        ranges = {name: by_hand(store, f"t.tenant_id = 'acme'{where[name]}") for name in scopes}
        with writing(store.engine) as connection:
            for name, scope in scopes.items():
                for period in ("month", "rolling-7d"):
                    wanted = {"limit_gco2e": ranges[name].high / MICRO, "estimate": "high", "thresholds": [0.9, 1.01]}
                    budget = parse_budget(
                        {"name": f"{name}-{period}", "tenant_id": "acme", "period": period, **scope, **wanted}
                    )
                    budget_store.save_budget(connection, budget, NOON_US)
        for status in budget_statuses(store.engine, EVERYTHING, NOON):
            expected = ranges[status["name"].split("-")[0]]
            assert status["consumed_gco2e"] == in_grams(expected)
            assert status["consumed"] == expected.high / MICRO
            assert status["ratio"] == pytest.approx(1.0, abs=1e-6)
        assert Judge(store.engine).judge_all(NOON).changes == len(scopes) * 2
        for row in store.rows("SELECT budget, event FROM alert"):
            data = json.loads(row["event"])["data"]
            expected = ranges[row["budget"].split("-")[0]]
            assert (data["threshold"], data["consumed_gco2e"]) == (0.9, in_grams(expected))

    def test_a_budget_on_the_middle_is_announced_with_the_range(self, store: Store) -> None:
        """It is judged by the exact sum, and its alert says how certain that is."""
        store.add(*traffic())
        give_spreads(store, hosted)
        expected = by_hand(store, "t.tenant_id = 'acme'")
        budget = parse_budget(
            {"name": "b", "tenant_id": "acme", "period": "month", "limit_gco2e": expected.mid / MICRO}
        )
        with writing(store.engine) as connection:
            budget_store.save_budget(connection, budget, NOON_US)
        Judge(store.engine).judge_all(NOON)
        (*_, last) = store.rows("SELECT event FROM alert ORDER BY sequence")
        data = json.loads(last["event"])["data"]
        assert (data["state"], data["ratio"], data["consumed_gco2e"]) == ("exceeded", 1.0, in_grams(expected))

    def test_what_is_not_announced_asks_for_no_range(self, store: Store) -> None:
        """The first judgement of a period changes every budget's state; ranges are worked out for the one that is exceeded."""
        store.add(*traffic())
        give_spreads(store, hosted)
        with writing(store.engine) as connection:
            for number, limit_g in enumerate((10**6, 10**6, 1)):
                asked = {"name": f"b{number}", "tenant_id": "acme", "limit_gco2e": limit_g, "period": "month"}
                budget_store.save_budget(connection, parse_budget(asked), NOON_US)
        ranged: list[int] = []
        original = consumption._put_ranges

        def counting(connection: Any, asked: Any, numbers: Any, consumed: Any) -> None:
            ranged.append(len(numbers))
            original(connection, asked, numbers, consumed)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(consumption, "_put_ranges", counting)
            assert Judge(store.engine).judge_all(NOON).changes > 0
        assert ranged == [1]
        with reading(store.engine) as connection:
            states = budget_store.load_budgets(connection).readable
        assert [state.period is not None for _, state in states] == [True] * 3
        assert all(alert["data"]["budget"] == "b2" for alert in map(json.loads, _events(store)))

    def test_a_rolling_budget_that_cuts_a_quarter_hour_has_the_shares_of_whole_quarters(self, store: Store) -> None:
        """The middle is that of whole minutes; the range is as wide as that of the quarters it touches."""
        now = datetime(2026, 11, 22, 11, 7, 30, tzinfo=UTC)
        store.add(
            at("2026-11-21T11:06:59Z"),  # in the first quarter, before the window
            at("2026-11-21T11:07:00Z", request_model="other"),
            at("2026-11-22T11:07:00Z"),
        )
        give_spreads(store, lambda row: {f"model:{row['model']}": 0.8})
        budget = parse_budget({"name": "b", "tenant_id": "acme", "period": "rolling-24h", "limit_gco2e": 1})
        with reading(store.engine) as connection:
            (consumed,) = consumed_in_each(connection, [(budget, period_at(budget, now))], with_ranges=True)
        expected = by_hand(store, mid=5_000_000)
        found = (consumed.carbon_low_ugco2e, consumed.carbon_mid_ugco2e, consumed.carbon_high_ugco2e)
        assert found == (expected.low, 5_000_000, expected.high)

    def test_a_dashboards_figures_have_the_same_ranges(self, store: Store) -> None:
        """Of the whole, of tenants and of models."""
        store.add(*traffic())
        give_spreads(store, hosted)
        figures = read_figures(store.engine, EVERYTHING, NOON)
        assert figures.totals.carbon_gco2e == totals(store)["total"]["carbon_gco2e"]
        for row in totals(store)["rows"]:
            (of_tenant,) = [each.sums for each in figures.tenants if each.name == row["tenant"]]
            assert of_tenant.carbon_gco2e == row["carbon_gco2e"]
        for row in totals(store, by=["model"])["rows"]:
            (of_model,) = [each.sums for each in figures.models if each.name == f"resolved/{row['model']}"]
            assert of_model.carbon_gco2e == row["carbon_gco2e"]


def _events(store: Store) -> list[str]:
    return [row["event"] for row in store.rows("SELECT event FROM alert")]
