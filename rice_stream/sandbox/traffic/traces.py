"""Published LLM-inference traces and JSONL of canonical events, read exactly as they are published.

A trace is read twice: `open_trace` goes over the whole file, so that a bad line stops the replay before anything was
sent, and so that counts, sums and the content digest are known; iterating the `Trace` then reads it again.

The three formats:

* `azure-trace`: CSV `TIMESTAMP,ContextTokens,GeneratedTokens`, one request a line, time of invocation with seven
  fractional digits (100 ns). Published by Azure with Splitwise (Patel et al., ISCA 2024), CC BY 4.0.
* `mooncake`: JSON lines `{"timestamp", "input_length", "output_length", "hash_ids"}`, time in milliseconds since the
  start, one id for every 512 tokens of the prompt; equal ids are equal prefix blocks. Published with Mooncake
  (Qin et al., FAST 2025), Apache-2.0.
* `jsonl`: one canonical event a line, not interpreted beyond being a JSON object.
"""

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import IO, Annotated, Any, Literal, cast

import msgspec

from rice_stream.errors import UsageError
from rice_stream.instants import epoch_us
from rice_stream.quantities import TOKENS_MAX
from rice_stream.sandbox.traffic.times import event_time

TraceFormat = Literal["azure-trace", "mooncake", "jsonl"]

TRACE_FORMATS: tuple[TraceFormat, ...] = ("azure-trace", "mooncake", "jsonl")

AZURE_HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens"

MOONCAKE_BLOCK_TOKENS = 512
"""Tokens per prefix block of a Mooncake trace (its README)."""

MOONCAKE_START = datetime(2024, 7, 1, tzinfo=UTC)
"""Mooncake publishes offsets without a date: the replay's first request arrives at the month of publication."""

SPAN_MS_MAX = 10 * 365 * 86_400_000
"""A trace longer than ten years is a unit mistake, not a trace."""

_AZURE_LINE = re.compile(
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d{1,7}))?(?:\+00:00|Z)?,(\d{1,10}),(\d{1,10})", re.ASCII
)


class TraceRequest(msgspec.Struct, frozen=True, gc=False):
    """One request of a trace.

    `offset_s` is the arrival in seconds since the trace's first request (negative if a line is older than the first);
    `cache_read_input_tokens` is None where the trace says nothing about prefix caching, which is not zero.
    """

    offset_s: float
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int | None


class TraceEvent(msgspec.Struct, frozen=True):
    """A line of a `jsonl` file: `value` is sent as it is; `fields` is the same line decoded, for key and time."""

    value: bytes
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Trace:
    """A whole trace that has been checked line by line.

    `digest` (12 hex digits of BLAKE2b) covers what was read from the lines, so a copy with other line ends, or
    compressed, is the same trace. `first_at` is the time of the first request (jsonl: of the earliest event), None if
    the file has no absolute times; `span_s` is the time from there to the latest. Token sums leave out counts that are
    null or not a number.
    """

    path: Path
    format: TraceFormat
    digest: str
    rows: int
    input_tokens: int
    output_tokens: int
    first_at: datetime | None
    span_s: float

    def requests(self) -> Iterator[TraceRequest]:
        """The requests of an `azure-trace` or `mooncake` file, in file order."""
        if self.format == "jsonl":
            raise UsageError(f"{self.path}: a jsonl file holds events, not the requests of a trace")
        return cast(Iterator[TraceRequest], read_trace(self.path, self.format))

    def raw_events(self) -> Iterator[TraceEvent]:
        """The events of a `jsonl` file, in file order."""
        if self.format != "jsonl":
            raise UsageError(f"{self.path}: a {self.format} file holds requests, not events")
        return cast(Iterator[TraceEvent], read_trace(self.path, self.format))


class _MooncakeLine(msgspec.Struct, frozen=True):
    timestamp: Annotated[float, msgspec.Meta(ge=0, le=SPAN_MS_MAX)]
    input_length: Annotated[int, msgspec.Meta(ge=0, le=TOKENS_MAX)]
    output_length: Annotated[int, msgspec.Meta(ge=0, le=TOKENS_MAX)]
    hash_ids: list[int]


