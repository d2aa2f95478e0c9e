"""Chunks that are decoded as if they were one: what a block costs however small it is, is paid less often.

Without a backlog a fetch brings some hundred records of each partition. Where all of them are plain canonical events, as nearly
always, it does not matter to the decoder whose they are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import NamedTuple

from rice_stream.events.columns import EventColumns
from rice_stream.events.decoding import BLOCK_BYTES
from rice_stream.events.formats.reading.options import AUTO, CANONICAL, FormatOptions
from rice_stream.events.kept_values import KeptValues
from rice_stream.events.plain_objects import decode_plain
from rice_stream.events.records import Decoded
from rice_stream.events.together.blocks import RECORDS_MAX, joined, read_together
from rice_stream.pipeline.chunks import Chunk

_REST_ROUNDS = 32
"""So many times nothing is joined after a block that could not be read so."""


class JoinedBlock(NamedTuple):
    """Consecutive records of which each is one event."""

    columns: EventColumns
    decoded: Decoded
    chunks: list[tuple[Chunk, int]]
    """How many of the records are of which chunk, in their order."""


class JoinedChunks:
    """Iterating gives blocks; each has to be `take`n before the next one. After that `rest` is what was not."""

    def __init__(self, chunks: Sequence[Chunk], formats: FormatOptions, items_max: int | None) -> None:
        """Of the chunks at the beginning that can be joined, where `items_max` has room for all of these."""
        alike = list(takewhile(lambda chunk: _can_be_joined(chunk, chunks[0], formats), chunks))
        count = sum(len(chunk.records) for chunk in alike)
        fits = items_max is None or count <= items_max
        self._left = count if fits else 0
        self.taken: list[Chunk] = []
        """The parts of the chunks that were taken."""
        self.rest = list(chunks)

    @property
    def has_failed(self) -> bool:
        """Whether not all that can be joined was taken."""
        return self._left > 0

    @property
    def records(self) -> int:
        """How many were taken."""
        return sum(len(chunk.records) for chunk in self.taken)

    def __iter__(self) -> Iterator[JoinedBlock]:
        if not self._left:
            return
        size = -(-self._left // -(-self._left // RECORDS_MAX))  # no small one at the end
        while self._left:
            shares = _shares(self.rest, min(size, self._left))
            # Block by block, as the bytes of a batch are many.
            parts = (chunk.records[:count] for chunk, count in shares)
            records = KeptValues.joined([part for part in parts if isinstance(part, KeptValues)])
            found = read_together(records) if records is not None and _may_be_plain(records) else None
            if records is None or found is None or len(found.odd) or len(found.ids) < len(records):
                return
            yield JoinedBlock(*joined(found, records), shares)

    def take(self, block: JoinedBlock) -> None:
        """It goes into the batch."""
        self._left -= len(block.columns)
        for chunk, count in block.chunks:
            del self.rest[0]
            if count == len(chunk.records):
                self.taken.append(chunk)
            else:
                self.taken.append(replace(chunk, records=chunk.records[:count]))
                self.rest.insert(0, replace(chunk, records=chunk.records[count:]))


class ChunkJoiner:
    """Joins chunks where that has worked lately. For one thread at a time."""

    def __init__(self) -> None:
        self._rest_rounds = 0

    def joined(self, chunks: Sequence[Chunk], formats: FormatOptions, items_max: int | None) -> JoinedChunks:
        """Chunks; once they were taken, `ended` is to be told."""
        self._rest_rounds -= 1
        return JoinedChunks(chunks, formats, items_max if self._rest_rounds < 0 else 0)

    def ended(self, joined: JoinedChunks) -> None:
        """Where they could not all be read so, the next ones will hardly be otherwise."""
        if joined.has_failed:
            self._rest_rounds = _REST_ROUNDS


def _can_be_joined(chunk: Chunk, first: Chunk, formats: FormatOptions) -> bool:
    plain = isinstance(chunk.records, KeptValues) and chunk.opened is None and not chunk.untimed
    alike = (chunk.topic, chunk.said_on) == (first.topic, first.said_on)
    return plain and alike and formats.format_of(chunk.topic) in (AUTO, CANONICAL)


def _may_be_plain(records: KeptValues) -> bool:
    """Asked of the first one alone: of other formats each costs too much to be read in vain."""
    return decode_plain(records[:1]) is not None and records.size_bytes <= BLOCK_BYTES


def _shares(chunks: Sequence[Chunk], count: int) -> list[tuple[Chunk, int]]:
    """Whose the first so many records are."""
    found = []
    for chunk in chunks:
        if count <= 0:
            break
        found.append((chunk, min(count, len(chunk.records))))
        count -= found[-1][1]
    return found
