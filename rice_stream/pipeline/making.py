"""A batch in the making: events whose names are keys, part by part, until it is made."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.columns import EventColumns
from rice_stream.events.keyed import KeyedEvents
from rice_stream.events.records import Refused
from rice_stream.events.refused_items import RecordTally
from rice_stream.pipeline.chunks import Chunk, Counted, Place
from rice_stream.store.identity_rules import IdentityRules

Origin = int | NDArray[np.intp]
"""The number of the partition that events are of: of all of them, or of each."""


@dataclass(frozen=True, slots=True)
class EventsToKey:
    """Events of a block whose names are not keys yet."""

    columns: EventColumns
    origin: Origin
    received_at_us: int
    unknown: bool = False
    """Whether some of the names are known to be none that were met before."""

    def __len__(self) -> int:
        return len(self.columns)


Part = KeyedEvents | EventsToKey


Key = Callable[[EventsToKey], KeyedEvents]
"""Raises KeyError where a name is not known."""


def perhaps_keyed(part: Part, key: Key) -> Part:
    """With names as keys where all of them are known."""
    if isinstance(part, KeyedEvents) or part.unknown:
        return part
    try:
        return key(part)
    except KeyError:
        return replace(part, unknown=True)


def keyed(parts: Sequence[Part], key: Key, learn: Callable[[Sequence[EventColumns]], None]) -> list[KeyedEvents]:
    """All of them with names as keys; `learn` asks for names that are not known, those of several blocks together."""
    found = [perhaps_keyed(part, key) for part in parts]
    learn([part.columns for part in found if isinstance(part, EventsToKey)])
    return [key(part) if isinstance(part, EventsToKey) else part for part in found]


@dataclass(slots=True)
class BatchInMaking:
    """What chunks have brought so far, read by the same rules. Of the pipeline that began it, and void once that begins
    another one."""

    rules: IdentityRules
    parts: list[Part] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    ignored: Counter[tuple[str, str]] = field(default_factory=Counter)
    counted: defaultdict[Place, Counted] = field(default_factory=lambda: defaultdict(Counted))
    numbers: dict[Place, int] = field(default_factory=dict)
    """Number of each partition: position in the batch's progress."""
    taken: list[Chunk] = field(default_factory=list)
    """The parts of the chunks that are in it."""
    left: list[Chunk] = field(default_factory=list)
    """Those that it has no room for: the chunks that were given last."""

    def number(self, place: Place) -> int:
        """That of a partition, of which something comes now."""
        return self.numbers.setdefault(place, len(self.numbers))

    def count_joined(self, chunks: Sequence[tuple[Chunk, int]]) -> NDArray[np.intp]:
        """So many records of each of these chunks are an event each; returns the number of the partition of each."""
        for chunk, count in chunks:
            self.counted[chunk.place].add(count, 0, RecordTally(count, 0), 0)
        numbers = [self.number(chunk.place) for chunk, _ in chunks]
        return np.repeat(np.array(numbers, dtype=np.intp), [count for _, count in chunks])

    def copy(self) -> "BatchInMaking":
        """Another one of the same, to which more can be added: what fails then leaves this one as it is."""
        counted = {place: replace(each) for place, each in self.counted.items()}
        return BatchInMaking(
            self.rules,
            list(self.parts),
            list(self.refused),
            Counter(self.ignored),
            defaultdict(Counted, counted),
            dict(self.numbers),
            list(self.taken),
            list(self.left),
        )

    @property
    def items(self) -> int:
        """Events and refused items."""
        return sum(map(len, self.parts)) + len(self.refused)
