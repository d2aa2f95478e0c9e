"""A batch on its way into the store, and what it was made of."""

from dataclasses import dataclass

from rice_stream.pipeline.chunks import Chunk
from rice_stream.runtime.tracing import NO_SPAN, TraceSpan
from rice_stream.store.batch import Batch
from rice_stream.worker.intake import FetchedChunk


@dataclass(slots=True)
class BatchWork:
    """A batch; `chunks` is what it was made of, in case it must be taken apart."""

    batch: Batch | None
    """None: it could not even be prepared, because of `error`."""
    chunks: list[Chunk]
    fetched: list[FetchedChunk]
    """What to acknowledge once it is stored."""
    error: Exception | None
    span: TraceSpan = NO_SPAN

    @property
    def prepared(self) -> Batch:
        """The batch, which could be prepared."""
        if self.batch is None:
            raise AssertionError("a batch that could not be prepared is not stored")
        return self.batch
