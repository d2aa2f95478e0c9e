"""Doing again what the database did not do: for changes that give way to others rather than wait for a lock."""

import time
from collections.abc import Callable
from typing import TypeVar

from rice_stream.store.engine import StoreUnavailableError

T = TypeVar("T")


def tried_again(act: Callable[[], T], tries: int, *, pause_s: float = 0.0) -> T:
    """The result of `act`, which may be done again after a StoreUnavailableError; the last one is raised."""
    for tries_left in reversed(range(tries)):
        try:
            return act()
        except StoreUnavailableError:
            if not tries_left:
                raise
        time.sleep(pause_s)
    raise AssertionError("the last try returns or raises")
