"""A database that does not answer costs those who wait for it one try, and is there again without a restart."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from rice_stream.api.opened_once import FAILURE_HOLDS_S, OpenedOnce
from rice_stream.errors import ServiceUnavailableError, UsageError
from rice_stream.store.engine import Engine, open_engine


class Opening:
    """Opens after as many failures as there are."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.tries = 0
        self.now_s = 0.0
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.once = OpenedOnce(self.open, lambda: self.now_s)

    def open(self) -> Engine:
        """Once it may."""
        self.tries += 1
        assert self.may_go_on.wait(10)
        if self.failures:
            raise self.failures.pop(0)
        return open_engine("sqlite://")


def test_it_is_opened_once() -> None:
    opening = Opening()
    assert opening.once.engine() is opening.once.engine()
    assert opening.tries == 1
    opening.once.close()


def test_those_who_wait_share_the_failure_and_those_after_try_again() -> None:
    """However many they are."""
    opening = Opening(ServiceUnavailableError("gone"))
    opening.may_go_on.clear()
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(opening.once.engine) for _ in range(8)]
        opening.may_go_on.set()
        assert {str(each.exception()) for each in asked} == {"gone"}
    assert opening.tries == 1
    opening.now_s += FAILURE_HOLDS_S
    opening.once.engine()
    assert opening.tries == 2
    opening.once.close()


def test_what_is_known_at_once_is_looked_at_each_time() -> None:
    """Such as another schema: whoever has migrated it need not wait."""
    opening = Opening(UsageError("another schema"))
    with pytest.raises(UsageError):
        opening.once.engine()
    opening.once.engine()
    opening.once.close()
