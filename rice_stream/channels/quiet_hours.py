"""Quiet hours: when a channel is left alone, until when, and what is sent to it all the same. Pure.

They begin at the first instant at which the clocks of their time zone show the start or something later, and end at the first at
which they show the end or something later. So where clocks are set back they neither end twice nor begin twice, a start or an
end that the clocks leave out is the moment at which they jump over it, and quiet hours of a date that a zone left out last until
their end on the next one.
"""

from datetime import datetime, timedelta

from rice_stream.budgets.states import Severity
from rice_stream.channels.definition import RANK, Channel, Kind, QuietHours
from rice_stream.instants import first_showing, in_utc, zone

AT_ONCE: frozenset[Kind] = frozenset({"digest", "test"})
"""What is sent whatever the hour: what ends quiet hours, and what somebody has just asked for."""
_BEGAN_ON = (-1, 0, 1)
"""Dates, in days from today, on which quiet hours of now may have begun; tomorrow's where clocks were set back over midnight."""


def held_until(channel: Channel, kind: Kind, severity: Severity | None, now: datetime) -> datetime | None:
    """Until when something for a channel is held that is to be sent now; None: it is sent. Severity None: it is not urgent.

    Alertmanager is told at any hour that what it has been told still holds: it would take it for ended.
    """
    hours = channel.quiet_hours
    if hours is None or kind in AT_ONCE or breaks_through(hours, severity):
        return None
    if channel.type == "alertmanager" and kind == "reminder":
        return None
    return quiet_until(hours, now)


def breaks_through(hours: QuietHours, severity: Severity | None) -> bool:
    """Whether what is this severe is sent during quiet hours as well."""
    return severity is not None and hours.breaks_through is not None and RANK[severity] >= RANK[hours.breaks_through]


def quiet_until(hours: QuietHours, now: datetime) -> datetime | None:
    """When the quiet hours end that `now` (aware) lies in, in UTC; None: it lies in none.

    Hours whose end is their start, which nobody can set (`parsing.py`), last all day.
    """
    now = in_utc(now)
    end = _end(hours, now)
    if end is None or hours.start == hours.end:
        return end
    while (later := _end(hours, end)) is not None:  # a date was left out: those of the next one follow without a gap
        end = later
    return end


def _end(hours: QuietHours, now: datetime) -> datetime | None:
    place = zone(hours.time_zone)
    today = now.astimezone(place).date()
    for days in _BEGAN_ON:
        first = today + timedelta(days=days)
        last = first if hours.start < hours.end else first + timedelta(days=1)
        if first_showing(datetime.combine(first, hours.start), place) <= now:
            end = first_showing(datetime.combine(last, hours.end), place)
            if now < end:
                return end
    return None
