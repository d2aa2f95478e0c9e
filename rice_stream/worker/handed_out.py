"""Which chunks of a partition were handed out and are stored: what may be committed, and where to read again. Pure."""

from collections import deque
from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import Any


class HandedOutChunks:
    """Chunks of one partition: handed out in order, acked in any order, committed from the left. Pure."""

    def __init__(self) -> None:
        self._handed_out: deque[int] = deque()
        self._acked: set[int] = set()
        self.last: int | None = None
        """The last offset handed out."""

    def hand_out(self, last_offset: int) -> None:
        """A chunk that ends with this offset goes to the agent."""
        if self.last is not None and last_offset <= self.last:
            raise ValueError(f"chunks must come in order: {last_offset} after {self.last}")
        self.last = last_offset
        self._handed_out.append(last_offset)

    def pass_over(self, position: int) -> None:
        """Reading stands at `position`; offsets before it that are in no chunk hold no records and need no ack."""
        if self.last is None or position - 1 > self.last:
            self.last = position - 1
            self._handed_out.append(self.last)
            self._acked.add(self.last)

    def ack(self, last_offset: int) -> bool:
        """The chunk that ends with this offset is stored. False: it is not one that waits for an ack."""
        if last_offset not in self._handed_out or last_offset in self._acked:
            return False
        self._acked.add(last_offset)
        return True

    def committable(self) -> int | None:
        """The offset to commit (one past the last acked chunk of the unbroken run), which are forgotten; or None."""
        last = None
        while self._handed_out and self._handed_out[0] in self._acked:
            last = self._handed_out.popleft()
            self._acked.discard(last)
        return None if last is None else last + 1

    def without_unacked(self) -> "HandedOutChunks":
        """What is acked in an unbroken run, and nothing after it: all else is to be read again."""
        kept = HandedOutChunks()
        for last_offset in takewhile(self._acked.__contains__, self._handed_out):
            kept.hand_out(last_offset)
            kept.ack(last_offset)
        return kept


class SetAside:
    """Partitions that are not read for a while, and then again from the first record that is not stored. Times in seconds."""

    def __init__(self) -> None:
        self._until: dict[Any, float] = {}

    def __contains__(self, partition: object) -> bool:
        return partition in self._until

    def add(self, partition: Any, until: float) -> None:
        """Read it no more until then; also when it is set aside already."""
        self._until[partition] = until

    def drop(self, partitions: Iterable[Any]) -> None:
        """They are not this worker's any more."""
        for partition in partitions:
            self._until.pop(partition, None)

    def due(self, now: float) -> dict[Any, float]:
        """Those whose time has come, for `settle`."""
        return {partition: until for partition, until in self._until.items() if until <= now}

    def settle(self, due: Mapping[Any, float]) -> None:
        """These are read again, unless they were set aside again meanwhile."""
        for partition, until in due.items():
            if self._until.get(partition) == until:
                del self._until[partition]
