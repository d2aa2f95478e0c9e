"""How the attributes of spans lie, in a form that many spans are compared with at once."""

from functools import lru_cache

import numpy as np

from rice_stream.events.formats.plain.otlp_proto import Layout
from rice_stream.events.formats.plain.wire_walk import WINDOW_BYTES


class KnownLayout:
    """A layout, and its prefixes eight bytes at a time: `windows` has (offset, bytes, mask) of each prefix, shape (k,) each."""

    __slots__ = ("layout", "lengths", "windows")

    def __init__(self, prefixes: tuple[bytes, ...]) -> None:
        self.layout = Layout(prefixes)
        self.lengths = np.array([len(prefix) for prefix in prefixes], dtype=np.int64)
        steps = range(0, int(self.lengths.max(initial=0)), WINDOW_BYTES)
        self.windows = [
            tuple(map(np.array, zip(*(_window_of(prefix, step) for prefix in prefixes), strict=True))) for step in steps
        ]


def _window_of(prefix: bytes, step: int) -> tuple[np.int64, np.uint64, np.uint64]:
    """The bytes from `step` on, or the last ones that are a whole window; of a prefix shorter than that, what there is."""
    start = max(min(step, len(prefix) - WINDOW_BYTES), 0)
    part = prefix[start : start + WINDOW_BYTES]
    mask = (1 << (8 * len(part))) - 1
    return np.int64(start), np.uint64(int.from_bytes(part, "little")), np.uint64(mask)


@lru_cache(maxsize=1024)
def known_layout(prefixes: tuple[bytes, ...]) -> KnownLayout:
    """Of attributes that begin with these bytes, remembered."""
    return KnownLayout(prefixes)
