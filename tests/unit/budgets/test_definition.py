"""Budgets as users write them: what is accepted, what it becomes, and that one error names every problem."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from rice_stream.budgets.definition import Budget, exact
from rice_stream.budgets.parsing import parse_budget, parse_budget_file
from rice_stream.errors import UsageError

MINIMAL: dict[str, object] = {"name": "monthly", "tenant_id": "acme", "limit_gco2e": 50, "period": "month"}


def refused(**fields: object) -> str:
    with pytest.raises(UsageError) as caught:
        parse_budget({**MINIMAL, **fields})
    return str(caught.value)


def test_a_minimal_budget_takes_the_documented_defaults() -> None:
    assert parse_budget(MINIMAL) == Budget(
        budget_id=None,
        name="monthly",
        tenant_id="acme",
        team_id=None,
        project_id=None,
        user_id=None,
        model=None,
        limit=50_000_000,
        unit="gco2e",
        period="month",
        time_zone="UTC",
        thresholds=(0.5, 0.8, 1.0),
        estimate="mid",
        hysteresis=0.05,
    )


def test_a_full_budget_keeps_every_field() -> None:
    budget = parse_budget(
        {
            "name": "Größe 1",
            "tenant_id": "acme",
            "team_id": "search",
            "project_id": "ranker",
            "user_id": "u-17",
            "model": "meta-llama/Llama-3.1-8B",
            "limit_kwh": "1.5",
            "period": "rolling-7d",
            "time_zone": "Australia/Lord_Howe",
            "thresholds": [1, "0.9", 1.2],
            "estimate": "high",
            "hysteresis": "0.1",
        }
    )
    assert (budget.limit, budget.unit) == (1_500_000_000, "kwh")
    assert (budget.thresholds, budget.hysteresis) == ((0.9, 1.0, 1.2), 0.1)
    assert (budget.team_id, budget.project_id, budget.user_id) == ("search", "ranker", "u-17")
    assert (budget.model, budget.estimate, budget.time_zone) == (
        "meta-llama/Llama-3.1-8B",
        "high",
        "Australia/Lord_Howe",
    )


def test_options_left_out_on_the_command_line_arrive_as_none_and_take_the_default() -> None:
    """click hands over None for every option that was not given."""
    assert parse_budget({**MINIMAL, "limit_kwh": None, "team_id": None, "thresholds": None}) == parse_budget(MINIMAL)


@pytest.mark.parametrize(
    ("field", "given", "limit"),
    [
        ("limit_gco2e", 50, 50_000_000),
        ("limit_gco2e", 0.1, 100_000),
        ("limit_gco2e", "0.000001", 1),
        ("limit_gco2e", Decimal("33.33333333333"), 33_333_333),
        ("limit_kwh", 2, 2_000_000_000),
        ("limit_kwh", "0.000000001", 1),
        ("limit_gco2e", 9_223_372_036_854, 9_223_372_036_854_000_000),
    ],
)
def test_limits_become_integers_of_micro_units(field: str, given: object, limit: int) -> None:
    mapping = {"name": "b", "tenant_id": "t", "period": "day", field: given}
    assert parse_budget(mapping).limit == limit


def test_thresholds_are_sorted_and_a_repeated_one_counts_once() -> None:
    assert parse_budget({**MINIMAL, "thresholds": [1.0, 0.5, 1, "0.50"]}).thresholds == (0.5, 1.0)


def test_every_problem_is_listed_in_one_error_with_its_field() -> None:
    with pytest.raises(UsageError) as caught:
        parse_budget(
            {
                "name": "",
                "team": "search",
                "limit_gco2e": 1,
                "limit_kwh": 1,
                "period": "fortnight",
                "time_zone": "Europe/Atlantis",
                "thresholds": [80],
                "estimate": "median",
                "hysteresis": 1,
            }
        )
    message = str(caught.value)
    assert message.splitlines() == [message]
    for part in (
        "team: is no field of a budget; did you mean team_id?",
        "tenant_id: is missing",
        "limit_gco2e, limit_kwh: exactly one is needed, both are given",
        "name: must be a non-empty text",
        "period: must be one of day, week, month, quarter, year, rolling-24h, rolling-7d, rolling-30d, got 'fortnight'",
        "time_zone: 'Europe/Atlantis' is no IANA time zone",
        "thresholds: must be ratios above 0 and up to 10 (0.8 is 80 %), got 80.0",
        "estimate: must be one of low, mid, high, got 'median'",
        "hysteresis: must be a ratio of at least 0 and below 1 (0.05 is 5 %), got 1.0",
    ):
        assert part in message


def test_a_limit_is_needed() -> None:
    with pytest.raises(UsageError, match="exactly one is needed, both are missing"):
        parse_budget({"name": "b", "tenant_id": "t", "period": "day"})


@pytest.mark.parametrize(
    "limit",
    [
        0,
        -1,
        "0.0000001",
        "-1e999999",
        "1e999999999",
        9_223_372_036_855,
        "nan",
        "inf",
        float("nan"),
        "much",
        True,
        [1],
        "",
    ],
)
def test_a_limit_that_is_no_positive_storable_number_is_refused(limit: object) -> None:
    assert "limit_gco2e: must be" in refused(limit_gco2e=limit)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 7),
        ("name", " padded"),
        ("name", "a/b"),
        ("name", "two\nlines"),
        ("name", "x" * 201),
        ("tenant_id", 42),
        ("tenant_id", ""),
        ("team_id", "x" * 257),
        ("project_id", "nul\0"),
        ("user_id", "\ud800"),
        ("model", ["gpt-4o"]),
        ("time_zone", "America"),
        ("time_zone", "../../etc/passwd"),
        ("time_zone", "/etc/localtime"),
        ("time_zone", ""),
        ("time_zone", 1),
        ("thresholds", 0.8),
        ("thresholds", "0.8"),
        ("thresholds", []),
        ("thresholds", [0]),
        ("thresholds", [0.5, "x"]),
        ("thresholds", [float("nan")]),
        ("thresholds", [float("inf")]),
        ("thresholds", [True]),
        ("thresholds", [n / 21 for n in range(1, 22)]),
        ("hysteresis", -0.01),
        ("hysteresis", float("nan")),
        ("hysteresis", "much"),
        ("period", ["day"]),
        ("estimate", 1),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_field(field: str, value: object) -> None:
    assert f"{field}: " in refused(**{field: value})


def test_a_budget_cannot_be_built_around_the_rules() -> None:
    """A row read from a database is checked like user input."""
    good: dict[str, Any] = {"name": "b", "tenant_id": "t", "limit": 1, "unit": "gco2e", "period": "day"}
    assert Budget(**good).limit == 1
    for bad in (
        {"limit": 0},
        {"limit": 2**63},
        {"limit": True},
        {"limit": 1.5},
        {"unit": "kg"},
        {"thresholds": (0.8, 0.5)},
        {"thresholds": (0.5, 0.5)},
        {"thresholds": [0.5]},
        {"thresholds": (1,)},
        {"budget_id": "7"},
    ):
        with pytest.raises(UsageError, match=f"{next(iter(bad))}: "):
            Budget(**{**good, **bad})


def test_a_file_is_a_list_or_a_mapping_with_that_list() -> None:
    other = {**MINIMAL, "name": "weekly", "period": "week"}
    expected = [parse_budget(MINIMAL), parse_budget(other)]
    assert parse_budget_file([MINIMAL, other]) == expected
    assert parse_budget_file({"budgets": [MINIMAL, other]}) == expected
    assert parse_budget_file([]) == []


def test_a_file_lists_the_problems_of_all_its_budgets() -> None:
    with pytest.raises(UsageError) as caught:
        parse_budget_file([{**MINIMAL, "period": "x"}, MINIMAL, "budget", {**MINIMAL, "estimate": "y"}])
    message = str(caught.value)
    assert "budgets[0].period: must be one of" in message
    assert "budgets[2]: must be a mapping of fields, got 'budget'" in message
    assert "budgets[3].estimate: must be one of" in message
    assert "budgets[1]" not in message


def test_a_name_stands_once_per_tenant_in_a_file() -> None:
    elsewhere = {**MINIMAL, "tenant_id": "globex"}
    assert len(parse_budget_file([MINIMAL, elsewhere])) == 2
    with pytest.raises(UsageError, match=r"budgets\[2\].name: 'monthly' is already the name of budgets\[0\]"):
        parse_budget_file([MINIMAL, elsewhere, MINIMAL])


@pytest.mark.parametrize("loaded", [None, "text", 3, {}, {"budget": []}, {"budgets": None}, {"budgets": [], "x": 1}])
def test_a_file_of_another_shape_is_refused(loaded: object) -> None:
    with pytest.raises(UsageError, match="budget file: must"):
        parse_budget_file(loaded)


def test_ratios_are_taken_as_written_not_as_binary_floats() -> None:
    assert exact(0.8) == Fraction(4, 5)
    assert exact(0.1) == Fraction(1, 10)
    assert exact(1e-05) == Fraction(1, 100_000)


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.55, 0.7, 0.8, 1.0, 1.1])
def test_the_amount_exactly_at_a_threshold_has_reached_it_and_one_microgram_less_has_not(threshold: float) -> None:
    """0.55 * 100 is no exact product in binary floats, and a limit near 2**63 has no exact float at all."""
    hundredths = round(threshold * 100)
    for limit in (100, 50_000_000, 9_223_372_036_854_775_800):
        budget = Budget(name="b", tenant_id="t", limit=limit, unit="gco2e", period="day", thresholds=(threshold,))
        at = hundredths * (limit // 100)
        assert budget.reached(threshold, at)
        assert not budget.reached(threshold, at - 1)


def test_a_threshold_is_released_only_below_the_hysteresis() -> None:
    """0.8 of 50 g is 40 g; five per cent of that less is 38 g."""
    budget = parse_budget(MINIMAL)
    assert not budget.released(0.8, 38_000_000)
    assert budget.released(0.8, 37_999_999)
