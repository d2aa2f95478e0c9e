"""OpenTelemetry's spans and logs of model calls, as protobuf or JSON."""
