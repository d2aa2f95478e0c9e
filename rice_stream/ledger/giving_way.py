"""Giving way to workers: what corrects many records leaves them the database for a share of the time."""

import time
from collections.abc import Callable

from rice_stream.store.engine import Engine
from rice_stream.store.topic_progress import items_taken_in

GiveWay = Callable[[float], None]
"""Is told how many seconds a transaction took, and may wait."""


def go_on(_worked_s: float) -> None:
    """Wait for nobody."""


class GivingWay:
    """Waits after each transaction as long as makes it `share` of the time, if any batch has been committed since the one before.

    Where no worker commits, nothing is waited for.
    """

    def __init__(self, engine: Engine, share: float, wait: Callable[[float], None] = time.sleep) -> None:
        self._engine = engine
        self._share = share
        self._wait = wait
        self._items = items_taken_in(engine)

    def rest(self, worked_s: float) -> None:
        """After a transaction that took so many seconds. StoreUnavailableError: the database does not answer."""
        items = items_taken_in(self._engine)
        if items != self._items:
            self._items = items
            self._wait(worked_s * (1 - self._share) / self._share)
