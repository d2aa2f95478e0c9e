"""The worker looks for the partitions of the coming months at once and every hour, and sooner after a failure."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rice_stream.store.engine import StoreUnavailableError
from rice_stream.worker import partitions_ahead
from rice_stream.worker.partitions_ahead import keep_partitions_ahead


def test_a_failure_is_logged_and_tried_again_and_never_ends_the_worker(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    outcomes: list[Exception | None] = [StoreUnavailableError("in use"), None, None]
    waited: list[float] = []

    def make(_engine: object) -> None:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome

    async def wait(seconds: float) -> None:
        waited.append(seconds)
        if not outcomes:
            raise asyncio.CancelledError

    monkeypatch.setattr(partitions_ahead, "make_partitions_ahead", make)
    # Its own sleep alone: other loops of this process go on sleeping.
    monkeypatch.setattr(partitions_ahead, "asyncio", SimpleNamespace(sleep=wait, to_thread=asyncio.to_thread))
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(keep_partitions_ahead(cast(Any, None)))
    assert waited == [partitions_ahead.RETRY_S, partitions_ahead.INTERVAL_S, partitions_ahead.INTERVAL_S]
    assert "trying again in 60 s: in use" in caplog.text
