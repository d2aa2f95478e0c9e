"""A file that is being written, under a name of its own in the folder where it is going to be."""

import errno
import fcntl
import glob
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

_BEGINNING, _ENDING = ".rice-export.", ".part"
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


@contextmanager
def begun_file(folder: Path, *, private: bool = False) -> Iterator[Path]:
    """A file to write, and to move to its own name in the folder once it is whole; where it is there still, it is gone afterwards.
    `private`: nobody but this account may read it.

    Each is locked for as long as its writer lives: the system ends that however the writer ends. So what exports that were killed
    have left is known by its lock, and taken away first. OSError: the folder cannot be written.
    """
    _take_away_left(folder)
    part, held = _made(folder, 0o600 if private else 0o666)
    try:
        with held:
            yield part
    finally:
        part.unlink(missing_ok=True)


def _made(folder: Path, mode: int) -> tuple[Path, IO[bytes]]:
    """One of our own, and what holds its lock."""
    while True:
        part = folder / f"{_BEGINNING}{secrets.token_hex(8)}{_ENDING}"
        held = os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb")
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
        except OSError as error:
            # Such a disk locks nothing for anybody, so nobody takes it away either.
            if error.errno not in _NO_LOCKS:
                raise
        # Another export may have taken it for one that was left, before it was locked.
        with suppress(FileNotFoundError):
            if part.stat().st_ino == os.fstat(held.fileno()).st_ino:
                return part, held
        held.close()


def _take_away_left(folder: Path) -> None:
    for name in glob.glob(f"{_BEGINNING}*{_ENDING}", root_dir=folder):
        left = folder / name
        # It is being written, is another user's or gone by now, or the disk knows no locks: it stays.
        with suppress(OSError), left.open("rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink(missing_ok=True)
