"""Which prompts are asked for. Pure."""

from dataclasses import dataclass

from rice_stream.reports.name_filter import ALL_NAMES, NameFilter
from rice_stream.reports.windows import TimeBound


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFilter:
    """Which prompts: None leaves nothing out.

    `start` and `end` (not included) are instants or days of `time_zone`; `recorded_until_us` leaves out what came after that.
    """

    tenant: str | None = None
    where: NameFilter = ALL_NAMES
    start: TimeBound = None
    end: TimeBound = None
    time_zone: str = "UTC"
    recorded_until_us: int | None = None
