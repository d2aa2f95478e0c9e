"""How a test waits: for a condition, with a deadline, and never for a length of time."""

from collections.abc import Callable
from typing import TypeVar

from rice_stream.sandbox.stack.processes import poll_until

T = TypeVar("T")


def wait_until(condition: Callable[[], T], deadline_s: float, what: str) -> T:
    """Ask `condition` until its answer is true and return that; fail the test after `deadline_s` seconds.

    `what` ends the sentence "waited ... for ...".
    """
    answer = poll_until(condition, deadline_s)
    if not answer:
        raise AssertionError(f"waited {deadline_s:g} s for {what}; the last answer was {answer!r}")
    return answer
