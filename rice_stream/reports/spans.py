"""Stretches of time that a report covers, cut so that SQL can tell a local day by integer division. Pure.

SQLite knows no time zones, so the calendar is worked out here and handed over as a small table: one row per stretch
of ordinary 24-hour days (two or three a year), one per day that is longer or shorter.
"""

from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from rice_stream.instants import DAY_S, SECOND_US, datetime_of, day_start, epoch_s
from rice_stream.store.totals_tables import TotalsTable

_EPOCH_DAY = date(1970, 1, 1)


class Span(NamedTuple):
    """`from_us <= t < to_us` for the tenants of a time zone.

    The local day of an instant in it, counted from 1970-01-01, is `first_day + (t_s - origin_s) // 86400`.
    """

    time_zone: str
    from_us: int
    to_us: int
    origin_s: int = 0
    first_day: int = 0


@lru_cache(maxsize=4096)
def day_text(day: int) -> str:
    """The date of a day counted from 1970-01-01.

    >>> day_text(20779)
    '2026-11-22'
    """
    return (_EPOCH_DAY + timedelta(days=day)).isoformat()


def month_text(month: int) -> str:
    """The month of a number that counts them from the year 0.

    >>> month_text(24322)
    '2026-11'
    """
    return f"{month // 12:04}-{month % 12 + 1:02}"


@lru_cache(maxsize=256)
def month_spans(time_zone: str, from_us: int, to_us: int) -> tuple[Span, ...]:
    """Cut a stretch where months begin; `first_day` is the number of the month (`month_text`)."""
    place = ZoneInfo(time_zone)
    first = (datetime_of(from_us).astimezone(place).date() - timedelta(days=1)).replace(day=1)
    spans: list[Span] = []
    start_s = _day_start_s(first, place)
    while start_s * SECOND_US < to_us:
        following = (first + timedelta(days=31)).replace(day=1)
        end_s = _day_start_s(following, place)
        number = first.year * 12 + first.month - 1
        spans.append(Span(time_zone, start_s * SECOND_US, end_s * SECOND_US, start_s, number))
        first, start_s = following, end_s
    return tuple(clipped for span in spans if (clipped := clip(span, from_us, to_us)))


@lru_cache(maxsize=256)
def calendar_spans(time_zone: str, from_us: int, to_us: int) -> tuple[Span, ...]:
    """Cut a stretch into spans within which days can be counted. Kept: many tenants are asked about the same one.

    Days begin where `instants.day_start` says: they tile time, also where clocks go back across midnight.
    """
    place = ZoneInfo(time_zone)
    spans: list[Span] = []
    day = datetime_of(from_us).astimezone(place).date() - timedelta(days=1)
    start_s = _day_start_s(day, place)
    while start_s * SECOND_US < to_us:
        following = day + timedelta(days=1)
        end_s = _day_start_s(following, place)
        # A day of more than 24 hours needs a second span: division alone would call its last hour the next day.
        for origin_s in range(start_s, end_s, DAY_S):
            _append(
                spans,
                Span(time_zone, origin_s * SECOND_US, min(end_s, origin_s + DAY_S) * SECOND_US, origin_s, _number(day)),
            )
        day, start_s = following, end_s
    return tuple(clipped for span in spans if (clipped := clip(span, from_us, to_us)))


def _append(spans: list[Span], new: Span) -> None:
    """Add a day, as part of the span before it where counting on gives the right day."""
    if spans:
        last = spans[-1]
        length_s = (last.to_us // SECOND_US) - last.origin_s
        whole_days = length_s % DAY_S == 0
        if last.to_us == new.from_us and whole_days and last.first_day + length_s // DAY_S == new.first_day:
            spans[-1] = last._replace(to_us=new.to_us)
            return
    spans.append(new)


def clip(span: Span, from_us: int, to_us: int) -> Span | None:
    """The part of a span within the bounds; None: there is none."""
    clipped = span._replace(from_us=max(span.from_us, from_us), to_us=min(span.to_us, to_us))
    return clipped if clipped.from_us < clipped.to_us else None


def cut_at(spans: list[Span], moment_us: int) -> tuple[list[Span], list[Span]]:
    """What of the spans lies before an instant, and what does not."""
    before = [part for span in spans if (part := clip(span, span.from_us, moment_us))]
    after = [part for span in spans if (part := clip(span, moment_us, span.to_us))]
    return before, after


class Split(NamedTuple):
    """Whole buckets in the middle, and what is left over at the edges."""

    whole: list[Span]
    edges: list[Span]


def split_at_buckets(spans: list[Span], table: TotalsTable) -> Split:
    """Cut spans where buckets of the table begin and end: sums of whole buckets plus records of the edges are exact."""
    whole: list[Span] = []
    edges: list[Span] = []
    for span in spans:
        first_us = table.ceil_s(-(-span.from_us // SECOND_US)) * SECOND_US
        last_us = table.floor_s(span.to_us // SECOND_US) * SECOND_US
        if first_us >= last_us:
            edges.append(span)
            continue
        whole.append(span._replace(from_us=first_us, to_us=last_us))
        edges += [edge for edge in (clip(span, span.from_us, first_us), clip(span, last_us, span.to_us)) if edge]
    return Split(whole, edges)


def hull(spans: list[Span], bucket_s: int) -> list[Span]:
    """Each span widened to whole buckets; spans that then meet within a bucket become one."""
    bucket_us = bucket_s * SECOND_US
    widened: list[Span] = []
    for span in sorted(spans):
        new = span._replace(
            from_us=span.from_us // bucket_us * bucket_us, to_us=-(-span.to_us // bucket_us) * bucket_us
        )
        if widened and widened[-1].time_zone == new.time_zone and new.from_us < widened[-1].to_us:
            widened[-1] = widened[-1]._replace(to_us=max(new.to_us, widened[-1].to_us))
        else:
            widened.append(new)
    return widened


@lru_cache(maxsize=16_384)
def _day_start_s(day: date, place: ZoneInfo) -> int:
    return epoch_s(day_start(day, place))


def _number(day: date) -> int:
    return (day - _EPOCH_DAY).days
