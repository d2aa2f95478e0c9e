"""Storing chunks of which something cannot be stored: taken apart by halves until each culprit is found and refused."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.culprits import halves, is_unforeseen, refused
from rice_stream.pipeline.pipeline import Prepared
from rice_stream.store.batch import Batch
from rice_stream.store.failures import NotStorableError

log = logging.getLogger(__name__)

CULPRITS_MAX = 100
"""Culprits that are looked for one by one in the chunks of one batch; what still fails then is refused as it is. Its items
are held in quarantine, from where the good ones among them can be replayed."""


def is_culprits(error: Exception) -> bool:
    """Whether an error is for isolation: the database refuses data, or something failed that nothing foresaw."""
    return isinstance(error, NotStorableError) or is_unforeseen(error)


class Isolation:
    """Stores all but the culprits, each part in a transaction of its own, exactly once."""

    def __init__(
        self,
        prepare: Callable[[Sequence[Chunk]], Awaitable[Prepared]],
        commit: Callable[[Batch], Awaitable[None]],
        formats: FormatOptions,
    ) -> None:
        self._prepare = prepare
        self._commit = commit
        self._formats = formats

    async def store(self, chunks: Sequence[Chunk], first_error: Exception) -> int:
        """Store the chunks, which failed together with `first_error`; returns how many culprits were refused.

        An exception: a refusal itself could not be stored, or the database is not as it should be. What was stored until
        then comes again and is known.
        """
        log.error("a batch cannot be stored as it is; looking for what is at fault", exc_info=first_error)
        waiting = self._taken_apart(chunks, first_error, culprits=0)
        culprits = int(waiting[-1][1])
        while waiting:
            group, is_refused = waiting.pop()
            try:
                prepared = await self._prepare(group)
                if prepared.left:
                    waiting.append((prepared.left, is_refused))
                    group = prepared.taken
                await self._commit(prepared.batch)
            except Exception as error:
                if is_culprits(error) and not is_refused:
                    parts = self._taken_apart(group, error, culprits)
                    culprits += int(parts[-1][1])
                    waiting += parts
                    continue
                raise
        return culprits

    def _taken_apart(self, group: Sequence[Chunk], error: Exception, culprits: int) -> list[tuple[list[Chunk], bool]]:
        """What to try next, the last first: two halves, or the group with its items refused (True)."""
        parts = halves(group, self._formats) if culprits < CULPRITS_MAX else None
        if parts is None:
            log.warning("refused: %s", type(error).__name__)
            return [([refused(chunk, error, self._formats) for chunk in group], True)]
        return [(parts[1], False), (parts[0], False)]
