"""Any bytes at the HTTP door: an answer below 500 or none, nothing of the server's inside in it, and it goes on serving.

Seeded: requests of any method, path, headers, content type, encoding, length and framing, with mutated payloads of every
format within, packed or not, whole or cut. `RICE_FUZZ_REQUESTS` sets how many (a drill runs 200,000); a failure prints the
seed and the request.
"""

import contextlib
import gzip
import json
import os
import random
import re
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator

import psutil
import pytest

from tests.support.cases import drawn
from tests.support.format_payloads import PAYLOADS
from tests.support.http_door_program import TOKEN
from tests.support.places import ROOT
from tests.support.waiting import wait_until

REQUESTS = int(os.environ.get("RICE_FUZZ_REQUESTS", "600"))
FIRST = drawn("http requests").randrange(1_000_000_000)
BODY_MAX_BYTES = 1_000_000
MEMORY_MAX_BYTES = 600_000_000
"""A hundred MB for the process; six bodies at once, and what they are taken apart into."""
PATHS = ["/v1/events"] * 6 + ["/v1/traces", "/v1/logs"] * 3
ODD_PATHS = [
    "/",
    "/metrics",
    "/openapi.json",
    "/healthz",
    "/readyz",
    "/v1/events/",
    "/v1//events",
    "//v1/events",
    "/v1/%65vents",
]
ODD_PATHS += [
    "/v1/events?x=" + "y" * 3000,
    "http://evil.example/v1/events",
    "*",
    "/\xff",
    "/%00",
    "/..%2f..%2fetc/passwd",
    "/" + "a" * 9000,
]
METHODS = ["POST"] * 60 + ["GET", "PUT", "DELETE", "OPTIONS", "HEAD", "TRACE", "CONNECT", "PRI", "po st", "X" * 300, ""]
TYPES = (
    ["application/json"] * 4 + ["application/x-protobuf"] * 3 + ["application/x-ndjson", "application/cloudevents+json"]
)
TYPES += ["text/plain", "", ";", "application/json; charset=utf-16", "\x00", "application/json" * 300]
ENCODINGS = ["", "", "", "", "gzip", "gzip", "deflate", "br", "gzip, gzip", "identity", "GZIP", "\xff"]
ODD_AUTHORIZATIONS = ["", "Basic x", "Bearer", "Bearer " + "x" * 2000, "bearer \xff"]
EVENT_HEADERS = ["ce-id: 1", "ce-source: \x01", "ce-specversion: 1.0", "ce-type: t", "ce-subject: \xe9", "rice-door: x"]
ODD_NAMES = ["x-a"] * 9 + ["host", "expect", "cookie", "te", "x y", "", "upgrade", "connection"]
ODD_VALUES = ["", "v", "100-continue", "websocket", "close", " " * 500]
HOSTS = ["localhost", "127.0.0.1", "evil.example", "[::1]", "[", ":", "a" * 400]
INSIDE = (b"Traceback", b"rice_stream/", b".py", b"site-packages", b"sqlite", b"no-such-folder")


def body_of(draw: random.Random) -> bytes:
    """A payload of some format, as it is or spoilt; or a hostile one."""
    kind = draw.randrange(12)
    if kind == 0:
        return draw.randbytes(draw.choice([0, 1, 10, 1000]))
    if kind == 1:
        return draw.choice(
            [b"[", b"{", b'{"a":', b'"', b"[0,", b"{}\n", b"\n", b"\x0a\x00", b"\x12\x00", b"data:{}\n", b"\x00"]
        ) * (draw.choice([1, 100, 20_000]))
    payload = bytearray(draw.choice(list(PAYLOADS.values())))
    for _ in range(draw.choice([0, 0, 1, 3, 20])):
        at = draw.randrange(len(payload) + 1)
        change = draw.randrange(4)
        if change == 0 and payload:
            payload[at % len(payload)] = draw.randrange(256)
        elif change == 1:
            del payload[at : at + draw.randrange(200)]
        elif change == 2:
            payload[at:at] = draw.choice(
                [b"\x00", b"\xff", b"null", b"1e999", b"-1", b"[[", b'\\ud800"', draw.randbytes(8)]
            )
        else:
            payload += payload[at : at + 500]
    return bytes(payload)


