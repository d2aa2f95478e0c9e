"""What is taken of a factor that an event states: what can be true, rounded."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.basis import Basis
from rice_stream.events.stated_factors import FACTOR_FIELDS, NOTHING_STATED, PLAUSIBLE_LIMITS, coarse, plausible
from tests.support.docs_reading import rows, section, text_of


def taken(**stated: Any) -> tuple[dict[str, Any], bool]:
    """(what is taken by field, whether something cannot be true)."""
    factors, flags = plausible(tuple(stated.get(name) for name in FACTOR_FIELDS))
    assert flags in (0, Basis.EVENT_FACTOR_IMPLAUSIBLE)
    return {name: value for name, value in zip(FACTOR_FIELDS, factors, strict=True) if value is not None}, flags != 0


@pytest.mark.parametrize(
    ("field", "stated", "kept"),
    [
        ("devices", 8, 8.0),
        ("devices", 0.2512, 0.25),
        ("devices", 1024, 1000.0),
        ("batch_size", 64, 64.0),
        ("batch_size", 12.3467, 12.0),
        ("batch_size", 3.14159, 3.1),
        ("batch_size", 1.04, 1.0),
        ("batch_size", 256, 260.0),
        ("utilisation", 0.4321, 0.43),
        ("utilisation", 1, 1.0),
        ("pue", 1.1249, 1.12),
        ("pue", 3, 3.0),
        ("rci_gco2e_per_kwh", 33.5, 33.5),
        ("rci_gco2e_per_kwh", 412.34, 412.0),
        ("rci_gco2e_per_kwh", 2000, 2000.0),
        ("hardware", "H100", "H100"),
    ],
)
def test_two_or_three_digits_are_kept(field: str, stated: Any, kept: Any) -> None:
    """Whole numbers up to 99 as they are."""
    assert taken(**{field: stated}) == ({field: kept}, False)


@pytest.mark.parametrize(
    ("field", "stated"),
    [
        *(("rci_gco2e_per_kwh", value) for value in (0, -0.0, -1, 0.5, 2000.1, 1e6)),
        *(("pue", value) for value in (0, 0.99, 3.01, 100, -1)),
        *(("devices", value) for value in (0, -1, 0.001, 1025, 10_000)),
        *(("batch_size", value) for value in (0, 0.5, 16_385, 1e6, -4)),
        *(("utilisation", value) for value in (0, 0.01, 1.01, 40, -0.5)),
        *((name, value) for name in PLAUSIBLE_LIMITS for value in (1e308, -1e308, float("inf"), float("nan"))),
    ],
)
def test_what_cannot_be_true_is_not_taken_and_flagged(field: str, stated: float) -> None:
    """Alone: the event's other factors stand."""
    assert taken(**{field: stated}) == ({}, True)
    other = "pue" if field != "pue" else "batch_size"
    assert taken(**{field: stated, other: 2}) == ({other: 2.0}, True)


def test_nothing_stated_is_nothing_taken() -> None:
    """Empty text is no accelerator."""
    assert plausible(NOTHING_STATED) == (NOTHING_STATED, 0)
    assert taken(hardware="") == ({}, False)


@given(st.sampled_from(sorted(PLAUSIBLE_LIMITS)), st.floats())
def test_what_is_taken_can_be_true_and_is_taken_as_it_is_again(field: str, stated: float) -> None:
    """Rounding leaves the limits alone, and rounding twice changes nothing."""
    kept, _ = taken(**{field: stated})
    if kept:
        assert PLAUSIBLE_LIMITS[field].allow(kept[field])
        assert taken(**kept) == (kept, False)


@given(st.sampled_from(sorted(PLAUSIBLE_LIMITS)), st.floats(0.01, 20_000))
def test_coarse_factors_are_near_and_can_be_true(field: str, stated: float) -> None:
    """Within 20 %, PUE and utilisation within 0.05; twice as coarse is the same; nothing stays nothing."""
    kept, _ = taken(**{field: stated})
    factors = tuple(kept.get(name) for name in FACTOR_FIELDS)
    rounded = coarse(factors)
    assert coarse(rounded) == rounded
    values = [(value, near) for value, near in zip(factors, rounded, strict=True) if value is not None]
    for value, near in values:
        assert PLAUSIBLE_LIMITS[field].allow(near)
        assert abs(near - value) <= (0.0501 if field in ("pue", "utilisation") else 0.2001 * value)
    assert len(values) == len(kept)


def _grid(field: str) -> list[float]:
    """Every value that the field can have after rounding, from a walk in small steps."""
    limits = PLAUSIBLE_LIMITS[field]
    assert limits.at_least is not None
    assert limits.up_to is not None
    values, value = set(), limits.at_least
    while value < limits.up_to:
        values.add(taken(**{field: value})[0][field])
        value *= 1.0005
    return sorted({*values, taken(**{field: limits.up_to})[0][field]})


def test_the_documented_limits_counts_and_errors_are_true() -> None:
    """docs/events.md shows the arithmetic: how many values each field has, and how far one is from what was stated."""
    tables = list(rows(section(text_of("docs/events.md"), "## Factors that events state")))
    limits_of = {cells[0].strip("`"): cells[1] for cells in tables if len(cells) == 3}
    grids = {cells[0].strip("`"): (cells[2], cells[3]) for cells in tables if len(cells) == 5}
    assert set(limits_of) == set(grids) == set(PLAUSIBLE_LIMITS)
    for field, limits in PLAUSIBLE_LIMITS.items():
        assert limits_of[field] == f"{limits.at_least:g} to {limits.up_to:,.0f}", field
        grid = _grid(field)
        worst = max((after - before) / (after + before) for before, after in pairwise(grid))
        assert grids[field] == (f"{len(grid):,}", f"{worst:.1%}".replace("%", " %")), field
