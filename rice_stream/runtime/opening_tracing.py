"""Whether there are traces, as OpenTelemetry's own variables say."""

import logging
import os

from rice_stream.runtime.tracing import OFF, Tracing

log = logging.getLogger(__name__)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL = "http/protobuf"


def open_tracing(service: str) -> Tracing:
    """As OpenTelemetry's own variables say. `service`: what it is called where OTEL_SERVICE_NAME does not say.

    UsageError: one of the variables makes no sense. What would be on and cannot be is said in the log: these variables may
    have been set for all programs of a machine.
    """
    given = os.environ
    if not any(given.get(name) for name in _ENDPOINTS):
        return OFF
    if given.get("OTEL_SDK_DISABLED", "").lower() == "true" or given.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return OFF
    protocol = next(filter(None, map(given.get, _PROTOCOLS)), _PROTOCOL)
    if protocol != _PROTOCOL:
        log.warning("no traces are sent: %s is %s, and only %s is spoken here", _PROTOCOLS[-1], protocol, _PROTOCOL)
        return OFF
    try:
        from rice_stream.runtime.otel_tracing import open_otel
    except ModuleNotFoundError as error:
        log.warning("no traces are sent: %s is not installed; pip install 'rice-stream[otel]'", error.name)
        return OFF
    return open_otel(service)
