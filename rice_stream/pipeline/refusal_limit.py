"""The limit on refused records, past which the worker and `ingest` stop rather than go on."""

from collections import deque

from rice_stream.errors import RiceError
from rice_stream.store.batch import Batch


class TooManyRefusedError(RiceError):
    """Most of what arrives is refused: more likely a wrong deployment than bad data, so it stops."""


class RefusalLimit:
    """Stops the reading of events when the share of refused records among the latest ones passes a limit.

    Records are counted, not their items: one record may hold any number of bad ones, and says no more about the topic
    than a small one does. A record with at least one event counts as taken, one with ignored items only not at all.
    """

    def __init__(self, *, ratio_max: float, records_min: int) -> None:
        self._ratio_max = ratio_max
        self._records_min = records_min
        self._latest: deque[tuple[int, int]] = deque()

    def check(self, batch: Batch) -> None:
        """Count a batch that is about to be committed. TooManyRefusedError: do not commit it."""
        refused_now = sum(part.records_refused for part in batch.progress)
        self._latest.append((refused_now + sum(part.records_taken for part in batch.progress), refused_now))
        total = sum(count for count, _ in self._latest)
        while total - self._latest[0][0] >= self._records_min:
            total -= self._latest.popleft()[0]
        refused = sum(count for _, count in self._latest)
        if total >= self._records_min and refused > self._ratio_max * total:
            sample = batch.refused[0] if batch.refused else None
            latest = f" The last reason: {sample.reason}: {sample.detail}." if sample else ""
            raise TooManyRefusedError(
                f"{refused} of the last {total} records were refused, more than the share of {self._ratio_max:g} that"
                f" RICE_QUARANTINE_RATIO_MAX allows.{latest} Nothing of this batch was stored or acknowledged. Is this"
                " the right topic and format?"
            )
