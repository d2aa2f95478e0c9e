"""Traces as the rest of the program knows them: spans that say how long something took, and that are nothing while traces are off.

They are on when OTEL_EXPORTER_OTLP_ENDPOINT is set. OpenTelemetry is loaded then and not before
(`opening_tracing`, `otel_tracing`).
What goes into a span is counts, kinds and names of our own: nothing of an event's content, no name of a tenant, no query.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Self

from rice_stream.runtime.log_fields import NO_FIELDS

Attribute = str | int | float | bool | tuple[int, ...]


class TraceSpan:
    """One that nobody records. Those that are recorded have the same methods (`otel_tracing.RecordedSpan`)."""

    log_fields: Mapping[str, str] = NO_FIELDS
    """What lines of the log name it by."""

    def set(self, **attributes: Attribute) -> None:
        """Say something of it. A name's `__` stands for a dot: `http__route`."""

    def rename(self, name: str) -> None:
        """What it is called; known late where a route has to be found first."""

    def step(self, name: str) -> AbstractContextManager["TraceSpan"]:
        """A part of it, as long as the block; an exception that leaves the block is noted by its kind alone."""
        del name
        return _NO_STEP

    def step_since(self, name: str, begun_ns: int) -> None:
        """A part of it that began then, in epoch nanoseconds, and ends now."""

    def end(self, problem: str | None = None) -> None:
        """It is over; `problem`: the kind of error that it ended with."""


NO_SPAN = TraceSpan()
_NO_STEP: AbstractContextManager[TraceSpan] = nullcontext(NO_SPAN)


class Tracing:
    """Traces that are off."""

    on = False

    def begin(self, name: str, *, begun_ns: int | None = None) -> TraceSpan:
        """A span of its own. `begun_ns`: since when, in epoch nanoseconds; None: now."""
        del name, begun_ns
        return NO_SPAN

    def begin_answer(self, name: str, headers: Mapping[str, str]) -> TraceSpan:
        """A span of a request that is answered; it goes on with the trace that its headers name (`traceparent`)."""
        del name, headers
        return NO_SPAN

    def close(self) -> None:
        """Send what is left, for a few seconds at most."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


OFF = Tracing()
