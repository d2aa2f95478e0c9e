"""What the trace of a batch says: how long it was fetched, prepared, committed and acknowledged, and how much it was.

Counts only. Topics and tenants are names of somebody's, so partitions are told by their number.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rice_stream.runtime.log_fields import set_log_fields
from rice_stream.runtime.tracing import NO_SPAN, TraceSpan, Tracing
from rice_stream.store.batch import CommitResult
from rice_stream.worker.intake import FetchedChunk


class BatchSpans:
    """Begins the span of each batch."""

    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing

    def begin(self, fetched: Sequence[FetchedChunk]) -> TraceSpan:
        """The span of the batch of these chunks, since the first of them arrived; lines of the log name it from here on."""
        if not self._tracing.on:
            return NO_SPAN
        arrived_ns = min((one.arrived_ns for one in fetched if one.arrived_ns is not None), default=None)
        span = self._tracing.begin("rice.batch", begun_ns=arrived_ns)
        set_log_fields(span.log_fields)
        if arrived_ns is not None:
            span.step_since("rice.fetch", arrived_ns)
        partitions = {one.chunk.place for one in fetched}
        span.set(
            messaging__system="kafka",
            messaging__operation__type="process",
            messaging__batch__message_count=sum(len(one.chunk.records) for one in fetched),
            rice__bytes=sum(one.size_bytes for one in fetched),
            rice__partitions=len(partitions),
            rice__partition_numbers=tuple(sorted({number for _, number in partitions})),
        )
        return span


def say_outcome(step: TraceSpan, result: CommitResult) -> None:
    """What a transaction did."""
    if step is not NO_SPAN:
        step.set(
            rice__recorded=result.recorded,
            rice__duplicates=result.duplicates,
            rice__conflicts=result.conflicts,
            rice__quarantined=result.quarantined,
            rice__older_than_retention=result.older_than_retention,
        )


@contextmanager
def ended(span: TraceSpan) -> Iterator[None]:
    """It ends with the block, whatever ends that."""
    try:
        yield
    except BaseException as error:
        span.end(type(error).__name__)
        raise
    span.end()
