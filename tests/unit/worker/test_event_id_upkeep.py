"""The worker keeps the lists of event ids for as long as it runs, whatever the database says."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rice_stream.store.engine import StoreUnavailableError
from rice_stream.worker import event_id_upkeep
from rice_stream.worker.event_id_upkeep import keep_event_ids_listed


def test_a_failure_is_logged_and_tried_again_and_what_runs_is_told_when_the_worker_ends(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Listing what was there before may take minutes: nobody waits for it to end."""
    outcomes: list[Exception | int] = [StoreUnavailableError("in use"), 2, 0]
    done: list[str] = []
    over: list[Callable[[], bool]] = []

    def list_gaps(_engine: object, *, is_over: Callable[[], bool]) -> int:
        over.append(is_over)
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        done.append(f"{outcome} months")
        return outcome

    def merge(_engine: object, *, is_over: Callable[[], bool]) -> int:
        done.append("merged")
        return 0

    async def wait(seconds: float) -> None:
        assert seconds == event_id_upkeep.INTERVAL_S
        assert not any(is_over() for is_over in over)
        if not outcomes:
            raise asyncio.CancelledError

    turns: list[bool] = []

    def acquire(now_us: int) -> bool:
        turns.append(now_us > 0)
        return True

    monkeypatch.setattr(event_id_upkeep, "Lease", lambda *_, **__: SimpleNamespace(acquire=acquire))
    monkeypatch.setattr(event_id_upkeep, "list_gaps", list_gaps)
    monkeypatch.setattr(event_id_upkeep, "merge_event_ids", merge)
    monkeypatch.setattr(event_id_upkeep, "asyncio", SimpleNamespace(sleep=wait, to_thread=asyncio.to_thread))
    with caplog.at_level("INFO"), pytest.raises(asyncio.CancelledError):
        asyncio.run(keep_event_ids_listed(cast(Any, None)))
    assert done == ["2 months", "merged", "0 months", "merged"]
    assert "trying again in 60 s: in use" in caplog.text
    assert "the event ids of 2 months are listed" in caplog.text
    asked = len(turns)
    assert asked > 0
    assert all(is_over() for is_over in over)
    assert len(turns) == asked
