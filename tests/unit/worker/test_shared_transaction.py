"""A transaction that batches of a backlog share: bounded in batches and in time, and acknowledged after its commit alone."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from rice_stream.quantities import MEASURES
from rice_stream.store.batch import CommitResult
from rice_stream.store.engine import StoreUnavailableError
from rice_stream.worker.shared_transaction import JOIN_WAIT_S, SharedTransaction
from tests.unit.worker.test_batches import Bench


class Sharing:
    """Lets `commit` of a scripted pipeline take several batches; the transaction fails as often as it is told to."""

    def __init__(self, bench: Bench, *, fails: int = 0, share_max: int = 2) -> None:
        self._history = bench.history
        self._fails = fails
        self._written: list[str] = []
        pipeline = bench.pipeline
        pipeline.may_share, pipeline.write, pipeline.commit_written = lambda _batch: True, self._write, self._commit
        make = bench._batches

        def sharing() -> Any:
            batches = make()
            batches._share_max = share_max
            return batches

        bench._batches = sharing  # type: ignore[method-assign]

    def _write(self, batch: Any) -> Any:
        self._history.append(f"wrote {batch.name}")
        self._written.append(batch.name)
        return batch

    def _commit(self) -> list[CommitResult]:
        written, self._written = self._written, []
        if self._fails:
            self._fails -= 1
            self._history.append(f"lost {'+'.join(written)}")
            raise StoreUnavailableError("away")
        self._history.append(f"committed {'+'.join(written)}")
        return [CommitResult(0, 0, 0, 0, frozenset(), dict.fromkeys(MEASURES, 0)) for _ in written]


def put(bench: Bench, *names: str) -> Callable[[], Awaitable[None]]:
    """A script that hands over a backlog and ends."""

    async def script() -> None:
        await bench.put(*names)
        await bench.intake.close()

    return script


def done(bench: Bench) -> list[str]:
    """Commits and acknowledgements, in their order."""
    return [line for line in bench.history if line.startswith(("committed", "lost", "acked"))]


def test_batches_of_a_backlog_share_and_are_acknowledged_after_the_commit() -> None:
    bench = Bench()
    Sharing(bench)
    bench.run(put(bench, "a", "b", "c", "d", "e"))
    assert done(bench) == [
        "committed a+b", "acked a", "acked b", "committed c+d", "acked c", "acked d", "committed e", "acked e",
    ]  # fmt: skip
    assert bench.history.index("wrote a") < bench.history.index("prepared b"), "it does not wait for the others"


def test_where_it_fails_each_is_stored_alone_and_in_order() -> None:
    bench = Bench()
    Sharing(bench, fails=1)
    bench.run(put(bench, "a", "b", "c"))
    assert done(bench) == ["lost a+b", "committed a", "acked a", "committed b", "acked b", "committed c", "acked c"]


def test_it_ends_by_itself_where_the_next_batch_does_not_come() -> None:
    """Whoever prepares it may wait for somebody who waits for this transaction."""

    async def script() -> list[str]:
        shared = SharedTransaction("a", 4)
        began_s = asyncio.get_running_loop().time()
        written = [work async for work in shared.each()]
        assert asyncio.get_running_loop().time() - began_s >= JOIN_WAIT_S - 0.1
        assert not await shared.joins("b")
        return written

    assert asyncio.run(script()) == ["a"]


@pytest.mark.parametrize("batches_max", [1, 2, 3])
def test_no_more_than_its_bound_join(batches_max: int) -> None:
    async def script() -> list[str]:
        shared = SharedTransaction("a", batches_max)
        joining = asyncio.ensure_future(join_all(shared))
        written = [work async for work in shared.each()]
        await joining
        return written

    async def join_all(shared: SharedTransaction[str]) -> None:
        joined = [await shared.joins(name) for name in "bcd"[:batches_max]]
        assert joined == [True] * (batches_max - 1) + [False]

    assert asyncio.run(script()) == list("abcd"[:batches_max])
