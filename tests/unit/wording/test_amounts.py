"""Amounts as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.wording.amounts import (
    SCALES,
    Kind,
    Scale,
    amount,
    change,
    count,
    in_column,
    number,
    percent,
    range_text,
    scale_for,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1.000"),
        (2076.52, "2\u202f077"),
        (0.034391, "0.03439"),
        (999.96, "1\u202f000"),
        (-12.3456, "−12.35"),
    ],
)
def test_a_number_has_four_significant_digits_and_no_exponent(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (2076.52, "carbon", "2.077\u202fkgCO₂e"),
        (0.00021, "carbon", "210.0\u202fµgCO₂e"),
        (999.96, "carbon", "1.000\u202fkgCO₂e"),
        (999.94, "carbon", "999.9\u202fgCO₂e"),
        (3.2e7, "energy", "32.00\u202fMWh"),
        (0.0, "energy", "0\u202fWh"),
        (5165.0, "count", "5.165\u202fthousand"),
    ],
)
def test_an_amount_is_in_the_largest_unit_that_leaves_something_before_the_point(
    value: float, kind: Kind, text: str
) -> None:
    assert amount(value, kind) == text


@given(st.floats(1e-5, 1e11), st.sampled_from([kind for kind in SCALES if kind != "count"]))
def test_what_is_shown_is_the_value_within_half_of_its_last_digit(value: float, kind: Kind) -> None:
    scale = scale_for(kind, [value])
    shown = float(number(value / scale.size).replace("\u202f", "")) * scale.size
    assert abs(shown - value) <= value * 5.0001e-4


def test_both_ends_of_a_range_are_in_the_unit_of_its_higher_one() -> None:
    assert range_text({"low": 557.2, "mid": 1026.0, "high": 2041.0}, "carbon") == "0.557–2.04\u202fkgCO₂e"


def test_numbers_of_a_column_have_as_many_places_as_its_largest() -> None:
    kilo = Scale(1e3, "kgCO₂e")
    assert [in_column(value, kilo, 2076.6) for value in (2076.6, 100.3, 0.3, 0.0)] == [
        "2.077",
        "0.100",
        "<\u202f0.001",
        "0.000",
    ]


@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=8))
def test_the_places_of_a_column_are_the_same_for_all(micrograms: list[int]) -> None:
    values = [each / 1e6 for each in micrograms]
    scale = scale_for("carbon", values)
    shown = [in_column(value, scale, max(values)) for value in values]
    assert len({len(text.partition(".")[2]) for text in shown}) == 1


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0\u202f%"),
        (0.0001, "<\u202f0.1\u202f%"),
        (0.0825, "8.2\u202f%"),
        (0.9999, ">\u202f99.9\u202f%"),
        (1.0, "100\u202f%"),
    ],
)
def test_what_is_there_is_never_shown_as_nothing(share: float, text: str) -> None:
    assert percent(share) == text


def test_change_from_nothing_is_no_percentage() -> None:
    assert change(5.0, 0.0) is None
    assert change(1.11, 1.21) == "−8.3\u202f%"
    assert change(2.0, 1.0) == "+100\u202f%"


def test_counts_have_all_their_digits() -> None:
    assert count(1234567) == "1\u202f234\u202f567"
