"""Where a budget will stand when its period ends, from its paces so far. Pure: takes `now`."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import NamedTuple

from rice_stream.budgets.definition import Budget
from rice_stream.budgets.periods import Period
from rice_stream.budgets.states import Consumed, Forecast
from rice_stream.instants import in_utc

TELLING_SHARE = 60
"""A stretch before now tells a pace of its own where it is at least one part in so many of the period: of a month, a day."""


def forecast(
    budget: Budget,
    consumed: Consumed,
    period: Period,
    now: datetime,
    recent: Sequence[tuple[Period, Consumed]] = (),
) -> Forecast | None:
    """The period's end, by the average pace since its start and the paces of stretches before now.

    `recent` are stretches and what was consumed in them; those that began before the period, or are too short for it
    (`TELLING_SHARE`), tell nothing of it. Without any, the range is that of the estimate alone. None where there is nothing to
    extrapolate: for a rolling window, which has no end, and at the very start of a period. After its end the forecast is
    what was consumed.

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
    slowest, fastest = _paces(
        budget, consumed, elapsed, length, [each for each in recent if each[0].start >= period.start]
    )
    energy = budget.unit == "kwh"
    own = consumed.amount(budget)
    low = _Path(own if energy else consumed.carbon_low_ugco2e, slowest, elapsed)
    mid = _Path(own, Fraction(1), elapsed)
    high = _Path(own if energy else consumed.carbon_high_ugco2e, fastest, elapsed)
    return Forecast(
        low=low.amount_at(length),
        mid=mid.amount_at(length),
        high=high.amount_at(length),
        ratio=mid.amount_at(length) / budget.limit,
        exhausted_at=mid.reaches(budget.limit, period),
        exhausted_earliest=high.reaches(budget.limit, period),
        exhausted_latest=low.reaches(budget.limit, period),
        elapsed_ratio=elapsed / length,
    )


class _Path(NamedTuple):
    """An amount that was consumed evenly in `elapsed` microseconds, and goes on at `times` that pace."""

    amount: int
    times: Fraction
    elapsed: int

    def amount_at(self, after: int) -> int:
        """So many microseconds after the period's start, and not before now."""
        return round(self.amount + Fraction(self.amount * (after - self.elapsed), self.elapsed) * self.times)

    def reaches(self, limit: int, period: Period) -> datetime | None:
        """When it is at the limit, rounded up to the microsecond; None: not within the period."""
        if self.amount <= 0:
            return None
        even = Fraction(limit * self.elapsed, self.amount)
        if even > self.elapsed:
            if self.times == 0:
                return None
            even = self.elapsed + (even - self.elapsed) / self.times
        after = -(-even.numerator // even.denominator)
        if after > _microseconds(period.end - period.start):
            return None
        return period.start + timedelta(microseconds=after)


def _paces(
    budget: Budget, consumed: Consumed, elapsed: int, length: int, recent: Sequence[tuple[Period, Consumed]]
) -> tuple[Fraction, Fraction]:
    """The slowest and the fastest pace, as multiples of the average one: 1 where none was slower, or faster."""
    middle = _middle(budget, consumed)
    times = [Fraction(1)]
    for stretch, amounts in recent:
        of_stretch = _microseconds(stretch.end - stretch.start)
        if middle > 0 and of_stretch * TELLING_SHARE >= length:
            times.append(Fraction(_middle(budget, amounts) * elapsed, middle * of_stretch))
    return min(times), max(times)


def _middle(budget: Budget, consumed: Consumed) -> int:
    return consumed.facility_energy_uwh if budget.unit == "kwh" else consumed.carbon_mid_ugco2e


def _microseconds(span: timedelta) -> int:
    return span // timedelta.resolution
