"""Figures that take long are worked out once for all who ask at the same time."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from rice_stream.api.console.once import Once


def test_all_who_ask_at_once_get_what_one_of_them_works_out() -> None:
    once, calls, begun = Once(), [], threading.Event()

    def work_out() -> dict[str, object]:
        calls.append(1)
        assert begun.wait(10)
        return {"total": 5}

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(once.of, "a page", work_out) for _ in range(8)]
        begun.set()
        assert [each.result(10) for each in asked] == [{"total": 5}] * 8
    assert len(calls) == 1
    assert once.of("another page", lambda: {"total": 6}) == {"total": 6}


def test_an_error_is_not_kept() -> None:
    once = Once()

    def fails() -> dict[str, object]:
        raise ValueError("away")

    with pytest.raises(ValueError, match="away"):
        once.of("a page", fails)
    assert once.of("a page", lambda: {"total": 5}) == {"total": 5}
