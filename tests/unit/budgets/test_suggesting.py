"""Limits to begin with, worked by hand."""

from datetime import timedelta
from typing import get_args

from rice_stream.budgets.definition import PeriodName
from rice_stream.budgets.suggesting import NOMINAL_LENGTHS, at_pace, suggested_limit


def test_a_week_is_extended_to_thirty_days() -> None:
    assert at_pace(70_000_000, timedelta(days=7), timedelta(days=30)) == 300_000_000


def test_a_suggestion_is_rounded_up_to_two_digits() -> None:
    assert [suggested_limit(amount) for amount in (0, 7, 70, 101, 123_456, 990_001)] == [
        None, 7, 70, 110, 130_000, 1_000_000
    ]  # fmt: skip


def test_every_period_has_a_length() -> None:
    assert set(NOMINAL_LENGTHS) == set(get_args(PeriodName))
