"""What a worker's process asks of the C library: freed memory that is kept at hand."""

import ctypes
import os
import platform

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Names of options of glibc's `mallopt`."""
KEPT_BYTES_MAX = 64 * 1024 * 1024
"""Freed memory that is kept, at the end of the heap."""
MAPPED_FROM_BYTES = 32 * 1024 * 1024
"""What is larger is given back at once."""


def tune_process() -> None:
    """For a process that is a worker from now on. Where the environment says how memory is kept (MALLOC_...), that holds."""
    if platform.libc_ver()[0] == "glibc" and not any(name.startswith("MALLOC_") for name in os.environ):
        # Every batch asks for arrays of some megabytes again: new from the system, each page of them costs a fault.
        libc = ctypes.CDLL(None)
        for option, value in (
            (_ARENA_MAX, 1),
            (_TRIM_THRESHOLD, KEPT_BYTES_MAX),
            (_MMAP_THRESHOLD, MAPPED_FROM_BYTES),
        ):
            libc.mallopt(option, value)
