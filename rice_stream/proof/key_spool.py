"""Distinct events of a log of any length, on disk: memory stays bounded, and no key is left to a probability."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from rice_stream.quantities import MEASURES, Ints

_BUCKETS = 64
"""Files; a key always lies in the same one, so that each can be made distinct by itself."""
CONTRADICTS, OTHER_TIME, SETTLED = 0, 1, 2
"""How an event of the log stands to its record: it says something else; the same, and came at another time; it is the one."""
_ROW = np.dtype(
    [("tenant", "<i4"), ("high", ">u8"), ("low", ">u8"), ("settled", "u1"), ("measures", "<i8", (len(MEASURES),))]
)


class KeySpool:
    """Keys with what they add to the totals. An event that comes again adds nothing."""

    def __init__(self, directory: Path) -> None:
        self._files = [(directory / f"{bucket}.rows").open("w+b") for bucket in range(_BUCKETS)]

    def add(self, tenant_keys: Ints, event_keys: NDArray[np.uint8], settled: NDArray[np.uint8], measures: Ints) -> None:
        """n events: keys (n,) and (n, 16), how each stands to its record, and measures (n, len(MEASURES))."""
        rows = np.empty(len(tenant_keys), dtype=_ROW)
        rows["tenant"] = tenant_keys
        halves = np.ascontiguousarray(event_keys).view(">u8").reshape(-1, 2)
        rows["high"], rows["low"] = halves[:, 0], halves[:, 1]
        rows["settled"] = settled
        rows["measures"] = measures
        bucket_of = event_keys[:, 15] % _BUCKETS
        for bucket in np.unique(bucket_of).tolist():
            rows[bucket_of == bucket].tofile(self._files[bucket])

    def distinct(self) -> Iterator[NDArray[np.void]]:
        """All keys, each once (the row of it that stands best to its record), some thousands to millions at a time."""
        for file in self._files:
            file.seek(0)
            rows = np.fromfile(file, dtype=_ROW)
            order = np.lexsort((SETTLED - rows["settled"], rows["low"], rows["high"], rows["tenant"]))
            rows = rows[order]
            first = np.ones(len(rows), dtype=np.bool_)
            first[1:] = False
            for name in ("tenant", "high", "low"):
                first[1:] |= rows[name][1:] != rows[name][:-1]
            yield rows[first]

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()


@contextmanager
def key_spool() -> Iterator[KeySpool]:
    """A spool in a temporary directory that is deleted afterwards."""
    with TemporaryDirectory(prefix="rice-verify-") as directory:
        spool = KeySpool(Path(directory))
        try:
            yield spool
        finally:
            spool.close()


def key_of_row(row: np.void) -> bytes:
    """The 16 bytes of a distinct row's event key."""
    return int(row["high"]).to_bytes(8, "big") + int(row["low"]).to_bytes(8, "big")
