"""The posterior of hosted models: rebuilt from the tables, moved by a price within its weight, worked by hand for two models."""

import math
from dataclasses import replace
from datetime import date

import pytest

from rice_stream.estimator.artefact_files import read_artefact
from rice_stream.estimator.calibrated.artefact import Artefact
from rice_stream.estimator.hosted.artefact import CAUSES, HOSTED_FILE
from rice_stream.estimator.loading import load_calibrated
from rice_stream.quantities import ListPrice
from rice_stream.reference.loader import load_reference
from training.hosted.cases import Case
from training.hosted.posterior import (
    CONTRADICTED_DRAWS,
    Posterior,
    posterior,
)
from training.hosted.priors import BELIEFS, LogNormal
from training.hosted.rows import row, serialise
from training.hosted.run import AT_US
from training.hosted.selection import cases

REBUILT = ("gpt-4o", "gpt-4o-mini", "claude-opus-4-5", "gemini-2.0-flash", "deepseek-v3", "llama-3.3-70b", "grok-3")


@pytest.fixture(scope="module")
def law() -> Artefact:
    return load_calibrated().artefact


@pytest.fixture(scope="module")
def by_model() -> dict[tuple[str, str], Case]:
    """Every case that the tables give, by model and kind of host."""
    return {(model, case.profile): case for case in cases(load_reference(), AT_US) for model in case.model_ids}


@pytest.fixture
def gpt_4o(by_model: dict[tuple[str, str], Case]) -> Case:
    return by_model["gpt-4o", "hosted_scale"]


def it_j(found: Posterior) -> float:
    """IT joules of the reference request."""
    return found.gpu_j * (1.0 + found.host_share) * (1.0 + found.idle_share)


def at_price(case: Case, factor: float) -> Case:
    assert case.price is not None
    price = ListPrice(case.price.input * factor, case.price.cache_read * factor, case.price.output * factor)
    return replace(case, price=price)


def test_the_same_tables_give_the_same_bytes(law: Artefact, by_model: dict[tuple[str, str], Case]) -> None:
    """Rows of all kinds, worked out from the shipped tables and law, are the shipped lines to the last digit."""
    shipped = read_artefact(HOSTED_FILE).decode().splitlines()
    for name in REBUILT:
        for profile in ("hosted_scale", "hosted_small"):
            if (name, profile) in by_model:
                line = serialise([row(posterior(by_model[name, profile], law))]).decode().splitlines()[1]
                assert line in shipped, f"{name} ({profile}): run `make hosted`"


def test_every_model_that_the_tables_give_a_case_has_a_row(by_model: dict[tuple[str, str], Case]) -> None:
    found = [line.split(",")[:3] for line in read_artefact(HOSTED_FILE).decode().splitlines()[1:]]
    assert {(model, profile) for _, profile, models in found for model in models.split("|")} == set(by_model)


@pytest.mark.parametrize(("name", "by_hand_wh"), [("gpt-4o", 0.24), ("deepseek-v3", 0.09)])
def test_a_card_worked_by_hand(
    law: Artefact, by_model: dict[tuple[str, str], Case], name: str, by_hand_wh: float
) -> None:
    """Means of logarithms weighted with precisions: what physics says and what the price says, each with its own deviation.

    gpt-4o: 500 x 2.50 + 250 x 10.00 USD per million tokens are 0.00375 USD, over 11 USD/kWh 0.34 Wh. DeepSeek-V3: 500 x 0.27
    + 250 x 1.10 are 0.00041 USD: 0.037 Wh. Physics alone is about 0.17 Wh for either.
    """
    case = by_model[name, "hosted_scale"]
    found, prior = posterior(case, law), posterior(replace(case, price=None), law)
    price = case.price
    assert price is not None
    by_price_wh = (500 * price.input + 250 * price.output) / 1e6 / 11.0 * 1e3
    assert by_price_wh == pytest.approx({"gpt-4o": 0.341, "deepseek-v3": 0.0373}[name], rel=0.01)
    physics_wh = it_j(prior) * case.pue.median / 3600.0
    precision = 1.0 / prior.log_sd**2
    weight = (1.0 / 0.64) / (1.0 / 0.64 + precision)
    conjugate_wh = math.exp(weight * math.log(by_price_wh) + (1.0 - weight) * math.log(physics_wh))
    assert it_j(found) * case.pue.median / 3600.0 == pytest.approx(conjugate_wh, rel=0.15)
    assert conjugate_wh == pytest.approx(by_hand_wh, rel=0.25)
    assert found.price_weight == pytest.approx(weight, abs=0.12)


