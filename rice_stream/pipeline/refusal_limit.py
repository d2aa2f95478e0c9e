"""The limit on refused records: past it `ingest` and a worker that has seen nothing good stop rather than go on."""

from collections import deque

from rice_stream.errors import RiceError
from rice_stream.store.batch import Batch


class TooManyRefusedError(RiceError):
    """Most of what arrives is refused: more likely a wrong deployment than bad data, so it stops."""


class RefusalWindow:
    """The share of refused records among the latest ones.

    Records are counted, not their items: one record may hold any number of bad ones, and says no more about the topic
    than a small one does. A record with at least one event counts as taken, one with ignored items only not at all.
    """

    def __init__(self, *, ratio_max: float, records_min: int) -> None:
        self.ratio_max = ratio_max
        self.records_min = records_min
        """How many the latest are; of fewer nothing is said."""
        self._latest: deque[tuple[int, int]] = deque()

    def add(self, taken: int, refused: int) -> None:
        """Count some more records."""
        self._latest.append((taken + refused, refused))
        total = self.total
        while total - self._latest[0][0] >= self.records_min:
            total -= self._latest.popleft()[0]

    def take_back(self) -> None:
        """Forget what was added last: it will come again."""
        self._latest.pop()

    def clear(self) -> None:
        """Begin to count again."""
        self._latest.clear()

    @property
    def total(self) -> int:
        """The latest records."""
        return sum(count for count, _ in self._latest)

    @property
    def refused(self) -> int:
        """Those of them that were refused."""
        return sum(count for _, count in self._latest)

    @property
    def exceeded(self) -> bool:
        """Whether more are refused than may be."""
        total = self.total
        return total >= self.records_min and self.refused > self.ratio_max * total

    def sentence(self, batch: Batch, where: str = "") -> str:
        """What is wrong, with the last reason."""
        sample = batch.refused[-1] if batch.refused else None
        latest = f" The last reason: {sample.reason}: {sample.detail}." if sample else ""
        return (
            f"{self.refused} of the last {self.total} records{where} were refused, more than the share of"
            f" {self.ratio_max:g} that RICE_QUARANTINE_RATIO_MAX allows.{latest}"
        )


class RefusalLimit:
    """Stops the reading of events when the share of refused records among the latest ones passes a limit."""

    def __init__(self, *, ratio_max: float, records_min: int) -> None:
        self._window = RefusalWindow(ratio_max=ratio_max, records_min=records_min)

    def check(self, batch: Batch) -> None:
        """Count a batch that is about to be committed. TooManyRefusedError: do not commit it."""
        self._window.add(*taken_and_refused(batch))
        if self._window.exceeded:
            raise nothing_good(self._window, batch)

    def take_back(self) -> None:
        """The batch that was checked last was not committed, and comes again."""
        self._window.take_back()


def taken_and_refused(batch: Batch) -> tuple[int, int]:
    """Records of the log in the batch, of all its partitions."""
    return sum(part.records_taken for part in batch.progress), sum(part.records_refused for part in batch.progress)


def nothing_good(window: RefusalWindow, batch: Batch) -> TooManyRefusedError:
    """The error that ends the reading."""
    return TooManyRefusedError(
        f"{window.sentence(batch)} Nothing of this batch was stored or acknowledged. Is this the right topic and format?"
    )
