"""What became of a budget: the changes of its state, and how its present period has been used up."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import accumulate, pairwise
from typing import Any

from sqlalchemy import select, text

from rice_stream.budgets.announcement import in_units
from rice_stream.budgets.definition import Budget
from rice_stream.budgets.periods import Period, period_at
from rice_stream.budgets.states import BudgetState, Consumed
from rice_stream.errors import NotFoundError
from rice_stream.instants import day_start, epoch_s, epoch_us, in_utc, rfc3339, zone
from rice_stream.reports.alerts import alerts_in, described_alert
from rice_stream.reports.budget_outlook import outlooks
from rice_stream.reports.budgets import described, standing
from rice_stream.reports.pages import PAGE_ROWS, packed, page, unpacked
from rice_stream.store import schema
from rice_stream.store.budget_store import load_budgets
from rice_stream.store.consumption import consumed_in_each
from rice_stream.store.engine import Connection, Engine
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters
from rice_stream.store.scoped import scoped_reading
from rice_stream.store.snapshot import snapshot

RANGES = 32
_HOUR = timedelta(hours=1)
_BY_HOUR = ("day", "rolling-24h")
_ANNOUNCED = (
    *("period_start", "period_end", "ratio", "severity", "basis", "consumed_gco2e", "consumed_kwh"),
    *("limit_gco2e", "limit_kwh", "burn", "forecast"),
)
"""What an alert says of the budget at that time, besides the change itself; it has one of the limits, and an early warning what it
rests on."""


def budget_history(
    engine: Engine, scope: Scope, tenant: str, name: str, *, after: bytes | None = None, limit: int = PAGE_ROWS
) -> dict[str, Any]:
    """The changes of a budget's state that were announced, latest first: `{"rows": [...], "next"}`.

    Each row is that of `alerts`, and what the alert said: `"period_start", "period_end", "limit_gco2e"` or `"limit_kwh"`,
    `"consumed_gco2e", "consumed_kwh", "ratio", "severity", "basis"`, and of early warnings `"burn"` or `"forecast"`.

    Raises:
        NotFoundError: there is no such budget in the scope.
    """
    alert = schema.alert.c
    with scoped_reading(engine, scope) as connection:
        budget_id = _budget_id(connection, scope, tenant, name)
        query = (
            select(schema.alert)
            .where(alert.tenant_id == tenant, alert.budget_id == budget_id)
            .where(text(alerts_in(scope, connection.dialect.name)))
            .order_by(alert.sequence.desc())
            .limit(limit + 1)
        )
        if after is not None:
            query = query.where(alert.sequence < unpacked(after, 1)[0])
        found = connection.execute(query, scope_parameters(scope)).mappings().all()
    return page(found, limit, lambda row: packed(row["sequence"]), _told)


def budget_burn_down(engine: Engine, scope: Scope, tenant: str, name: str, now: datetime) -> dict[str, Any]:
    """How the present period has been used up, by its hours (a day) or local days (anything longer), and what is to come.

    Returns:
        The fields of the budget's status with `"period_start", "period_end"` and `budget_outlook.outlooks`, `"bucket"` ("hour" or
        "day"), and `"rows": [{"start", "end", "added", "consumed", "consumed_low", "consumed_high", "pace"}]` of the whole
        period. `consumed` is by the budget's estimate from the period's start up to `end`, in the last row that has begun the
        status's own; `added` is the exact middle amount of the bucket; both are None in what is still to come. The ends of the 80 %
        range of what was consumed are there of carbon, at `RANGES` ends of rows at most, the last one that has begun among them.
        `pace` is what an even use of the limit would have taken by `end`. All in the budget's unit.

    Raises:
        NotFoundError: there is no such budget in the scope, or what is stored of it cannot be read.
    """
    with snapshot(engine, scope) as connection:
        budget, state = _readable(connection, scope, tenant, name)
        period = period_at(budget, now)
        buckets = _buckets(budget, period)
        begun = [bucket for bucket in buckets if bucket.start <= in_utc(now)]
        whole = consumed_in_each(connection, [(budget, period)], with_ranges=True)[0]
        used = consumed_in_each(connection, [(budget, bucket) for bucket in begun], with_ranges=False)
        ends = _ranges(connection, budget, period, begun)
        now_at = standing(budget, state, period, whole, now)
        [ahead] = outlooks(connection, scope, [now_at], now)
    ends[len(begun) - 1] = whole
    # The last bucket that has begun holds what is dated later than now as well, as the status does.
    middles = [*accumulate(_middle(budget, each) for each in used[:-1]), _middle(budget, whole)]
    added = [after - before for before, after in pairwise([0, *middles])]
    consumed = [ends[place].amount(budget) for place in range(len(begun))] if budget.judged_by_range else middles
    length_s = _seconds(period.start, period.end)
    return {
        **described(now_at),
        **ahead,
        "bucket": "hour" if budget.period in _BY_HOUR else "day",
        "rows": [
            {
                "start": rfc3339(epoch_us(bucket.start)),
                "end": rfc3339(epoch_us(bucket.end)),
                "added": in_units(budget, added[place]) if place < len(begun) else None,
                "consumed": in_units(budget, consumed[place]) if place < len(begun) else None,
                **_range(budget, ends.get(place)),
                "pace": in_units(budget, budget.limit) * _seconds(period.start, bucket.end) / length_s,
            }
            for place, bucket in enumerate(buckets)
        ],
    }


def _ranges(connection: Connection, budget: Budget, period: Period, begun: Sequence[Period]) -> dict[int, Consumed]:
    """What was consumed up to the ends of rows, with ranges: each of them sums up the period from its start, so not of all rows
    unless the budget is judged by them."""
    if budget.unit == "kwh":
        return {}
    step = 1 if budget.judged_by_range else -(-len(begun) // RANGES)
    places = range(len(begun) - 2, -1, -step)
    asked = [(budget, Period(period.start, begun[place].end, calendar=period.calendar)) for place in places]
    return dict(zip(places, consumed_in_each(connection, asked, with_ranges=True), strict=True))


def _range(budget: Budget, consumed: Consumed | None) -> dict[str, float | None]:
    if consumed is None or budget.unit == "kwh":
        return {"consumed_low": None, "consumed_high": None}
    ends = {"consumed_low": consumed.carbon_low_ugco2e, "consumed_high": consumed.carbon_high_ugco2e}
    return {name: in_units(budget, amount) for name, amount in ends.items()}


def _budget_id(connection: Connection, scope: Scope, tenant: str, name: str) -> int:
    stored = load_budgets(connection, scope.within(tenant))
    ids = [budget.budget_id for budget, _ in stored.readable if budget.name == name]
    ids += [bad.budget_id for bad in stored.unreadable if bad.name == name]
    if not ids or ids[0] is None:
        raise _not_there(tenant, name)
    return ids[0]


def _readable(connection: Connection, scope: Scope, tenant: str, name: str) -> tuple[Budget, BudgetState]:
    for budget, state in load_budgets(connection, scope.within(tenant)).readable:
        if budget.name == name:
            return budget, state
    raise _not_there(tenant, name)


def _not_there(tenant: str, name: str) -> NotFoundError:
    return NotFoundError(f"tenant {tenant!r} has no budget {name!r}; see `rice-stream budget list`")


def _seconds(start: datetime, end: datetime) -> int:
    return epoch_s(end) - epoch_s(start)


def _middle(budget: Budget, consumed: Consumed) -> int:
    return consumed.facility_energy_uwh if budget.unit == "kwh" else consumed.carbon_mid_ugco2e


def _told(row: Any) -> dict[str, Any]:
    said = json.loads(row["event"])["data"]
    return {**described_alert(row), **{name: said[name] for name in _ANNOUNCED if name in said}}


def _buckets(budget: Budget, period: Period) -> list[Period]:
    """The period, cut at its hours or at the beginnings of local days: on quarter hours, which all totals are kept by."""
    place = zone(budget.time_zone)
    cuts = [period.start]
    if budget.period in _BY_HOUR:
        # Hours from the period's start: a day of a time zone may begin at half past. A rolling window's are those of the clock.
        first = period.start if period.calendar else period.start.replace(minute=0)
        cut = first + _HOUR
        while cut < period.end:
            cuts.append(cut)
            cut += _HOUR
    else:
        day = period.start.astimezone(place).date()
        while (cut := day_start(day, place)) < period.end:
            if cut > cuts[-1]:
                cuts.append(cut)
            day += timedelta(days=1)
    return [Period(start, end, calendar=period.calendar) for start, end in pairwise([*cuts, period.end])]
