"""Traces are read exactly as they are published, or refused by file, line and field before anything is sent."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rice_stream.errors import UsageError
from rice_stream.sandbox.traffic.traces import TraceEvent, TraceFormat, TraceRequest, open_trace, read_trace

# As published: seven fractional digits, CRLF, no line end after the last line. Times and lengths made up.
AZURE = (
    b"TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
    b"2023-11-16 18:17:03.9799600,4808,10\r\n"
    b"2023-11-16 18:17:04.0319601,3180,8\r\n"
    b"2023-11-16 18:18:04,110,27"
)

MOONCAKE = b"""\
{"timestamp": 1000, "input_length": 1000, "output_length": 500, "hash_ids": [0, 1]}
{"timestamp": 1000, "input_length": 1300, "output_length": 490, "hash_ids": [0, 1, 2]}
{"timestamp": 4000, "input_length": 700, "output_length": 1, "hash_ids": [0, 1]}
{"timestamp": 4500, "input_length": 1024, "output_length": 3, "hash_ids": [5, 0]}
{"timestamp": 4500, "input_length": 1025, "output_length": 3, "hash_ids": [2, 0, 9]}
{"timestamp": 9000, "input_length": 600, "output_length": 3, "hash_ids": [7, 7]}
"""


def written(folder: Path, content: bytes, name: str = "trace") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_azure_trace_as_published(tmp_path: Path) -> None:
    """CRLF, seven digits and the missing final line end are read; sums are the file's; caching is unknown, not zero."""
    trace = open_trace(written(tmp_path, AZURE))
    assert (trace.format, trace.rows, trace.input_tokens, trace.output_tokens) == ("azure-trace", 3, 8098, 45)
    assert trace.first_at == datetime(2023, 11, 16, 18, 17, 3, 979960, tzinfo=UTC)
    assert list(trace.requests()) == [
        TraceRequest(0.0, 4808, 10, None),
        TraceRequest(0.0520001, 3180, 8, None),  # 04.0319601 - 03.9799600, the last digit being 100 ns
        TraceRequest(60.02004, 110, 27, None),
    ]


@pytest.mark.parametrize(
    "copy",
    [
        AZURE.replace(b"\r\n", b"\n"),
        AZURE + b"\r\n",
        AZURE + b"\n\n",
        b"\xef\xbb\xbf" + AZURE,
        gzip.compress(AZURE, mtime=0),
        AZURE.removeprefix(b"TIMESTAMP,ContextTokens,GeneratedTokens\r\n"),
    ],
    ids=["LF", "final CRLF", "blank lines at the end", "byte order mark", "gzip", "no header"],
)
def test_copies_of_one_trace_are_the_same_trace(tmp_path: Path, copy: bytes) -> None:
    """Line ends, compression and header change neither requests nor digest: sent again, they are the same events."""
    original = open_trace(written(tmp_path, AZURE))
    other = open_trace(written(tmp_path, copy, "copy"), "azure-trace")
    assert list(other.requests()) == list(original.requests())
    assert other.digest == original.digest


def test_another_trace_has_another_digest(tmp_path: Path) -> None:
    """One token of difference is another trace: its events are not the first one's."""
    one = open_trace(written(tmp_path, AZURE))
    other = open_trace(written(tmp_path, AZURE[:-1] + b"8", "other"))
    assert one.digest != other.digest


def test_requests_may_be_out_of_order(tmp_path: Path) -> None:
    """A line older than the first has a negative offset: order is the file's, times are kept; the span runs forward."""
    lines = AZURE.split(b"\r\n")
    trace = open_trace(written(tmp_path, b"\n".join([lines[0], lines[2], lines[1]])))
    assert [request.offset_s for request in trace.requests()] == [0.0, -0.0520001]
    assert trace.span_s == 0.0


def test_mooncake_cached_tokens_are_the_leading_blocks_already_seen(tmp_path: Path) -> None:
    """512 tokens for every leading hash id of an earlier request, at most the input; worked by hand.

    Line 2 shares 2 blocks: 1024. Line 3 shares 2 but is 700 long. Line 4 begins with a new block: 0, although its
    second is known. Line 5: 2 and 0 are known, 9 is not: 1024. Line 6 repeats only itself: 0.
    """
    trace = open_trace(written(tmp_path, MOONCAKE))
    assert (trace.format, trace.rows, trace.input_tokens, trace.output_tokens) == ("mooncake", 6, 5649, 1000)
    assert trace.first_at is None
    assert trace.span_s == 8.0
    assert [request.cache_read_input_tokens for request in trace.requests()] == [0, 1024, 700, 0, 1024, 0]
    assert [request.offset_s for request in trace.requests()] == [0.0, 0.0, 3.0, 3.5, 3.5, 8.0]


