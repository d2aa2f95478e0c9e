"""As of when a question is answered, and whether with what was corrected since. Pure."""

from typing import NamedTuple

from rice_stream.reports.sums import CORRECTED_SINCE, LATE_UNTIL, NOW_US, RECORDED_SINCE, SummedTable


class Knowledge(NamedTuple):
    """What of all that is known is asked for: as of an instant, and with what was corrected or as it was reported."""

    reported: bool = False
    as_of_us: int = NOW_US

    @property
    def left_out(self) -> tuple[SummedTable, ...]:
        """What is taken away from totals as of now: with corrections, or as they were reported, without any."""
        since = () if self.as_of_us == NOW_US else (RECORDED_SINCE,)
        if self.reported:
            return (*since, LATE_UNTIL)
        return (*since, CORRECTED_SINCE) if since else ()


ALL_KNOWN = Knowledge()
