"""A file as records: JSON lines, one JSON document, CSV, Parquet, or one OTLP message in protobuf; gzipped or not.

What a record means is not decided here: every record's bytes go to the same decoders as those from Kafka.
"""

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import msgspec

from rice_stream.errors import UsageError
from rice_stream.events.records import RawRecord
from rice_stream.files.identity import Growth, identify
from rice_stream.files.tables import csv_rows, parquet_rows

FILE_TOPIC = "file:"
"""Stands before the file's name where a topic's name stands for what came from Kafka."""
HEAD_BYTES = 65_536
"""How much of a file is looked at to tell what it is."""
DOCUMENT_BYTES_MAX = 512 * 1024 * 1024
"""Longest single JSON document or message: it is one record, and is held in memory as a whole."""
_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"
_BLANK = 0x20
_CSV_SUFFIXES = {".csv": ",", ".tsv": "\t"}
_JSON_STARTS = (b"{", b"[", b"data:", b"event:", b'"')


class EventFile:
    """An open file: iterate it once for its records; `done_bytes` says how far that is, as it lies on disk.

    `partition` stands for it in every record; set it to one of `earlier_partitions` where the file is stored under that.
    """

    def __init__(self, path: Path, raw: IO[bytes], head: bytes) -> None:
        self.path = path
        self.topic = f"{FILE_TOPIC}{name_text(path)}"
        self._raw = raw
        self._head = head
        suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
        self._delimiter = _CSV_SUFFIXES.get(suffixes[-1]) if suffixes else None
        self.partition, self.earlier_partitions = identify(head, self._growth())
        self._share_done: float | None = None

    @property
    def done_bytes(self) -> int:
        """Bytes of the file that have been read."""
        if self._share_done is not None:
            return round(self._share_done * self.path.stat().st_size)
        return self._raw.tell()

    def __iter__(self) -> Iterator[RawRecord]:
        """UsageError: it is not what it says it is (cut gzip, broken Parquet, no text)."""
        try:
            for offset, value in self._values():
                yield RawRecord(self.topic, self.partition, offset, value)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise UsageError(f"{self.path}: not a whole gzip file: {error}") from error

    def _values(self) -> Iterator[tuple[int, bytes]]:
        self._raw.seek(0)
        if self._head.startswith(_PARQUET):
            for number, (value, share_done) in enumerate(parquet_rows(self.path)):
                self._share_done = share_done
                yield number, value
            return
        zipped = self._raw.read(2) == _GZIP
        self._raw.seek(0)
        stream = cast(IO[bytes], gzip.GzipFile(fileobj=self._raw)) if zipped else self._raw
        if self._delimiter is not None:
            yield from enumerate(csv_rows(self.path, stream, self._delimiter))
        elif _is_one_message(self._head):
            yield 0, self._whole(stream)
        else:
            yield from self._lines(stream)

    def _growth(self) -> Growth:
        if self._head.startswith(_PARQUET):
            return "none"
        if self._delimiter is not None:
            return "rows"
        first = self._head.partition(b"\n")[0].strip()
        if _is_one_message(self._head) or (first.startswith(_JSON_STARTS) and not _is_json(first)):
            return "none"
        return "lines"

    def _lines(self, stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
        """One record a line; a first line that is no JSON by itself begins a document over several lines."""
        first = stream.readline()
        head = first.strip()
        if head.startswith(b"[") or (head.startswith(_JSON_STARTS) and not _is_json(head)):
            yield 0, first + self._whole(stream)
            return
        if head:
            yield 0, head
        for number, line in enumerate(stream, start=1):
            stripped = line.strip()
            if stripped:
                yield number, stripped

    def _whole(self, stream: IO[bytes]) -> bytes:
        value = stream.read(DOCUMENT_BYTES_MAX + 1)
        if len(value) > DOCUMENT_BYTES_MAX:
            raise UsageError(
                f"{self.path}: is one document of more than {DOCUMENT_BYTES_MAX:,} bytes, which would have to fit into"
                " memory; write it as JSON lines (`jq -c '.[]'`)"
            )
        return value


def name_text(path: Path) -> str:
    """The file's name as text that any database takes: bytes of it that are no UTF-8 are written as `\\xff`."""
    return os.fsencode(path.name).decode("utf-8", "backslashreplace")


@contextmanager
def open_file(path: Path) -> Iterator[EventFile]:
    """Open a file for reading its records. UsageError: it cannot be read."""
    try:
        with path.open("rb") as raw:
            yield EventFile(path, raw, _head(path, raw))
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile):
            raise
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error


def _head(path: Path, raw: IO[bytes]) -> bytes:
    head = raw.read(HEAD_BYTES)
    if not head.startswith(_GZIP):
        return head
    try:
        # A cut file still has a beginning; that it is cut is said once its end is reached.
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(head, HEAD_BYTES)
    except zlib.error as error:
        raise UsageError(f"{path}: not a gzip file: {error}") from error


def _is_one_message(head: bytes) -> bool:
    """Whether the bytes are no text (control characters, as lengths and tags are): then they are one message in protobuf."""
    if head.lstrip().startswith(_JSON_STARTS):
        return False
    return any(byte < _BLANK and byte not in b"\t\n\r\f\x1b" for byte in head)


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
