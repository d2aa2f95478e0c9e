"""One transaction at a time; what is left to do after it holds nobody up, and is neither lost nor passed over in silence."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial

import pytest

from rice_stream.worker.storing_batches import StoringBatches


class FailedError(Exception):
    """Of the test."""


class Scripted:
    """Batches that say what happens; what is left of each after its transaction waits for `go`."""

    def __init__(self) -> None:
        self.history: list[str] = []
        self.go = asyncio.Event()

    def batch(self, name: str, *, fails: str = "") -> Callable[[asyncio.Future[None]], Coroutine[None, None, None]]:
        return partial(self._store, name, fails)

    async def _store(self, name: str, fails: str, committed: asyncio.Future[None]) -> None:
        self.history.append(f"{name} begins")
        await asyncio.sleep(0)
        if fails == "transaction":
            raise FailedError(name)
        self.history.append(f"{name} committed")
        committed.set_result(None)
        await self.go.wait()
        if fails == "the rest":
            raise FailedError(name)
        self.history.append(f"{name} done")


def test_the_next_one_begins_once_the_transaction_before_is_done() -> None:
    async def script() -> list[str]:
        scripted, storing = Scripted(), StoringBatches()
        storing.begin(scripted.batch("a"))
        await storing.until_committed()
        storing.begin(scripted.batch("b"))
        await asyncio.sleep(0)
        scripted.go.set()
        await storing.until_done()
        return scripted.history

    history = asyncio.run(script())
    assert history[:3] == ["a begins", "a committed", "b begins"]
    assert sorted(history[3:]) == ["a done", "b committed", "b done"]


@pytest.mark.parametrize("fails", ["transaction", "the rest"])
def test_a_failure_comes_out_before_a_batch_after_the_next_begins(fails: str) -> None:
    """Of the transaction at once; of what comes after it at the latest with the next one, which is not cut short."""

    async def both(scripted: Scripted, storing: StoringBatches) -> None:
        scripted.go.set()
        storing.begin(scripted.batch("a", fails=fails))
        await storing.until_committed()
        storing.begin(scripted.batch("b"))
        await storing.until_committed()

    async def script() -> list[str]:
        scripted, storing = Scripted(), StoringBatches()
        with pytest.raises(FailedError, match="a"):
            await both(scripted, storing)
        await storing.end()
        return scripted.history

    history = asyncio.run(script())
    assert "b begins" not in history or (fails == "the rest" and "b done" in history)
