"""What is summed for one tenant is summed for the next one that is asked the same of, and nothing of the one is the other's."""

from typing import Any

import pytest

from rice_stream.reports.knowledge import ALL_KNOWN, Knowledge
from rice_stream.reports.spans import Span
from rice_stream.reports.totals_ground import Ground
from rice_stream.reports.totals_sums import Asked
from rice_stream.reports.what_is_summed import plan_of
from rice_stream.store.scope import Scope

GROUND = Ground(["UTC"], 1, 0, 0, (0, 0))
ACME, GLOBEX = Scope(frozenset({"acme"})), Scope(frozenset({"globex"}))
HOUR_US = 3_600_000_000


def asked(scope: Scope = ACME, ground: Ground = GROUND, **other: Any) -> Asked:
    """A question; nothing is asked of a database."""
    nobody: Any = None
    given = {"fields": ("model",), "spans": [Span("UTC", 0, 25 * HOUR_US)], **other}
    return Asked(nobody, scope, ground=ground, **given)


def test_two_tenants_that_are_asked_the_same_of_have_one_plan() -> None:
    """Also where their keys differ, and what the totals of the one begin with."""
    other = GROUND._replace(tenant_key=2, days_us=(HOUR_US, 2 * HOUR_US), records_from_us=5)
    assert plan_of((asked().what,)) is plan_of((asked(GLOBEX, other).what,))


@pytest.mark.parametrize(
    "other",
    [
        {"fields": ("team",)},
        {"spans": [Span("UTC", 0, 26 * HOUR_US)]},
        {"knowledge": Knowledge(reported=True)},
        {"ranges": False},
        {"scope": Scope(frozenset({"acme"}), frozenset({"a"}))},
        {"ground": GROUND._replace(minutes_from_us=HOUR_US)},
        {"ground": GROUND._replace(has_entries=False)},
        {"ground": GROUND._replace(has_late=False), "knowledge": Knowledge(reported=True)},
        {"ground": GROUND._replace(time_zones=["Asia/Tokyo", "UTC"])},
    ],
)
def test_whatever_the_rows_depend_on_makes_another_plan(other: dict[str, Any]) -> None:
    assert asked().knowledge == ALL_KNOWN
    assert plan_of((asked().what,)) is not plan_of((asked(**other).what,))


def test_parameters_of_a_plan_say_when_and_not_whose() -> None:
    """They are handed to every tenant's statement."""
    names = plan_of((asked(spans=[Span("UTC", 1, 25 * HOUR_US)]).what,)).bounds("postgresql")
    assert {name.rstrip("0123456789") for name in names} == {
        "low_",
        "high_",
        "key_low_",
        "key_high_",
        "origin_",
        "day_",
    }
