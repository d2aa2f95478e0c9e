"""Where the suite keeps its temporary files: in memory where there is room, because tests would wait for the disk elsewhere.

Servers and processes are killed here, never the machine: what they have written is read again from memory as from a disk.
Every `fsync` is asked for as in production; only its wait is gone.
"""

import os
import tempfile
from pathlib import Path

import psutil

from rice_stream.sandbox.stack.guard import GUARD, temporary_directory

MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of our own is made in it
ROOM_BYTES = 6 << 30
"""More than three processes with their servers have ever kept at once."""


def keep_in_memory() -> Path | None:
    """Let all temporary files of this process, and of those that it starts, lie in memory from now on.

    None: they lie where they do by themselves, because TMPDIR says where, or memory has no room for them, or does not let
    programs run from there (some tests install some). The guardian deletes them when this process is gone.
    """
    if "TMPDIR" in os.environ or not _has_room(MEMORY):
        return None
    tempfile.tempdir = str(MEMORY)
    directory = temporary_directory("rt-")  # short: the paths of sockets lie below it
    os.environ["TMPDIR"] = tempfile.tempdir = str(directory)
    return directory


def let_go(directory: Path | None) -> None:
    """The run is over."""
    if directory is not None:
        GUARD.delete_directory(directory)


def _has_room(directory: Path) -> bool:
    try:
        there = os.statvfs(directory)
    except OSError:
        return False
    free = min(there.f_bavail * there.f_frsize, psutil.virtual_memory().available)
    return free >= ROOM_BYTES and not there.f_flag & os.ST_NOEXEC
