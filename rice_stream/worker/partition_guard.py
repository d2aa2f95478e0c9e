"""Partitions of which most records are refused wait, each for itself; a start that finds nothing good ends.

A partition that passes the limit is read no more for a while: time to look, before what could be a wrong deployment is put
into quarantine and acknowledged. Then it goes on all the same, for as many records as the limit counts, and is looked at
again; the waits grow up to a minute. So a producer's garbage delays its own partition, and stops nothing.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from rice_stream.pipeline.chunks import Place
from rice_stream.pipeline.refusal_limit import RefusalWindow, nothing_good, taken_and_refused
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.batch import Batch

PAUSE_FIRST_S = 5.0
PAUSE_MAX_S = 60.0


class Pause(NamedTuple):
    """A partition that is to wait, and why."""

    place: Place
    seconds: float
    sentence: str


@dataclass(slots=True)
class _Watched:
    """One partition."""

    window: RefusalWindow
    pause_s: float = PAUSE_FIRST_S
    until: float = 0.0
    let_through: int = 0
    """Records that pass whatever they are, after a wait."""
    red: bool = field(default=False)


class PartitionGuard:
    """Counts batches before they are committed. `has_good`: whether the ledger has events of these topics already."""

    def __init__(
        self, *, ratio_max: float, records_min: int, clock: Callable[[], float], has_good: bool = False
    ) -> None:
        self._ratio_max = ratio_max
        self._records_min = records_min
        self._clock = clock
        self._has_good = has_good
        self._start = self._window()
        self._watched: dict[Place, _Watched] = {}

    def _window(self) -> RefusalWindow:
        return RefusalWindow(ratio_max=self._ratio_max, records_min=self._records_min)

    def judge(self, batch: Batch) -> list[Pause]:
        """The partitions that are to wait now; when there are any, nothing of the batch was counted: make it without them.

        TooManyRefusedError: nothing good was ever seen, so do not commit it and end.
        """
        self.check_start(batch)
        counted: list[_Watched] = []
        pauses: list[Pause] = []
        for part in batch.progress:
            place = (part.topic, part.partition)
            watched = self._watched.setdefault(place, _Watched(self._window()))
            watched.window.add(part.records_taken, part.records_refused)
            counted.append(watched)
            if watched.window.exceeded and watched.let_through <= 0:
                where = f" of partition {part.partition} of {part.topic}"
                pauses.append(Pause(place, watched.pause_s, watched.window.sentence(batch, where)))
        if pauses:
            for watched in counted:
                watched.window.take_back()
            for pause in pauses:
                self._wait(self._watched[pause.place])
            return pauses
        for watched, part in zip(counted, batch.progress, strict=True):
            _settle(watched, part.records_taken, part.records_refused)
        return []

    def _wait(self, watched: _Watched) -> None:
        watched.until = self._clock() + watched.pause_s
        watched.pause_s = min(2 * watched.pause_s, PAUSE_MAX_S)
        watched.let_through = self._records_min
        watched.red = True

    def check_start(self, batch: Batch) -> None:
        """TooManyRefusedError: as many records as the limit counts were refused since the start, and there is nothing good."""
        taken, refused = taken_and_refused(batch)
        self._has_good = self._has_good or taken > 0
        if self._has_good:
            return
        self._start.add(taken, refused)
        if self._start.exceeded:
            raise nothing_good(self._start, batch)

    def waits_s(self, place: Place) -> float:
        """How long the partition is still to wait; 0: it is not."""
        watched = self._watched.get(place)
        return 0.0 if watched is None else max(watched.until - self._clock(), 0.0)

    def is_red(self, place: Place) -> bool:
        """Whether most of what came last of the partition was refused."""
        watched = self._watched.get(place)
        return watched is not None and watched.red

    def forget(self, place: Place) -> None:
        """It is another worker's now."""
        self._watched.pop(place, None)


def guard_of(settings: Settings, *, has_good: bool) -> PartitionGuard:
    """As the settings say, by this machine's clock."""
    ratio_max, records_min = settings.quarantine_ratio_max, settings.quarantine_ratio_events_min
    return PartitionGuard(ratio_max=ratio_max, records_min=records_min, clock=time.monotonic, has_good=has_good)


def _settle(watched: _Watched, taken: int, refused: int) -> None:
    """After a batch that passes."""
    if watched.let_through > 0:
        watched.let_through -= taken + refused
        if watched.let_through <= 0:
            watched.window.clear()
    elif not watched.window.exceeded and watched.window.total >= watched.window.records_min:
        watched.pause_s = PAUSE_FIRST_S
    if taken + refused and refused <= watched.window.ratio_max * (taken + refused):
        watched.red = False
