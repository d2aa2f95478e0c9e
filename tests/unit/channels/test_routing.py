"""Which channels want an alert."""

from datetime import UTC, datetime
from typing import Any

import pytest

from rice_stream.budgets.periods import Period
from rice_stream.budgets.states import Consumed, Transition
from rice_stream.channels.definition import Channel
from rice_stream.channels.routing import routed_severity, sees_tenants, wants

NOVEMBER = Period(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC), calendar=True)


def change(state: Any, threshold: float, basis: Any = "actual") -> Transition:
    """Of a budget."""
    return Transition(1, threshold, state, NOVEMBER, Consumed(1, 2, 3, 4), 0.9, basis)


@pytest.mark.parametrize(
    ("transition", "severity"),
    [
        (change("warning", 0.8), "warning"),
        (change("resolved", 0.8), "warning"),
        (change("ok", 0.8), "warning"),
        (change("exceeded", 1.0), "critical"),
        (change("resolved", 1.0), "critical"),
        (change("resolved", 1.2), "critical"),
        (change("warning", 14.4, "burn_rate"), "warning"),
        (change("resolved", 14.4, "burn_rate"), "warning"),
    ],
)
def test_what_is_over_goes_where_its_beginning_went(transition: Transition, severity: str) -> None:
    """To the same channels at the same hours; a burn rate is no share of the limit."""
    assert routed_severity(transition) == severity


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, True),
        ({"tenants": frozenset({"acme", "globex"})}, True),
        ({"tenants": frozenset({"globex"})}, False),
        ({"budgets": frozenset({"b"})}, True),
        ({"budgets": frozenset({"other"})}, False),
        ({"min_severity": "warning"}, True),
        ({"min_severity": "critical"}, False),
    ],
)
def test_a_channel_wants_its_tenants_budgets_and_severities(fields: dict[str, Any], wanted: bool) -> None:
    """All three; what it does not say, it does not ask."""
    channel = Channel(name="ops", type="webhook", target="hooks.example.com", **fields)
    assert wants(channel, "acme", "b", "warning") is wanted


def test_a_channel_of_some_tenants_does_not_see_all() -> None:
    """None stands for every tenant, on both sides."""
    every = Channel(name="ops", type="webhook", target="x")
    some = Channel(name="ops", type="webhook", target="x", tenants=frozenset({"acme", "globex"}))
    one = frozenset({"acme"})
    assert [sees_tenants(every, None), sees_tenants(every, one), sees_tenants(some, one)] == [True, True, True]
    assert [sees_tenants(some, None), sees_tenants(some, frozenset({"acme", "other"}))] == [False, False]