@pytest.mark.parametrize("factor", [0.25, 0.5, 2.0, 4.0])
@pytest.mark.parametrize("name", ["gpt-4o", "gemini-2.0-flash", "llama-3.3-70b"])
def test_a_price_moves_the_middle_its_own_way_and_within_its_weight(
    law: Artefact, by_model: dict[tuple[str, str], Case], name: str, factor: float
) -> None:
    case = by_model[name, "hosted_scale"]
    found, other = posterior(case, law), posterior(at_price(case, factor), law)
    moved = math.log(it_j(other) / it_j(found)) / math.log(factor)
    assert 0.0 < moved < 1.0
    assert moved == pytest.approx(found.price_weight, abs=0.2)


def test_the_middle_lies_between_what_physics_and_what_the_price_says(
    law: Artefact, by_model: dict[tuple[str, str], Case]
) -> None:
    for name in REBUILT[:-1]:
        case = by_model[name, "hosted_scale"]
        price = case.price
        assert price is not None
        by_price = (500 * price.input + 250 * price.output) / 1e6 / 11.0 * 3.6e6 / case.pue.median
        physics = it_j(posterior(replace(case, price=None), law))
        low, high = sorted((by_price, physics))
        assert low * 0.95 <= it_j(posterior(case, law)) <= high * 1.05


def test_without_a_price_nothing_is_weighed_and_the_range_is_wider(law: Artefact, gpt_4o: Case) -> None:
    found, alone = posterior(gpt_4o, law), posterior(replace(gpt_4o, price=None), law)
    assert alone.price_weight == alone.causes["price"] == 0.0
    assert alone.log_sd > found.log_sd


def test_causes_add_up_to_the_deviation_and_none_is_missing(
    law: Artefact, by_model: dict[tuple[str, str], Case]
) -> None:
    for name in REBUILT:
        found = posterior(by_model[name, "hosted_scale"], law)
        assert set(found.causes) == set(CAUSES)
        assert math.hypot(*found.causes.values()) == pytest.approx(found.log_sd)


def test_no_model_is_more_certain_than_the_assumptions_that_all_share(law: Artefact, gpt_4o: Case) -> None:
    """However well size and price are known."""
    known = replace(gpt_4o, total_b=LogNormal(320.0, 0.0), active_b=LogNormal(75.0, 0.0), hardware={"H100": 1.0})
    sure = replace(BELIEFS, usd_per_kwh=LogNormal(11.0, 0.05))
    assert posterior(known, law, sure).log_sd == pytest.approx(0.5)
    assert posterior(replace(known, closed=False), law, sure).log_sd == pytest.approx(0.3)


def test_a_larger_model_costs_more(law: Artefact, gpt_4o: Case) -> None:
    larger = replace(
        gpt_4o, active_b=replace(gpt_4o.active_b, median=150.0), total_b=replace(gpt_4o.total_b, median=640.0)
    )
    assert it_j(posterior(larger, law)) > it_j(posterior(gpt_4o, law))


def test_another_hosts_price_says_less(law: Artefact, by_model: dict[tuple[str, str], Case]) -> None:
    case = by_model["llama-3.3-70b", "hosted_small"]
    assert case.price_of_profile
    assert posterior(replace(case, price_of_profile=False), law).price_weight < posterior(case, law).price_weight


def test_a_price_that_contradicts_the_size_is_an_error(law: Artefact, gpt_4o: Case) -> None:
    with pytest.raises(ValueError, match=r"gpt-4o \(hosted_scale\).*disagree|below what the price"):
        posterior(at_price(gpt_4o, 1e-4), law)


def test_a_size_that_its_price_contradicts_is_widened_no_more_than_it_takes(
    law: Artefact, by_model: dict[tuple[str, str], Case]
) -> None:
    """j2-mid lists 10 USD a million tokens for some 20 B parameters: the price says thirty times what physics does.
    At 1.25 times the deviation 198 draws are left, at 1.5 times 225."""
    case = by_model["j2-mid", "hosted_scale"]
    found = posterior(case, law)
    assert found.effective_draws >= CONTRADICTED_DRAWS
    sizes = {name: getattr(case, name) for name in ("total_b", "active_b")}
    wider = replace(case, **{name: replace(size, log_sd=size.log_sd * 1.5) for name, size in sizes.items()})
    assert found.log_sd == pytest.approx(posterior(wider, law).log_sd)


def test_editions_of_a_closed_model_are_one_family_at_the_lowest_of_their_prices(
    by_model: dict[tuple[str, str], Case],
) -> None:
    """What a deep research charges besides is not energy of the model: 1.1 and 4.4 USD, not 2 and 8."""
    case = by_model["o4-mini-deep-research", "hosted_scale"]
    assert case.model_ids == ("codex-mini", "o4-mini", "o4-mini-deep-research")
    assert case.price is not None
    assert (case.price.input, case.price.output) == (1.1, 4.4)


def test_every_row_has_a_day(by_model: dict[tuple[str, str], Case]) -> None:
    """That of the newest evidence that has one; a price without a date has none."""
    assert all(date.fromisoformat(case.date) for case in by_model.values())
