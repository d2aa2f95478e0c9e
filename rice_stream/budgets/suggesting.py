"""A limit to begin with: what a period would hold if consumption went on at the pace of now. Pure."""

from collections.abc import Mapping
from datetime import timedelta

from rice_stream.budgets.definition import ROLLING_WINDOWS

PACE_WINDOW = timedelta(days=7)
"""What the pace of now is the average of: a whole week, since weekends differ."""
NOMINAL_LENGTHS: Mapping[str, timedelta] = {
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
    "quarter": timedelta(days=91),
    "year": timedelta(days=365),
    **ROLLING_WINDOWS,
}
"""How long each period is, give or take a little."""
_DIGITS = 2


def at_pace(amount: int, window: timedelta, length: timedelta) -> int:
    """What `length` holds at the pace at which `amount` was consumed in `window`."""
    return round(amount * (length // timedelta.resolution) / (window // timedelta.resolution))


def suggested_limit(amount: int) -> int | None:
    """The amount rounded up to two significant digits: nobody means more of them; None: there is nothing to go by."""
    if amount <= 0:
        return None
    step: int = 10 ** max(0, len(str(amount)) - _DIGITS)
    return -(-amount // step) * step