def packed(draw: random.Random, body: bytes, encoding: str) -> bytes:
    """As the header says, or not at all, or cut, or in members, or a bomb."""
    kind = draw.randrange(8)
    if kind == 0 or encoding.lower() not in ("gzip", "deflate"):
        return body
    pack = gzip.compress if encoding.lower() == "gzip" else zlib.compress
    if kind == 1:
        return pack(b"0" * 3_000_000)
    if kind == 2:
        return pack(body) + pack(body)
    whole = pack(body)
    return whole[: draw.randrange(len(whole))] if kind == 3 else whole + (draw.randbytes(5) if kind == 4 else b"")


def headers_of(draw: random.Random) -> list[bytes]:
    """Some that belong there, and some that do not."""
    found = [f"authorization: Bearer {TOKEN}"] if draw.randrange(8) else []
    if not draw.randrange(20):
        found.append("authorization: " + draw.choice(ODD_AUTHORIZATIONS))
    if draw.randrange(30):
        found.append("content-type: " + draw.choice(TYPES))
    for _ in range(draw.choice([0] * 9 + [1, 3, 90])):
        odd = draw.choice(ODD_NAMES) + ": " + draw.choice([*ODD_VALUES, chr(draw.randrange(256)) * 9])
        found.append(draw.choice(EVENT_HEADERS) if draw.randrange(2) else odd)
    if draw.randrange(30):
        found.append("host: " + draw.choice(HOSTS))
    draw.shuffle(found)
    return [one.encode("latin-1") for one in found]


