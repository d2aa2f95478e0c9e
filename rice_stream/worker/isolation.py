"""Storing chunks of which something cannot be stored: taken apart by halves until each culprit is found and refused."""

from collections.abc import Awaitable, Callable, Sequence

from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.culprits import CulpritSearch
from rice_stream.pipeline.pipeline import Prepared
from rice_stream.store.batch import Batch


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
        search = CulpritSearch(chunks)
        next(iter(search))  # all of them, which were tried already
        if not search.takes(first_error, self._formats):
            raise first_error
        for group in search:
            try:
                prepared = await self._prepare(group)
                search.only(prepared.taken, prepared.left)
                await self._commit(prepared.batch)
            except Exception as error:
                if search.takes(error, self._formats):
                    continue
                raise
        return search.culprits
