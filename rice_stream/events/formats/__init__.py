"""Events where they already are: gateways, telemetry pipelines and providers' replies. One module per format.

`dispatch.read` turns one record into events, refused items and ignored ones. A format module turns one object into event
fields; what formats share is in `reading`. docs/event-formats.md has every field.
"""