def request_of(seed: int) -> tuple[bytes, bool]:
    """All bytes of one request, as they go over the wire, and whether the server can tell that it has them all."""
    draw = random.Random(seed)
    encoding = draw.choice(ENCODINGS)
    body = packed(draw, body_of(draw), encoding)
    path = draw.choice(PATHS) if draw.randrange(8) else draw.choice(ODD_PATHS)
    head = [
        f"{draw.choice(METHODS)} {path} HTTP/{draw.choice(['1.1'] * 9 + ['1.0', '2.0', '9'])}".encode("latin-1"),
        *headers_of(draw),
    ]
    head += [f"content-encoding: {encoding}".encode("latin-1")] if encoding else []
    framing = draw.randrange(10)
    if framing < 6:
        head += [b"content-length: %d" % len(body)]
    elif framing == 6:
        wrong = draw.choice(
            [b"-1", b"0", b"1", b"x", b"99999999999999999999", b"%d" % (len(body) + 1), b"0x10", b"1, 1"]
        )
        head += [b"content-length: " + wrong]
    elif framing == 7:
        head += [b"content-length: %d" % len(body), b"transfer-encoding: chunked"]
    else:
        head += [b"transfer-encoding: " + draw.choice([b"chunked", b"chunked", b"gzip, chunked", b"xchunked"])]
        size = draw.choice([1, 7, 4096]) if len(body) < 5_000 else 4096
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        body += draw.choice([b"0\r\n\r\n", b"0\r\n\r\n", b"", b"-5\r\nx\r\n", b"ffffffffff\r\n", b"0\r\nx: y\r\n\r\n"])
    end = b"\r\n" if draw.randrange(30) else draw.choice([b"\n", b"\r", b""])
    return end.join(head) + end + end + body, framing < 6 and end == b"\r\n"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The server's process and its port."""
    command = [sys.executable, "-m", "tests.support.http_door_program", str(BODY_MAX_BYTES)]
    # Its log goes to a file: a pipe that nobody reads is full after some thousand requests, and the server waits for it.
    log = (tmp_path_factory.mktemp("door") / "log").open("wb")
    with log, subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def answer_to(port: int, request: bytes, patience_s: float = 30) -> bytes:
    """What comes back: one whole answer, or all there is when the server closes, or what came within the time."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
        connection.settimeout(patience_s)
        found = b""
        with contextlib.suppress(ConnectionError, TimeoutError):
            while not is_whole(found, request):
                piece = connection.recv(65_536)
                if not piece:
                    break
                found += piece
        return found


def is_whole(answer: bytes, request: bytes) -> bool:
    """Whether nothing more of it is to come."""
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: (\d+)", head)
    return bool(end) and length is not None and (request.startswith(b"HEAD") or len(body) >= int(length[1]))


def check(port: int, seed: int) -> int:
    """The status of the answer to one request; 0 where there was none."""
    request, whole = request_of(seed)
    answer = answer_to(port, request, 30 if whole else 0.05)
    said = f"seed {seed}: {request[:600]!r} -> {answer[:600]!r}"
    if not answer:
        return 0
    statuses = [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert statuses, said
    assert all(status < 500 for status in statuses), said
    body = b"" if b"openapi" in request or b"/metrics" in request else answer
    assert not any(inner in body for inner in INSIDE), said
    return statuses[-1]


def test_any_request_is_answered_below_500_and_the_server_goes_on(door: tuple[subprocess.Popen[bytes], int]) -> None:
    """Its memory stays bounded, and it answers a good request in time afterwards."""
    process, port = door
    watched = psutil.Process(process.pid)
    statuses: dict[int, int] = {}
    most_bytes = 0
    for seed in range(FIRST, FIRST + REQUESTS):
        status = check(port, seed)
        statuses[status] = statuses.get(status, 0) + 1
        if seed % 50 == 0:
            most_bytes = max(most_bytes, watched.memory_info().rss)
    assert most_bytes < MEMORY_MAX_BYTES
    # The requests are no mere noise: some are taken, and each kind of refusal is met.
    assert {200, 202, 400, 401, 415, 422} <= set(statuses), statuses
    began_s = time.monotonic()
    assert good_request_is_taken(port)
    assert time.monotonic() - began_s < 5


def good_request_is_taken(port: int) -> bool:
    """One as the documentation has it."""
    event = {"event_id": "e", "tenant_id": "t", "ended_at": "2026-11-22T19:00:00Z", "request_model": "m"}
    body = json.dumps({**event, "input_tokens": 1, "output_tokens": 2}).encode()
    head = f"POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\n"
    return answer_to(port, f"{head}content-length: {len(body)}\r\n\r\n".encode() + body).startswith(b"HTTP/1.1 202")


def test_many_bombs_at_once_stay_bounded_and_health_answers_beside_them(
    door: tuple[subprocess.Popen[bytes], int],
) -> None:
    """Packed bodies that unpack to as much as may be, and hold as many values as there is room for."""
    process, port = door
    bodies = [
        b"[" + b"0," * 499_990 + b"0]",
        b"{" + b'"a":0,' * 160_000 + b'"b":1}',
        b"{}\n" * 333_000,
        b"\x0a\x00" * 499_000,
    ]
    head = f"POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-encoding: gzip\r\ncontent-type: "
    with contextlib.ExitStack() as stack:
        connections = []
        for body in bodies * 3:
            named = "application/x-protobuf" if body[0] == 10 else "application/json"
            path = b"/v1/traces" if body[0] == 10 else b"/v1/events"
            whole = gzip.compress(body)
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=120))
            request = f"{head}{named}\r\ncontent-length: {len(whole)}\r\n\r\n".encode().replace(b"/v1/events", path)
            connection.sendall(request + whole)
            connections.append(connection)
        began_s = time.monotonic()
        assert b"200" in answer_to(port, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")[:20]
        assert time.monotonic() - began_s < 5
        most_bytes = 0
        for connection in connections:
            assert connection.recv(12)[9:12] in (b"413", b"422", b"400", b"429")
            most_bytes = max(most_bytes, psutil.Process(process.pid).memory_info().rss)
        assert most_bytes < MEMORY_MAX_BYTES
    wait_until(lambda: good_request_is_taken(port), 30, "the server to take a good request")
