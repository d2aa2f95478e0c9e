"""Check sums of record batches (CRC-32C), as the processor makes them: aiokafka's own code goes by tables, 3.3 us for 6.4 kB."""

import google_crc32c
import numpy as np

_SUM_AT, _SUMMED_FROM = 17, 21
IS_NATIVE: bool = google_crc32c.implementation == "c"
"""Whether this machine has it compiled; where not, aiokafka's is faster."""


def is_whole(batch: memoryview) -> bool:
    """Whether a batch of the present format (2), all of its bytes, is as it was sent."""
    # An array, as what makes the sums takes no part of another object otherwise.
    summed = np.frombuffer(batch[_SUMMED_FROM:], dtype=np.uint8)
    found: int = google_crc32c.value(summed)
    return found == int.from_bytes(batch[_SUM_AT:_SUMMED_FROM], "big")
