"""Records that have to be read from Kafka again, as their bytes were let go before it was known that they are needed.

That is where a batch cannot be stored as it is: the database refuses something in it, or the rules have changed that it was
made by. Its partitions are read again from their first record that is not stored, and this time its bytes are kept until it is.
"""

import logging
from collections.abc import Callable, Iterable, Sequence

from rice_stream.pipeline.chunks import Chunk, Place
from rice_stream.worker.intake import FetchedChunk, Intake
from rice_stream.worker.storing_batches import StoringBatches

log = logging.getLogger(__name__)


class BytesLetGoError(Exception):
    """Chunks cannot be decoded again: their bytes are here no longer. None of their batch is stored. It ends no command: they are
    read again."""

    def __init__(self, fetched: Sequence[FetchedChunk] = ()) -> None:
        """`fetched` are the chunks of a batch other than the one in hand."""
        super().__init__("a batch has to be made again, of records whose bytes were let go")
        self.fetched = list(fetched)


def check_at_hand(chunks: Iterable[Chunk], fetched: Sequence[FetchedChunk] = ()) -> None:
    """BytesLetGoError: the bytes of some of the chunks are here no longer."""
    if any(chunk.is_let_go for chunk in chunks):
        raise BytesLetGoError(fetched)


async def not_stored(storing: StoringBatches) -> list[FetchedChunk]:
    """Once nothing is being stored any more: the chunks of the last batch, where it has to be made again.

    Raises what else went wrong.
    """
    try:
        await storing.until_done()
    except BytesLetGoError as error:
        return error.fetched
    return []


class ReadingAgain:
    """Partitions that are read again, and how far the bytes of what they bring are kept."""

    def __init__(self, set_aside: Callable[[Place, float], None], intake: Intake) -> None:
        """`set_aside` has a partition read again after so many seconds."""
        self._set_aside = set_aside
        self._intake = intake
        self._kept_through: dict[Place, int] = {}

    def begin(self, fetched: Iterable[FetchedChunk]) -> None:
        """Read the partitions of these chunks again, none of which is stored."""
        for one in fetched:
            place = one.chunk.place
            last = one.chunk.records[-1].offset if one.chunk.records else 0
            if last > self._kept_through.get(place, -1):
                log.warning("%s/%d is read again up to offset %d, keeping the bytes of its records", *place, last)
            self._kept_through[place] = max(last, self._kept_through.get(place, -1))
            self._set_aside(place, 0.0)
            self._intake.give_back(one)

    def is_void(self, one: FetchedChunk) -> bool:
        """Whether a chunk was fetched before its partition began to be read again: what lies before it comes once more."""
        return one.chunk.place in self._kept_through and one.is_void()

    def needs(self, fetched: Iterable[FetchedChunk]) -> bool:
        """Whether the bytes of any of these chunks are to be kept until it is stored."""
        places = ((one.chunk, self._kept_through.get(one.chunk.place, -1)) for one in fetched)
        return any(chunk.records and chunk.records[0].offset <= through for chunk, through in places)