def read_trace(path: Path, format: TraceFormat | None = None) -> Iterator[TraceRequest] | Iterator[TraceEvent]:
    """Read `path` line by line: `TraceRequest` for the two traces, `TraceEvent` for `jsonl`.

    `format` None detects it from the first line. Blank lines are passed over; gzip is recognised by its first bytes.
    Raises UsageError naming file, line and field at the first line that is not exactly as published.
    """
    chosen = format or detect_format(path)
    lines = _lines(path)
    if chosen == "azure-trace":
        return _azure_requests(path, lines)
    if chosen == "mooncake":
        return _mooncake_requests(path, lines)
    return _raw_events(path, lines)


def open_trace(path: Path, format: TraceFormat | None = None) -> Trace:
    """Read all of `path` once and return what it holds. Raises UsageError as `read_trace`, or if it holds nothing."""
    chosen = format or detect_format(path)
    digest = hashlib.blake2b(digest_size=6)
    rows = input_tokens = output_tokens = 0
    earliest_us: int | None = None
    latest_us: int | None = None
    for row in read_trace(path, chosen):
        rows += 1
        if isinstance(row, TraceRequest):
            digest.update(b"%d,%d,%d,%d\n" % _digest_numbers(row))
            input_tokens += row.input_tokens
            output_tokens += row.output_tokens
            time_us: int | None = round(row.offset_s * 1e6)
        else:
            digest.update(row.value + b"\n")
            input_tokens += counted_tokens(row.fields.get("input_tokens"))
            output_tokens += counted_tokens(row.fields.get("output_tokens"))
            time_us = event_time(row.fields)
        if time_us is not None:
            earliest_us = time_us if earliest_us is None else min(earliest_us, time_us)
            latest_us = time_us if latest_us is None else max(latest_us, time_us)
    if rows == 0:
        raise UsageError(f"{path}: no requests in it (format {chosen})")
    first_us = earliest_us if chosen == "jsonl" else 0
    span_s = 0.0 if first_us is None or latest_us is None else (latest_us - first_us) / 1e6
    first_at = _first_at(path, chosen, earliest_us)
    return Trace(path, chosen, digest.hexdigest(), rows, input_tokens, output_tokens, first_at, span_s)


def detect_format(path: Path) -> TraceFormat:
    """The format of `path` by its first line that is not blank. Raises UsageError if it is none of the three."""
    for _, line in _lines(path):
        if line.strip() == AZURE_HEADER:
            return "azure-trace"
        if not line.lstrip().startswith("{"):
            break
        try:
            first = msgspec.json.decode(line)
        except msgspec.DecodeError:
            break
        return "mooncake" if "hash_ids" in first and "event_id" not in first else "jsonl"
    raise UsageError(
        f"{path}: not recognised: expected the header {AZURE_HEADER}, a Mooncake line or a JSON object in the first "
        f"line; --format {'|'.join(TRACE_FORMATS)} says which it is"
    )


