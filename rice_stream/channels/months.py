"""Months of statements, by the calendar of a place, and when a statement of one is made. Pure.

Statements of a month are made from two days after its end on, by the clocks of the tenant's time zone: for as long budgets of a
month that is over are judged still, because of what arrives late. Who is set up, or was away, later than two weeks after the end
gets the next one: what is that old is no news.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from rice_stream.errors import UsageError
from rice_stream.instants import day_start, in_utc, zone

ARRIVES_WITHIN = timedelta(days=2)
"""How long after the end of a month its events are waited for."""
NEWS_FOR = timedelta(days=14)
"""How long after its end a statement of a month is made still."""


@dataclass(frozen=True, slots=True)
class Month:
    """A month of a time zone; `first` is its first day."""

    first: date
    time_zone: str

    @classmethod
    def of(cls, text: str, time_zone: str) -> "Month":
        """The month of `2026-10`. UsageError: it is none."""
        try:
            return cls(date.fromisoformat(f"{text}-01"), time_zone)
        except ValueError as error:
            raise UsageError(f"month: {text!r} is no month; write it as in 2026-10") from error

    @classmethod
    def last_before(cls, now: datetime, time_zone: str) -> "Month":
        """The last one that is over."""
        today = in_utc(now).astimezone(zone(time_zone)).date()
        return cls(today.replace(day=1), time_zone).previous

    @property
    def previous(self) -> "Month":
        """The month before."""
        return Month((self.first - timedelta(days=1)).replace(day=1), self.time_zone)

    @property
    def following(self) -> "Month":
        """The month after."""
        return Month((self.first + timedelta(days=31)).replace(day=1), self.time_zone)

    @property
    def name(self) -> str:
        """As in 2026-10."""
        return self.first.isoformat()[:7]

    @property
    def start(self) -> datetime:
        """Its first instant, in UTC."""
        return day_start(self.first, zone(self.time_zone))

    @property
    def end(self) -> datetime:
        """The first instant after it, in UTC."""
        return self.following.start


def month_to_state(now: datetime, time_zone: str) -> Month | None:
    """The month of which statements are made now; None: it is too early for the last one, or too late."""
    last = Month.last_before(now, time_zone)
    return last if last.end + ARRIVES_WITHIN <= in_utc(now) < last.end + NEWS_FOR else None
