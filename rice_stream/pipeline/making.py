"""A batch in the making: events whose names are keys, part by part, until it is made."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from rice_stream.events.keyed import KeyedEvents
from rice_stream.events.records import Refused
from rice_stream.pipeline.chunks import Chunk, Counted, Place
from rice_stream.store.identity_rules import IdentityRules


@dataclass(slots=True)
class BatchInMaking:
    """What chunks have brought so far, read by the same rules. Of the pipeline that began it, and void once that begins
    another one."""

    rules: IdentityRules
    parts: list[KeyedEvents] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    ignored: Counter[tuple[str, str]] = field(default_factory=Counter)
    counted: defaultdict[Place, Counted] = field(default_factory=lambda: defaultdict(Counted))
    numbers: dict[Place, int] = field(default_factory=dict)
    """Number of each partition: position in the batch's progress."""
    taken: list[Chunk] = field(default_factory=list)
    """The parts of the chunks that are in it."""
    left: list[Chunk] = field(default_factory=list)
    """Those that it has no room for: the chunks that were given last."""

    @property
    def items(self) -> int:
        """Events and refused items."""
        return sum(map(len, self.parts)) + len(self.refused)
