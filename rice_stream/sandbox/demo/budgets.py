"""The demo's budgets: sized from the forecast so that thresholds are crossed while somebody watches."""

from collections.abc import Sequence
from dataclasses import dataclass

from rice_stream.budgets.definition import Bound, Budget, PeriodName, Unit
from rice_stream.sandbox.demo.forecast import TrafficForecast

REFERENCE_S = 30.0
"""The length of demo for which the times in PLAN are meant; a shorter one has all of it sooner."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A budget on the tenant of a rank (0 has the most gCO2e) that reaches `threshold` `at_s` seconds into the demo."""

    rank: int
    period: PeriodName
    unit: Unit
    at_s: float
    threshold: float
    thresholds: tuple[float, ...] = (0.8, 1.0)
    estimate: Bound = "mid"
    by_team: bool = False


PLAN = (
    # The limit itself after 18 seconds, and so a first warning after about half of that.
    Planned(0, "rolling-24h", "gco2e", at_s=18, threshold=1.0, thresholds=(0.5, 0.8, 1.0)),
    Planned(1, "day", "gco2e", at_s=16, threshold=0.8, by_team=True),
    Planned(2, "month", "kwh", at_s=24, threshold=0.8),
    Planned(3, "week", "gco2e", at_s=100, threshold=1.0, estimate="high"),
    Planned(4, "quarter", "gco2e", at_s=300, threshold=1.0),
)


def demo_budgets(expected: TrafficForecast, seconds: float | None) -> list[Budget]:
    """The budgets of PLAN for this traffic. `seconds` None: a demo without an end.

    Ranks that the traffic does not have are left out; a scope without consumption gets the smallest limit there is.
    """
    pace = 1.0 if seconds is None else min(seconds / REFERENCE_S, 1.0)
    ranking = expected.tenants_by_carbon()
    return [_budget(expected, ranking, planned, planned.at_s * pace) for planned in PLAN if planned.rank < len(ranking)]


def _budget(expected: TrafficForecast, ranking: Sequence[str], planned: Planned, at_s: float) -> Budget:
    tenant = ranking[planned.rank]
    team = expected.teams_by_carbon(tenant)[0] if planned.by_team else None
    measure = "facility_energy_uwh" if planned.unit == "kwh" else f"carbon_{planned.estimate}_ugco2e"
    limit = expected.consumed(measure, at_s, tenant=tenant, team=team) / planned.threshold
    return Budget(
        name=f"{team or tenant}-{planned.period.removeprefix('rolling-')}",
        tenant_id=tenant,
        team_id=team,
        limit=_rounded(limit),
        unit=planned.unit,
        period=planned.period,
        thresholds=planned.thresholds,
        estimate=planned.estimate,
    )


def _rounded(limit: float) -> int:
    """Two significant digits, as people set limits; at least one micro-unit."""
    if limit < 1:
        return 1
    digits = len(str(int(limit))) - 2
    step: int = 10 ** max(digits, 0)
    return max(int(limit / step + 0.5) * step, 1)
