"""Bytes to validated columns, against msgspec reading the same bytes into Python dictionaries."""

import gc
import time
from collections import deque
from collections.abc import Callable

import msgspec

from benchmarks.harness import Row
from benchmarks.traffic import events
from rice_stream.events.decoding import decode_blocks
from rice_stream.events.records import RawRecord

_EVENTS = 100_000
_REPEATS = 5


def run() -> list[dict[str, object]]:
    """Events/s of one core."""
    records = [RawRecord("t", 0, i, value) for i, (_, value) in enumerate(events(_EVENTS))]
    chunks = [records[i : i + 5_000] for i in range(0, _EVENTS, 5_000)]
    decoder = msgspec.json.Decoder()
    ours = _best(lambda: [deque(decode_blocks(chunk), maxlen=0) and None for chunk in chunks])
    plain = _best(lambda: [decoder.decode(record.value or b"") and None for record in records])
    return [Row.against("decode and validate", ours, "events/s per core", "msgspec to dictionaries", plain).as_dict()]


def _best(work: Callable[[], object]) -> float:
    """Events per second of processor time, the best of a few runs; collected as the worker does: not meanwhile."""
    fastest = 0.0
    gc.disable()
    try:
        for _ in range(_REPEATS):
            start = time.process_time()
            work()
            fastest = max(fastest, _EVENTS / (time.process_time() - start))
    finally:
        gc.enable()
    return fastest