def counted_tokens(value: object) -> int:
    """`value` if it is a token count, else 0: sums over unchecked events leave out what is not a number."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """(number from 1, text without line end) of every line that is not blank, decompressed."""
    number = 0
    try:
        with path.open("rb") as probe:
            compressed = probe.read(2) == b"\x1f\x8b"
        with cast(IO[bytes], gzip.open(path, "rb") if compressed else path.open("rb")) as file:
            for number, line in enumerate(file, start=1):
                text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                text = text.rstrip(b"\r\n")
                if text.strip():
                    yield number, text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}, line {number}: not UTF-8 text ({error.reason})") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UsageError(f"{path}: damaged gzip file after line {number} ({error})") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from error


def _azure_requests(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[TraceRequest]:
    first_ticks: int | None = None
    for number, line in lines:
        if first_ticks is None and line.strip() == AZURE_HEADER:
            continue
        ticks, input_tokens, output_tokens = _azure_fields(path, number, line)
        if first_ticks is None:
            first_ticks = ticks
        offset_s = (ticks - first_ticks) / 1e7
        if abs(offset_s) * 1000 > SPAN_MS_MAX:
            raise UsageError(f"{path}, line {number}, TIMESTAMP: more than ten years from the first line")
        yield TraceRequest(offset_s, input_tokens, output_tokens, None)


def _azure_fields(path: Path, number: int, line: str) -> tuple[int, int, int]:
    """(time in ticks of 100 ns since the epoch, input tokens, output tokens) of one line."""
    match = _AZURE_LINE.fullmatch(line)
    if match is None:
        raise UsageError(f"{path}, line {number}, {_azure_bad_field(line)}: {line[:80]!r}; expected {AZURE_HEADER}")
    whole_s, fraction, input_text, output_text = match.groups()
    try:
        ticks = _whole_second_ticks(whole_s) + int((fraction or "0").ljust(7, "0"))
    except ValueError as error:
        raise UsageError(f"{path}, line {number}, TIMESTAMP: {whole_s!r} is not a time ({error})") from error
    input_tokens, output_tokens = int(input_text), int(output_text)
    for field, tokens in (("ContextTokens", input_tokens), ("GeneratedTokens", output_tokens)):
        if tokens > TOKENS_MAX:
            raise UsageError(f"{path}, line {number}, {field}: {tokens} is more than {TOKENS_MAX}")
    return ticks, input_tokens, output_tokens


@lru_cache(maxsize=1)  # lines of one second follow each other
def _whole_second_ticks(whole_s: str) -> int:
    return epoch_us(datetime.fromisoformat(whole_s + "+00:00")) * 10


def _azure_bad_field(line: str) -> str:
    """Which field keeps `line` from matching, for the message."""
    cells = line.split(",")
    if len(cells) != 3:
        return f"{len(cells)} fields instead of 3"
    for field, cell in zip(("ContextTokens", "GeneratedTokens"), cells[1:], strict=True):
        if re.fullmatch(r"\d{1,10}", cell, re.ASCII) is None:
            return field
    return "TIMESTAMP"


def _mooncake_requests(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[TraceRequest]:
    decoder = msgspec.json.Decoder(_MooncakeLine)
    seen: set[int] = set()
    first_ms: float | None = None
    for number, text in lines:
        try:
            line = decoder.decode(text)
        except msgspec.DecodeError as error:
            raise UsageError(f"{path}, line {number}: {error}") from error
        if first_ms is None:
            first_ms = line.timestamp
        cached_tokens = min(MOONCAKE_BLOCK_TOKENS * _leading_seen(line.hash_ids, seen), line.input_length)
        seen.update(line.hash_ids)
        yield TraceRequest((line.timestamp - first_ms) / 1000, line.input_length, line.output_length, cached_tokens)


def _leading_seen(hash_ids: list[int], seen: set[int]) -> int:
    """How many blocks from the front were part of an earlier request: a prefix cache with room for all would hit."""
    for count, hash_id in enumerate(hash_ids):
        if hash_id not in seen:
            return count
    return len(hash_ids)


def _raw_events(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[TraceEvent]:
    decoder = msgspec.json.Decoder(dict[str, Any])
    for number, text in lines:
        try:
            fields = decoder.decode(text)
        except msgspec.DecodeError as error:
            raise UsageError(f"{path}, line {number}: not a JSON object ({error})") from error
        yield TraceEvent(text.encode(), fields)


def _digest_numbers(row: TraceRequest) -> tuple[int, int, int, int]:
    cached = -1 if row.cache_read_input_tokens is None else row.cache_read_input_tokens
    return round(row.offset_s * 1e7), row.input_tokens, row.output_tokens, cached


def _first_at(path: Path, format: TraceFormat, earliest_us: int | None) -> datetime | None:
    """The absolute time of the first request (traces) or of the earliest event (jsonl); None if there is none."""
    if format == "mooncake":
        return None
    if format == "jsonl":
        return None if earliest_us is None else datetime.fromtimestamp(earliest_us / 1e6, tz=UTC)
    for number, line in _lines(path):
        if line.strip() != AZURE_HEADER:
            ticks, _, _ = _azure_fields(path, number, line)
            return datetime.fromtimestamp(ticks // 10_000_000, tz=UTC).replace(microsecond=ticks // 10 % 1_000_000)
    return None