def test_jsonl_lines_are_kept_byte_by_byte(tmp_path: Path) -> None:
    """A canonical event is passed on as it was written, spaces, unknown fields and mistakes included."""
    first = b'{"event_id": "a",  "input_tokens": 5, "output_tokens": 7, "ended_at": "2026-11-22T19:00:00Z", "x": [1]}'
    second = b'{"event_id":"b","input_tokens":true,"output_tokens":null,"ended_at":"never"}'
    trace = open_trace(written(tmp_path, first + b"\r\n\n" + second))
    assert (trace.format, trace.rows, trace.input_tokens, trace.output_tokens) == ("jsonl", 2, 5, 7)
    assert trace.first_at == datetime(2026, 11, 22, 19, tzinfo=UTC)
    assert [event.value for event in trace.raw_events()] == [first, second]


def test_format_is_detected_by_content_not_by_name(tmp_path: Path) -> None:
    """Each format is recognised from its first line, compressed or not."""
    event = b'{"event_id": "a", "hash_ids": []}\n'
    contents: dict[bytes, TraceFormat] = {AZURE: "azure-trace", MOONCAKE: "mooncake", event: "jsonl"}
    for content, expected in contents.items():
        assert open_trace(written(tmp_path, content)).format == expected
        assert open_trace(written(tmp_path, gzip.compress(content))).format == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (AZURE + b"\r\n2023-11-16 18:17:05.0,-3,8", "line 5, ContextTokens"),
        (AZURE + b"\r\n2023-11-16 18:17:05.0,3,8.5", "line 5, GeneratedTokens"),
        (AZURE + b"\r\n2023-11-16 18:17:05.0,3,", "line 5, GeneratedTokens"),
        (AZURE + b"\r\n2023-11-16 18:17:05.0,3", "line 5, 2 fields instead of 3"),
        (AZURE + b"\r\n2023-11-16 18:17:05.0,3,8,9", "line 5, 4 fields instead of 3"),
        (AZURE + b"\r\n2023-11-16T18:17:05.0,3,8", "line 5, TIMESTAMP"),
        (AZURE + b"\r\n2023-13-16 18:17:05.0,3,8", "line 5, TIMESTAMP"),
        (AZURE + b"\r\n1923-11-16 18:17:05.0,3,8", "line 5, TIMESTAMP: more than ten years"),
        (AZURE + b"\r\n2023-11-16 18:17:05.0,2147483648,8", "line 5, ContextTokens: 2147483648 is more than"),
        (AZURE + "\r\n2023-11-16 18:17:05.0,٣,8".encode(), "line 5, ContextTokens"),
        (AZURE + b"\r\n\xff", "line 5: not UTF-8"),
        (MOONCAKE + b'{"timestamp":1,"input_length":1.5,"output_length":3,"hash_ids":[]}', "line 7.*input_length"),
        (MOONCAKE + b'{"timestamp":1,"input_length":-1,"output_length":3,"hash_ids":[]}', "line 7.*input_length"),
        (MOONCAKE + b'{"timestamp":1,"input_length":1,"output_length":true,"hash_ids":[]}', "line 7.*output_length"),
        (MOONCAKE + b'{"timestamp":1,"input_length":1,"output_length":3}', "line 7.*hash_ids"),
        (MOONCAKE + b'{"timestamp":1e15,"input_length":1,"output_length":3,"hash_ids":[]}', "line 7.*timestamp"),
        (MOONCAKE + b'{"timestamp": 1, "inp', "line 7: "),
        (b'{"event_id": "a"}\n[1]\n', "line 2: not a JSON object"),
        (b'{"event_id": "a"}\n{"event_id": \n', "line 2: not a JSON object"),
        (b'{"event_id": "a"}\n{"event_id": "\\ud800"}\n', "line 2: not a JSON object"),
        (gzip.compress(AZURE, mtime=0)[:-12], "damaged gzip"),
        (b"", "not recognised"),
        (b"a,b,c\n1,2,3\n", "not recognised"),
        (b"TIMESTAMP,ContextTokens,GeneratedTokens\r\n", "no requests in it"),
    ],
)  # fmt: skip
def test_a_bad_line_is_named_and_nothing_is_read(tmp_path: Path, content: bytes, expected: str) -> None:
    """Whatever is wrong, the error names file, line and field, and comes from `open_trace`, before any sending."""
    path = written(tmp_path, content)
    with pytest.raises(UsageError, match=expected) as caught:
        open_trace(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """No traceback for a wrong path: the error names it."""
    with pytest.raises(UsageError, match=r"nowhere\.csv: cannot be read"):
        open_trace(tmp_path / "nowhere.csv")


def test_a_stated_format_is_believed(tmp_path: Path) -> None:
    """`format` overrules detection: a Mooncake file read as jsonl is events, line by line."""
    rows = list(read_trace(written(tmp_path, MOONCAKE), "jsonl"))
    assert len(rows) == 6
    assert isinstance(rows[0], TraceEvent)


def test_requests_and_events_are_not_mixed_up(tmp_path: Path) -> None:
    """Asking a trace for events, or a jsonl file for requests, is refused."""
    with pytest.raises(UsageError, match="requests, not events"):
        open_trace(written(tmp_path, MOONCAKE)).raw_events()
    with pytest.raises(UsageError, match="events, not the requests"):
        open_trace(written(tmp_path, b'{"event_id": "a"}')).requests()
