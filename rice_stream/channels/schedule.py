"""When a delivery is tried again, and when no more: the schedule of Standard Webhooks. Pure."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from rice_stream.channels.answers import ReceiverAnswer

_MINUTE_S, _HOUR_S = 60.0, 3_600.0
STANDARD_WAITS_S = (
    *(0.0, 5.0, 5 * _MINUTE_S, 30 * _MINUTE_S),
    *(2 * _HOUR_S, 5 * _HOUR_S, 10 * _HOUR_S, 14 * _HOUR_S, 20 * _HOUR_S, 24 * _HOUR_S),
)
JITTER_RATIO = 0.1
"""By how much a wait is lengthened at most: what failed together does not come back together."""
LATER_MIN_S, LATER_MAX_S = 1.0, 24 * _HOUR_S
"""Between what limits a receiver may say when it wants to be asked again."""
_BUSY = frozenset({429, 503})
"""What says, with a Retry-After, that the receiver is well and has too much to do."""


class NextStep(NamedTuple):
    """What becomes of a delivery after a try. `wait_s`: until it is tried again."""

    state: Literal["done", "failed", "dead"]
    wait_s: float = 0.0
    counts: bool = True
    """Whether the try is one of the schedule's."""
    disables: bool = False
    """Whether the receiver wants nothing more at all."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """`waits_s`: the wait before each try, the first included; there are as many tries."""

    waits_s: tuple[float, ...] = STANDARD_WAITS_S
    later_min_s: float = LATER_MIN_S

    def next_step(self, answer: ReceiverAnswer, *, attempts: int, tried_for_s: float, luck: float) -> NextStep:
        """What comes after the answer to the `attempts`-th try, `tried_for_s` after the first one; `luck` is from 0 to 1.

        A receiver that says when it wants to be asked again (429 or 503 with Retry-After) is asked then, and that is none of
        the schedule's tries, unless it goes on for as long as the whole schedule.
        """
        if answer.is_done:
            return NextStep("done")
        if answer.is_gone:
            return NextStep("dead", disables=True)
        later_s = answer.retry_after_s
        if later_s is not None:
            later_s = min(max(later_s, self.later_min_s), LATER_MAX_S)
            if answer.status in _BUSY and tried_for_s < sum(self.waits_s):
                return NextStep("failed", _lengthened(later_s, luck), counts=False)
        if attempts >= len(self.waits_s):
            return NextStep("dead")
        return NextStep("failed", _lengthened(max(self.waits_s[attempts], later_s or 0.0), luck))


def _lengthened(wait_s: float, luck: float) -> float:
    return wait_s * (1 + JITTER_RATIO * luck)
