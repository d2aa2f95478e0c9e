"""Bytes to validated columns, against msgspec reading the same bytes into Python dictionaries."""

import gc
import time
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from benchmarks.harness import Row
from benchmarks.traffic import events
from rice_stream.events.decoding import decode_blocks
from rice_stream.events.records import RawRecord

_EVENTS = 100_000
_REPEATS = 5


def run() -> list[dict[str, object]]:
    """Events/s of one core; also where one event in a hundred states a factor, which is read alone."""
    values = [value for _, value in events(_EVENTS)]
    stated = [value[:-1] + b',"pue":1.2}' if number % 100 == 50 else value for number, value in enumerate(values)]
    decoder = msgspec.json.Decoder()
    ours, with_odd = _decoded(values), _decoded(stated)
    plain = _best(lambda: [decoder.decode(value) and None for value in values])
    return [
        Row.against("decode and validate", ours, "events/s per core", "msgspec to dictionaries", plain).as_dict(),
        Row.against("decode where one in 100 is odd", with_odd, "events/s per core", "none odd", ours).as_dict(),
    ]


def _decoded(values: Sequence[bytes]) -> float:
    records = [RawRecord("t", 0, number, value) for number, value in enumerate(values)]
    chunks = [records[first : first + 5_000] for first in range(0, len(records), 5_000)]
    return _best(lambda: [deque(decode_blocks(chunk), maxlen=0) and None for chunk in chunks])


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
