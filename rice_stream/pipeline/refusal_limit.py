"""The limit on refused events, past which the worker and `ingest` stop rather than go on."""

from collections import deque

from rice_stream.errors import RiceError
from rice_stream.store.batch import Batch


class TooManyRefusedError(RiceError):
    """Most of what arrives is refused: more likely a wrong deployment than bad data, so it stops."""


class RefusalLimit:
    """Stops the reading of events when the share of refused events among the latest ones passes a limit."""

    def __init__(self, *, ratio_max: float, events_min: int) -> None:
        self._ratio_max = ratio_max
        self._events_min = events_min
        self._latest: deque[tuple[int, int]] = deque()

    def check(self, batch: Batch) -> None:
        """Count a batch that is about to be committed. TooManyRefusedError: do not commit it."""
        refused_of_batch = len(batch.refused)
        events = sum(progress.events for progress in batch.progress) + refused_of_batch
        self._latest.append((events, refused_of_batch))
        total = sum(count for count, _ in self._latest)
        while total - self._latest[0][0] >= self._events_min:
            total -= self._latest.popleft()[0]
        refused = sum(count for _, count in self._latest)
        if total >= self._events_min and refused > self._ratio_max * total:
            sample = batch.refused[0] if batch.refused else None
            latest = f" The last reason: {sample.reason}: {sample.detail}." if sample else ""
            raise TooManyRefusedError(
                f"{refused} of the last {total} events were refused, more than the share of {self._ratio_max:g} that"
                f" RICE_QUARANTINE_RATIO_MAX allows.{latest} Nothing of this batch was stored or acknowledged. Is this"
                " the right topic and format?"
            )
