"""Traces that are sent to an OpenTelemetry collector, by OTLP over HTTP, from a thread of their own.

A collector that is slow, gone or refuses costs the program nothing: spans wait in a bounded queue, and are dropped past it.
Endpoint, headers, time limits, sampling and batching are what OpenTelemetry's variables say.
"""

import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, Status, StatusCode, format_span_id, format_trace_id, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from rice_stream import __version__
from rice_stream.errors import UsageError
from rice_stream.runtime.tracing import Attribute, TraceSpan, Tracing

log = logging.getLogger(__name__)

CLOSED_WITHIN_S = 3.0
"""What is left at the end has so long to be sent."""
_FROM_HEADERS = TraceContextTextMapPropagator()


class RecordedSpan(TraceSpan):
    """A span of OpenTelemetry."""

    def __init__(self, tracer: Any, span: Any) -> None:
        self._tracer = tracer
        self._span = span
        ids = span.get_span_context()
        self.log_fields = {"trace_id": format_trace_id(ids.trace_id), "span_id": format_span_id(ids.span_id)}

    def set(self, **attributes: Attribute) -> None:
        """See `TraceSpan`."""
        for name, value in attributes.items():
            self._span.set_attribute(name.replace("__", "."), value)

    def rename(self, name: str) -> None:
        """See `TraceSpan`."""
        self._span.update_name(name)

    def step(self, name: str) -> AbstractContextManager[TraceSpan]:
        """See `TraceSpan`."""
        return self._step(name)

    @contextmanager
    def _step(self, name: str) -> Iterator[TraceSpan]:
        part = RecordedSpan(self._tracer, self._tracer.start_span(name, context=set_span_in_context(self._span)))
        try:
            yield part
        except BaseException as error:
            part.end(type(error).__name__)
            raise
        part.end()

    def step_since(self, name: str, begun_ns: int) -> None:
        """See `TraceSpan`."""
        self._tracer.start_span(name, context=set_span_in_context(self._span), start_time=begun_ns).end()

    def end(self, problem: str | None = None) -> None:
        """See `TraceSpan`. Of an error its kind is noted: its message may quote what nobody else is to see."""
        if problem is not None:
            self._span.set_attribute("error.type", problem)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


class OtelTracing(Tracing):
    """Traces that are on."""

    on = True

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("rice_stream", __version__)

    def begin(self, name: str, *, begun_ns: int | None = None) -> TraceSpan:
        """See `Tracing`."""
        span = self._tracer.start_span(name, context=Context(), kind=SpanKind.CONSUMER, start_time=begun_ns)
        return RecordedSpan(self._tracer, span)

    def begin_answer(self, name: str, headers: Mapping[str, str]) -> TraceSpan:
        """See `Tracing`."""
        within = _FROM_HEADERS.extract(headers, context=Context())
        return RecordedSpan(self._tracer, self._tracer.start_span(name, context=within, kind=SpanKind.SERVER))

    def close(self) -> None:
        """See `Tracing`. The thread that sends may hang in a collector that does not answer: it is left behind then."""
        ending = threading.Thread(target=self._provider.shutdown, name="rice-traces-end", daemon=True)
        ending.start()
        ending.join(CLOSED_WITHIN_S)
        if ending.is_alive():
            log.warning("the last traces were not sent: the collector did not take them within %g s", CLOSED_WITHIN_S)


class ToldOnce(SpanExporter):
    """Says when sending begins to fail and when it works again, and not of every batch."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them; what fails is dropped."""
        result = self._exporter.export(spans)
        failing = result is not SpanExportResult.SUCCESS
        if failing and not self._failing:
            log.warning("traces cannot be sent, and are dropped: the collector does not take them. All else goes on")
        elif self._failing and not failing:
            log.info("traces are sent again")
        self._failing = failing
        return result

    def shutdown(self) -> None:
        """Nothing more will be sent."""
        self._exporter.shutdown()


def open_otel(service: str) -> Tracing:
    """As the environment says. UsageError: a variable makes no sense."""
    begun_s = time.monotonic()
    try:
        resource = Resource({SERVICE_NAME: service, "service.version": __version__}).merge(_said_by_the_environment())
        # Spans of nobody but us: the provider is not made the process's own, so that no library adds to it.
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(ToldOnce(OTLPSpanExporter())))
    except (ValueError, OSError) as error:
        raise UsageError(f"OTEL_*: traces cannot be sent as these variables say: {error}") from error
    # Its own lines come with every batch that fails; ours say it once.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    log.info("traces are on (%.0f ms)", 1000 * (time.monotonic() - begun_s))
    return OtelTracing(provider)


def _said_by_the_environment() -> Resource:
    """OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME; without the name that the library makes up where none is said."""
    resource = Resource.create()
    named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    attributes = {name: value for name, value in resource.attributes.items() if named or name != SERVICE_NAME}
    return Resource(attributes, resource.schema_url)
