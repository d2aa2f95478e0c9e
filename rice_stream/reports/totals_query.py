"""What `totals` is asked: whose use, over which time, broken down by what."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from rice_stream.errors import UsageError
from rice_stream.instants import MINUTE_S, SECOND_US, day_start, epoch_us, in_utc, rfc3339, zone
from rice_stream.quantities import MEASURES
from rice_stream.reports.allocation import RULES, Rule, check_allocation
from rice_stream.reports.knowledge import ALL_KNOWN, Knowledge
from rice_stream.reports.name_filter import ALL_NAMES, NameFilter
from rice_stream.reports.sums import FIELDS, NOW_US, PART_MEASURES
from rice_stream.reports.time_zones import REPORT_TIME_ZONE
from rice_stream.reports.windows import TimeBound, bounds_us, check_window
from rice_stream.store.views import WINDOWS_S

AmountsAs = Literal["reported", "restated"]
Only = tuple[Literal["energy", "tokens", "market"], ...]
"""What is told besides prompts and carbon."""
WINDOWS = (*WINDOWS_S, "mtd")
BUCKETS = ("hour", "day", "month")
_FIRST_ZONE, _LAST_ZONE = "Etc/GMT-14", "Etc/GMT+12"
"""Where a day begins first, and where last; their names have the sign of the other side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalsQuery:
    """Sums from `start` up to (not including) `end`, or over a rolling `window`; with neither, over all time.

    `by` names fields of `FIELDS`, each possibly a comma list; by default `tenant`. Windows end with the running minute
    and begin on a whole minute, as in the view `rolling_totals`; days, and the month to date (`mtd`), are those of each
    tenant's own time zone where it has rows of its own, where tenants are added up those of `report_time_zone`, and all those of
    `time_zone` where that is given (`time_zones.report_zone`); hours are those of UTC. `bucket` breaks down by a stretch of time
    besides, in its order. `where` narrows to some names. `top` puts all but the so many names with most carbon into one row.
    `limit` and `offset` page through the rows. `amounts` are with all corrections, or as
    they were reported; `as_of` an instant: with what was recorded and corrected until then. Without `ranges` the carbon is told by
    its middle alone, which costs far less where there are many rows. `only`: besides prompts and carbon just the energy, the
    tokens or neither; what is not told is not added up. `allocate` shows what the names `shared` ("": what has none) used
    divided among the others, by a rule of `allocation.RULES`.

    Raises:
        UsageError: an unknown field, window, bucket or time zone, months beside days, or a window beside bounds.
    """

    tenant: str | None = None
    by: Sequence[str] = ()
    window: str | None = None
    start: TimeBound = None
    end: TimeBound = None
    limit: int | None = None
    offset: int = 0
    bucket: str | None = None
    time_zone: str | None = None
    report_time_zone: str = REPORT_TIME_ZONE
    top: int | None = None
    where: NameFilter = ALL_NAMES
    amounts: AmountsAs = "restated"
    as_of: datetime | None = None
    ranges: bool = True
    only: Only | None = None
    allocate: Rule | None = None
    shared: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.bucket is not None and self.bucket not in BUCKETS:
            raise UsageError(f"--bucket {self.bucket}: choose from {', '.join(BUCKETS)}")
        unknown = [name for name in self.fields if name not in FIELDS]
        if unknown:
            raise UsageError(f"--by {', '.join(unknown)}: choose from {', '.join(FIELDS)}")
        if self.window is not None and self.window not in WINDOWS:
            raise UsageError(f"--window {self.window}: choose from {', '.join(WINDOWS)}")
        if {"day", "month"} <= set(self.fields):
            raise UsageError("--by month: a day says its month as well; leave one of them out")
        if self.top is not None and self.top < 1:
            raise UsageError(f"--top {self.top}: must be at least 1")
        if self.time_zone is not None:
            zone(self.time_zone)
        if self.allocate is not None:
            check_allocation(self.fields, self.tenant, self.shared, self.top)
        elif self.shared:
            raise UsageError(f"--shared: goes with --allocate {'|'.join(RULES)}, which says how it is divided")
        check_window(self.window, self.start, self.end)

    @property
    def fields(self) -> tuple[str, ...]:
        """What to break down by, each once, the bucket last: `["team,model", "day"]` is `("team", "model", "day")`; a name may be
        written with hyphens (`cost-centre`)."""
        return _fields(tuple(self.by), self.bucket)

    @property
    def measures(self) -> tuple[str, ...]:
        """What of MEASURES is added up."""
        if self.only is None:
            return MEASURES
        only = self.only
        return tuple(name for name in MEASURES if name in PART_MEASURES or any(word in name for word in only))

    @property
    def knowledge(self) -> Knowledge:
        """What of all that is known is asked for."""
        as_of_us = NOW_US if self.as_of is None else epoch_us(in_utc(self.as_of))
        return Knowledge(self.amounts == "reported", as_of_us)

    @property
    def told(self) -> dict[str, Any]:
        """What an answer says of that, where it is not simply everything that is known by now, and of what is divided how."""
        allocation = {} if self.allocate is None else {"allocation": {"rule": self.allocate, "shared": [*self.shared]}}
        if self.knowledge == ALL_KNOWN:
            return allocation
        return {
            **allocation,
            "as": self.amounts,
            "as_of": None if self.as_of is None else rfc3339(epoch_us(in_utc(self.as_of))),
        }

    @property
    def calendar(self) -> str | None:
        """Whose beginnings a calendar has to give: days or months."""
        return next((name for name in ("day", "month") if name in self.fields), None)

    def closed_us(self, now: datetime) -> tuple[int, int] | None:
        """(from, to) in epoch microseconds of a stretch whose last day is over wherever one is, widened to that of any place.

        None: it is a window that moves on, has no end, or is not over.
        """
        if self.window is not None or self.end is None:
            return None
        from_us, to_us = (
            bounds_us(self.start, self.end, zone)[at] for at, zone in enumerate((_FIRST_ZONE, _LAST_ZONE))
        )
        return (from_us, to_us) if to_us <= epoch_us(in_utc(now)) else None

    def range_us(self, time_zone: str, now: datetime) -> tuple[int, int]:
        """(from, to) in epoch microseconds, where days are those of a time zone. UsageError: from is not before to."""
        if self.window is not None:
            return _window_us(self.window, time_zone, now)
        return bounds_us(self.start, self.end, time_zone)


@lru_cache(maxsize=256)
def _fields(by: tuple[str, ...], bucket: str | None) -> tuple[str, ...]:
    named = [name.strip().replace("-", "_") for listed in by for name in listed.split(",")]
    names = [*named, bucket] if bucket is not None else named
    return tuple(dict.fromkeys(name for name in names if name)) or ("tenant",)


def _window_us(window: str, time_zone: str, now: datetime) -> tuple[int, int]:
    now_s = epoch_us(in_utc(now)) // SECOND_US
    to_s = now_s - now_s % MINUTE_S + MINUTE_S
    if window == "mtd":
        place = ZoneInfo(time_zone)
        return epoch_us(day_start(now.astimezone(place).date().replace(day=1), place)), to_s * SECOND_US
    from_s = now_s - WINDOWS_S[window]
    return (from_s - from_s % MINUTE_S) * SECOND_US, to_s * SECOND_US
