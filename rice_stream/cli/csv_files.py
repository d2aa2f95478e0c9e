"""CSV files that a command reads and writes."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from rice_stream.errors import UsageError


@contextmanager
def open_table(path: Path) -> Iterator[TextIO]:
    """A CSV file opened for reading. UsageError, wherever in the file it turns out not to be one."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            yield stream
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text ({error.reason}); save it as UTF-8") from error
    except csv.Error as error:
        raise UsageError(f"{path}: not a CSV table ({error})") from error


@contextmanager
def whole_file(target: Path, option: str) -> Iterator[TextIO]:
    """Opened for writing; it becomes `target` when all is written, and what was there stays where something goes wrong.

    So the answers may be written over the requests. What is no plain file (a pipe, a device) is written to directly.
    UsageError names `option`, which gave the path.
    """
    if target.exists() and not target.is_file():
        with target.open("w", newline="", encoding="utf-8") as stream:
            yield stream
        return
    unfinished = target.with_name(f"{target.name}.unfinished")
    try:
        stream = unfinished.open("w", newline="", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{option} {target}: cannot be written: {error.strerror}") from error
    try:
        with stream:
            yield stream
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
