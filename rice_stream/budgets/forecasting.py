"""Where a budget will stand when its period ends, by linear extrapolation. Pure: takes `now`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from rice_stream.budgets.definition import Budget
from rice_stream.budgets.periods import Period
from rice_stream.budgets.states import Consumed
from rice_stream.instants import in_utc


@dataclass(frozen=True, slots=True)
class Forecast:
    """The period's end at the average pace so far.

    `ratio` is the forecast amount by the budget's own estimate and unit, over the limit. `exhausted_at` is when that
    amount reaches the limit; `exhausted_earliest` and `exhausted_latest` are the same by the high and the low estimate
    (equal to it for energy). Each is None where the budget lasts the period, and lies before now where the limit has
    already been passed (then it is interpolated). `elapsed_ratio` is the share of the period that the pace rests on:
    the smaller it is, the less the forecast is worth.
    """

    at_end: Consumed
    ratio: float
    exhausted_at: datetime | None
    exhausted_earliest: datetime | None
    exhausted_latest: datetime | None
    elapsed_ratio: float


def forecast(budget: Budget, consumed: Consumed, period: Period, now: datetime) -> Forecast | None:
    """The period's end if consumption goes on at its average pace since the start of the period.

    None where there is nothing to extrapolate: for a rolling window, which has no end, and at the very start of a
    period. After its end the forecast is what was consumed.

    Raises:
        ValueError: `now` is naive or lies before the period.
    """
    if not period.calendar:
        return None
    now = in_utc(now)
    if now < period.start:
        raise ValueError(f"{now} lies before the period that starts at {period.start}")
    elapsed = _microseconds(min(now, period.end) - period.start)
    if elapsed == 0:
        return None
    length = _microseconds(period.end - period.start)
    at_end = Consumed(*(_extrapolated(getattr(consumed, name), elapsed, length) for name in Consumed.__slots__))
    energy = budget.unit == "kwh"
    amount = consumed.amount(budget)
    high = amount if energy else consumed.carbon_high_ugco2e
    low = amount if energy else consumed.carbon_low_ugco2e
    return Forecast(
        at_end=at_end,
        ratio=at_end.ratio(budget),
        exhausted_at=_exhausted(budget.limit, amount, elapsed, period),
        exhausted_earliest=_exhausted(budget.limit, high, elapsed, period),
        exhausted_latest=_exhausted(budget.limit, low, elapsed, period),
        elapsed_ratio=elapsed / length,
    )


def _extrapolated(amount: int, elapsed: int, length: int) -> int:
    return round(Fraction(amount * length, elapsed))


def _exhausted(limit: int, amount: int, elapsed: int, period: Period) -> datetime | None:
    """When `amount`, consumed evenly in `elapsed` microseconds, reaches the limit; rounded up to the microsecond."""
    if amount <= 0:
        return None
    after = -(-limit * elapsed // amount)
    if after > _microseconds(period.end - period.start):
        return None
    return period.start + timedelta(microseconds=after)


def _microseconds(span: timedelta) -> int:
    return span // timedelta.resolution
