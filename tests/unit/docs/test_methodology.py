"""docs/methodology.md says what the code does: its worked example, its constants and its list of basis words."""

import re

import numpy as np
import pytest

from rice_stream.basis import Basis, basis_names
from rice_stream.estimator.loading import load_paper
from rice_stream.estimator.method import Context
from rice_stream.estimator.paper.method import TDP_W, UTILISATION
from rice_stream.meter.amounts import amounts
from rice_stream.quantities import Range
from tests.support.paper_requests import estimate, requests
from tests.support.places import ROOT
from tests.support.site_columns import site_columns

PAGE = (ROOT / "docs" / "methodology.md").read_text(encoding="utf-8")
PAPER = load_paper()
EXAMPLE = Context(Range.exact(20.0), Range.exact(20.0))
INPUT_TOKENS, OUTPUT_TOKENS, PUE, RCI_GCO2E_PER_KWH = 500, 250, 1.1, 400.0


def worked_example() -> dict[str, tuple[str, float]]:
    """Step -> (arithmetic by hand, value) as the page prints them."""
    section = PAGE.split("## A worked example")[1]
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| ([\d.]+) \|", section, flags=re.MULTILINE)
    return {name: (by_hand, float(value)) for name, by_hand, value in rows}


def test_the_worked_example_is_what_the_method_computes() -> None:
    """Every value of the page's example, from devices to grams, to the digits that it prints."""
    printed = {name: value for name, (_, value) in worked_example().items()}
    computed = {step.name: step.value for step in PAPER.explain(EXAMPLE, requests([(INPUT_TOKENS, OUTPUT_TOKENS)]))}
    columns = estimate(PAPER, EXAMPLE, [(INPUT_TOKENS, OUTPUT_TOKENS)])
    rci = np.array([RCI_GCO2E_PER_KWH])
    stored = amounts(
        columns,
        site_columns(np.array([PUE]), rci, rci, rci),
        columns.flags,
    )
    computed["facility_energy_wh"] = stored.facility_energy_uwh[0] / 1e6
    computed["carbon_gco2e"] = stored.carbon_mid_ugco2e[0] / 1e6
    computed["carbon_gco2e_low"] = stored.carbon_low_ugco2e[0] / 1e6
    computed["carbon_gco2e_high"] = stored.carbon_high_ugco2e[0] / 1e6
    assert len(printed) == 12
    # Microgram integers carry the low end with four digits.
    assert {name: computed[name] for name in printed} == pytest.approx(printed, rel=5e-5)
    assert sorted(basis_names(int(columns.flags[0]))) == ["batch_assumed", "hardware_assumed"]


def test_the_worked_examples_arithmetic_is_right() -> None:
    """The hand calculations of the page work out to the values beside them."""
    example = worked_example()
    for name, (by_hand, value) in example.items():
        if "forest" in by_hand:
            continue
        assert re.fullmatch(r"[\d.+x/^ ]+", by_hand), by_hand
        result = eval(by_hand.replace("x", "*").replace("^", "**"))  # noqa: S307  digits and operators only
        assert result == pytest.approx(value, rel=1e-5), name


def test_the_page_states_the_fitted_constants() -> None:
    """Line, law, TDP, utilisation, ranges and limits on the page are those of the artefact."""
    fit = PAPER.fit
    for words in (
        f"max(1, {fit.devices_per_b:.5f} N + {fit.devices_at_zero:.4f})",
        f"{fit.beta_scale_s:.5f} N^{fit.beta_exponent:.4f}",
        f"| {TDP_W:.0f} (A100-80GB) |",
        f"| {UTILISATION} |",
        f"{fit.params_b_min:g} to {fit.params_b_max:g} B",
        f"past {fit.prompt_tokens_max:,} tokens",
        f"between {fit.tail_from_tokens:,} and {fit.prompt_tokens_max:,} tokens",
        f"{fit.context_tokens_max:,} or more",
        f"{fit.gpu_error.q90} x (GPU meter)",
        f"{fit.it_error.q90} x (GPU, CPU and RAM meter)",
        f"{fit.batched_error.q10} x (batched serving",
        f"{len(fit.prefill.params_thresholds_b) + 1} x {len(fit.prefill.prompt_thresholds) + 1} cells",
    ):
        assert words in PAGE, words


def test_the_page_names_every_basis_word_of_the_method() -> None:
    """Whatever the method can flag is explained on the page."""
    contexts = [
        EXAMPLE,
        Context(Range.exact(1.0), Range.exact(1.0), hardware="H100", hardware_known=True, batch_size=1),
    ]
    flags = Basis(0)
    for context in contexts:
        columns = estimate(PAPER, context, [(20_000, 5), (5, 5)], cached=[100, 0], inference=[True, False])
        flags |= Basis(int(np.bitwise_or.reduce(columns.flags)))
    words = basis_names(int(flags))
    assert len(words) == 8
    assert all(f"| `{word}` |" in PAGE for word in words)
