"""CHANGELOG.md, "Estimates": the fixed examples, so that a change of a number cannot be released without its size."""

import re

import pytest

from rice_stream.estimator.registry import load_method
from rice_stream.meter.described import Described
from rice_stream.meter.estimating import estimate_all
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.factors import FactorPolicy
from rice_stream.reference.loader import load_reference
from tests.support.docs_reading import rows, section, text_of

AS_OF_US = 1_767_225_600_000_000
"""2026-01-01, for all examples."""
REFERENCE = load_reference(None)


def examples() -> list[list[str]]:
    return [cells for cells in rows(section(text_of("CHANGELOG.md"), "### Estimates")) if " + " in cells[0]]


def shown(cell: str) -> tuple[float, ...]:
    return tuple(float(text) for text in re.findall(r"[\d.]+", cell.replace(",", "")))


@pytest.mark.parametrize("cells", examples(), ids=lambda cells: cells[0])
def test_the_examples_are_what_the_methods_say(cells: list[str]) -> None:
    """Middle, low and high of both methods and their ratio, to the digits shown; world average, nothing stated but tokens."""
    model, _, tokens = cells[0].partition(", ")
    inputs, outputs = (int(count.replace(",", "")) for count in tokens.split(" + "))
    mids = []
    for method, cell in zip(("rice-paper", "rice-calibrated"), cells[1:3], strict=True):
        [found] = estimate_all(
            [Described(input_tokens=inputs, output_tokens=outputs, model=model)],
            Estimator(REFERENCE, FactorPolicy(), load_method(method)).at(AS_OF_US),
        )
        carbon = found.values["carbon_gco2e"]
        assert shown(cell) == pytest.approx((carbon["mid"], carbon["low"], carbon["high"]), rel=0.06), method
        assert shown(cell)[0] == pytest.approx(carbon["mid"], rel=0.006), method
        mids.append(carbon["mid"])
    assert shown(cells[3])[0] == pytest.approx(mids[1] / mids[0], rel=0.06)


def test_there_are_examples_of_every_kind() -> None:
    """Closed and open models, small and large, short and long answers."""
    assert len(examples()) >= 8
