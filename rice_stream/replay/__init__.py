"""Published traces, event files and live demo traffic, sent to Kafka.

    trace = open_trace(path)                         # checked line by line: nothing is sent from a bad file
    report = send(replay_events(trace, seed=0, tenants=20), bootstrap_servers=..., topic=..., rate="max")

A new trace format is a reader in `traces`; who sends and to which models is `catalogue` and data/models.csv; the demo's
traffic is `traffic`, what goes wrong in it `oddities`, and the facts it is shaped by data/traffic_shape.json.
"""

from rice_stream.replay.assign import assign
from rice_stream.replay.oddities import Oddities
from rice_stream.replay.pacing import Event, Rate, as_rate
from rice_stream.replay.plan import replay_events, start_ending_at
from rice_stream.replay.send import SendReport, send
from rice_stream.replay.traces import (
    TRACE_FORMATS,
    RawEvent,
    Trace,
    TraceFormat,
    TraceRequest,
    open_trace,
    read_trace,
)
from rice_stream.replay.traffic import live_traffic

__all__ = [
    "TRACE_FORMATS",
    "Event",
    "Oddities",
    "Rate",
    "RawEvent",
    "SendReport",
    "Trace",
    "TraceFormat",
    "TraceRequest",
    "as_rate",
    "assign",
    "live_traffic",
    "open_trace",
    "read_trace",
    "replay_events",
    "send",
    "start_ending_at",
]
