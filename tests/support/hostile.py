"""Hostile requests for every parameter of every route, made from the route table: a new route is tried by itself.

Each begins as a good request of `api_matrix` for something of tenant 0, and has one thing changed.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, quote_from_bytes

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import compile_path

from tests.support.api_matrix import Try, tries

_PARAMETER = re.compile(r"\{[^}]*\}")
Headers = tuple[tuple[bytes, bytes], ...]
VALUES: dict[str, bytes] = {
    "nothing": b"",
    "drop a table": b"'; DROP TABLE prompt_record; --",
    "always true": b"' OR '1'='1' --",
    "double quotes": b'" OR ""="',
    "a sleep": b"'||(SELECT pg_sleep(20))||'",
    "leave the role": b"'; RESET ROLE; SET rice.tenants = '*'; --",
    "a backslash": b"\\'; SELECT 1; --",
    "a comment": b"/**/",
    "bound names": b":scope_tenant_0 %(tenant)s %s $1 ?",
    "signs of LIKE": b"%_%",
    "a star": b"*",
    "NUL": b"\x00",
    "NUL within": b"tenant-x1x\x00",
    "half of a pair": b"\xed\xa0\x80",
    "overlong": b"\xc0\xaf..\xc0\xaf",
    "no UTF-8": b"\xff\xfe",
    "10 kB": b"x" * 10_000,
    "10 kB of accents": "é".encode() * 5_000,
    "up and up": b"../../../../etc/passwd",
    "encoded twice": b"%2e%2e%2f%00%c0%af",
    "slashes": b"//",
    "line ends": b"x\r\nset-cookie: planted=1\r\nx-planted: 1\r\n\r\nHTTP/1.1 200 OK",
    "a number for nobody": b"9" * 400,
    "a huge exponent": b"1e400",
    "not a number": b"NaN",
    "below zero": b"-1",
    "64 bits": b"9223372036854775808",
    "a list": b"[]",
    "a year that is none": b"99999-01-01T00:00:00Z",
    "the first day": b"0001-01-01",
    "a place of the disk": b"../../etc/localtime",
    "hidden signs": "\u202e\u2028\ufeff".encode(),
}
_JSON_VALUES: tuple[tuple[str, bytes], ...] = (
    ("half of a pair, escaped", b'"\\ud800"'),
    ("NUL, escaped", b'"a\\u0000b"'),
    ("an object", b'{"a": {"b": []}}'),
    ("deep", b"[" * 3_000 + b"]" * 3_000),
    ("a huge number", b"9" * 5_000),
    ("infinity", b"1e999"),
    ("NaN", b"NaN"),
    ("null", b"null"),
    ("64 bits in a list", b"[9223372036854775808]"),
    ("NUL in a list", b'["a\\u0000b"]'),
    ("NUL in an object", b'{"a\\u0000": "a\\u0000b"}'),
    ("many", b"[" + b'"x",' * 5_000 + b'"x"]'),
)


@dataclass(frozen=True)
class Hostile:
    """One request, byte for byte. `same_as_plain`: what it adds is to be overlooked."""

    method: str
    route: str
    what: str
    target: bytes
    headers: Headers = ()
    body: bytes = b""
    same_as_plain: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.route}: {self.what}"


@dataclass(frozen=True)
class Plain:
    """A good request in its parts."""

    method: str
    route: str
    path: Mapping[str, str]
    query: tuple[tuple[str, str], ...]
    headers: Headers
    body: Any

    def target(self, path: Mapping[str, bytes], query: Sequence[tuple[str, str | bytes]]) -> bytes:
        """What the request line says, for these values."""
        filled = self.route
        for name, value in path.items():
            for form in (f"{{{name}}}", f"{{{name}:path}}"):
                filled = filled.replace(form, quote_from_bytes(value, safe=""))
        return filled.encode() + (b"?" + _query(query) if query else b"")

    def hostile(self, what: str, **changes: Any) -> Hostile:
        """The same with parts of it changed."""
        target = self.target({name: value.encode() for name, value in self.path.items()}, self.query)
        body = (
            self.body if isinstance(self.body, bytes) else b"" if self.body is None else json.dumps(self.body).encode()
        )
        return replace(Hostile(self.method, self.route, what, target, self.headers, body), **changes)


OF_NOTHING = {("POST", "/v1/void")}
"""What any reason makes good, a hostile one too, and what then changes totals: asked for what is not there."""


def plain_requests(app: FastAPI) -> list[Plain]:
    """One of each method and path of the route table, with `x` for names where `api_matrix` does not try it: routes for anybody."""
    tried: dict[tuple[str, str], Try] = {}
    for one in tries():
        if (one.method, one.route) in OF_NOTHING and one.of is not None:
            continue
        if one.of is None or one.of[0] == "0":
            # Of what has a name, rather than of a list.
            before = tried.get((one.method, one.route))
            if before is None or (before.of is None and one.of is not None):
                tried[one.method, one.route] = one
    made = []
    for route in app.routes:
        if not isinstance(route, APIRoute):
            continue
        for method in sorted(route.methods or ()):
            one = tried.get((method, route.path)) or Try(method, _PARAMETER.sub("x", route.path), route.path)
            path, _, query = one.path.partition("?")
            found = compile_path(route.path)[0].match(path)
            assert found is not None, path
            headers = tuple((name.encode(), value.encode()) for name, value in one.headers.items())
            made.append(Plain(method, route.path, found.groupdict(), tuple(parse_qsl(query)), headers, one.body))
    return made


def hostile_requests(app: FastAPI) -> Iterator[Hostile]:
    """Every value in every parameter, field and header, and every trick with the target of each route."""
    document = app.openapi()
    for plain in plain_requests(app):
        operation = document["paths"].get(_documented(plain.route), {}).get(plain.method.lower(), {})
        for place in ("path", "query"):
            yield from _with_parameters(plain, operation, place)
        yield from _with_fields(plain, operation, document)
        yield from _with_headers(plain)
        yield from _with_targets(plain)


def _documented(route: str) -> str:
    return route.replace(":path}", "}")


def _with_parameters(plain: Plain, operation: dict[str, Any], place: str) -> Iterator[Hostile]:
    names = [each["name"] for each in operation.get("parameters", ()) if each["in"] == place]
    if place == "query":
        names += ["no_such_parameter", *(() if operation else ("next", "key", "code", "state", "iss"))]
    names = list(dict.fromkeys([*names, *(plain.path if place == "path" else ())]))
    for name in names:
        for what, value in VALUES.items():
            told = f"{what} as {name}"
            own = {each: text.encode() for each, text in plain.path.items()}
            if place == "path":
                yield plain.hostile(told, target=plain.target({**own, name: value}, plain.query))
                continue
            others: list[tuple[str, str | bytes]] = [pair for pair in plain.query if pair[0] != name]
            yield plain.hostile(told, target=plain.target(own, [*others, (name, value)]))
            if what in ("drop a table", "NUL"):
                twice = [*others, (name, value), (name, value)]
                yield plain.hostile(f"{told}, twice", target=plain.target(own, twice))


def _query(pairs: Sequence[tuple[str, str | bytes]]) -> bytes:
    def escaped(text: str | bytes) -> str:
        return quote_from_bytes(text if isinstance(text, bytes) else text.encode(), safe="")

    return "&".join(f"{escaped(name)}={escaped(value)}" for name, value in pairs).encode()


def _with_fields(plain: Plain, operation: dict[str, Any], document: dict[str, Any]) -> Iterator[Hostile]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    if not content or not isinstance(plain.body, dict):
        return
    names = list(_resolved(content.get("schema", {}), document).get("properties", {})) or list(plain.body)
    values = [(what, value, json.dumps(value.decode("latin-1")).encode()) for what, value in VALUES.items()]
    as_bytes = [(f"{what}, as bytes", value, b'"%b"' % value) for what, value in VALUES.items() if b'"' not in value]
    as_json = [(what, b"", value) for what, value in _JSON_VALUES]
    for name in [*names, "no_such_field"]:
        for what, _, value in [*values, *as_bytes, *as_json]:
            marked = json.dumps({**plain.body, name: "@here@"}).encode()
            yield plain.hostile(f"{what} in the field {name}", body=marked.replace(b'"@here@"', value))
            if name == "no_such_field":
                break
    for what, _, value in values[:12]:
        spoilt = json.dumps(plain.body).encode().replace(b"{", b"{%b: 1, " % value, 1)
        yield plain.hostile(f"{what} as the name of a field", body=spoilt)


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    found: dict[str, Any] = document["components"]["schemas"][reference.rpartition("/")[2]] if reference else schema
    return found


_LINE = {name: value.replace(b"\r", b"").replace(b"\n", b"").replace(b"\x00", b"") for name, value in VALUES.items()}
_FORWARDED: Headers = (
    (b"x-forwarded-for", b"127.0.0.1"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-host", b"evil.example"),
    (b"x-forwarded-prefix", b"/planted"),
    (b"x-real-ip", b"127.0.0.1"),
    (b"forwarded", b"for=127.0.0.1;host=evil.example;proto=https"),
    (b"x-original-url", b"/healthz"),
    (b"x-rewrite-url", b"/healthz"),
    (b"x-http-method-override", b"DELETE"),
    (b"x-tenant", b"tenant-x1x"),
    (b"x-user", b"admin"),
)
_READ_HEADERS = (b"idempotency-key", b"if-match", b"cookie", b"content-type", b"content-encoding", b"authorization")


def _with_headers(plain: Plain) -> Iterator[Hostile]:
    overlooked = plain.method == "GET" and plain.route.startswith("/v1/")
    for name, value in _FORWARDED:
        added = (*plain.headers, (name, value))
        yield plain.hostile(f"{name.decode()}: {value.decode()}", headers=added, same_as_plain=overlooked)
    for what, value in _LINE.items():
        for name in _READ_HEADERS:
            if name == b"if-match" and value == b"*":
                continue  # a good one
            yield plain.hostile(f"{what} in {name.decode()}", headers=(*plain.headers, (name, value)))
    for what, line in (
        ("a host with a path", (b"host", b"x/healthz?")),
        ("another host", (b"host", b"evil.example")),
        ("a host with a name before", (b"host", b"user@127.0.0.1")),
        ("no host", (b"host", b"")),
        ("line ends in a header", (b"x-a", b"1\r\nset-cookie: planted=1")),
        ("a bare line feed", (b"x-a", b"1\nx-planted: 1")),
        ("a bare carriage return", (b"x-a", b"1\rx-planted: 1")),
        ("NUL in a header", (b"x-a", b"\x00")),
        ("a folded line", (b"x-a", b"1\r\n x-planted: 1")),
        ("a header of 200 kB", (b"x-a", b"a" * 200_000)),
        ("a header without a name", (b"", b"1")),
        ("a name with a space", (b"x a", b"1")),
        ("two lengths", (b"content-length", b"0\r\ncontent-length: 5")),
    ):
        yield plain.hostile(what, headers=(*plain.headers, line))
    two_hosts = (*plain.headers, (b"host", b"127.0.0.1"), (b"host", b"evil.example"))
    yield plain.hostile("two hosts", headers=two_hosts)
    yield plain.hostile("1,000 headers", headers=(*plain.headers, *(((b"x-a", b"1"),) * 1_000)))


def _with_targets(plain: Plain) -> Iterator[Hostile]:
    target = plain.hostile("").target
    path, mark, query = target.partition(b"?")
    rest = mark + query
    for what, changed in (
        ("an absolute form", b"http://evil.example" + target),
        ("an absolute form of another scheme", b"file://" + target),
        ("two slashes before it", b"/" + target),
        ("a backslash before it", b"\\" + target),
        ("up to another route", path + b"/../../healthz" + rest),
        ("encoded dots before it", b"/healthz/%2e%2e" + target),
        ("dots before it", b"/healthz/.." + target),
        ("its slashes encoded", b"/" + path[1:].replace(b"/", b"%2f") + rest),
        ("a slash after it", path + b"/" + rest),
        ("NUL after it", path + b"%00" + rest),
        ("NUL and another route", path + b"%00/healthz" + rest),
        ("overlong slashes", path.replace(b"/", b"/%c0%af") + rest),
        ("a parameter of its path", path + b";admin=1" + rest),
        ("capitals", path.upper() + rest),
        ("a fragment", path + b"#x" + rest),
        ("a raw byte", path + b"\xff" + rest),
        ("a space", path + b" x" + rest),
        ("a broken escape", path + b"%zz%" + rest),
        ("a question mark, encoded", path + b"%3ftenant=tenant-x1x" + rest),
        ("line ends", path + b"%0d%0aset-cookie:%20planted=1" + rest),
        ("100 kB", path + b"/" + b"a" * 100_000 + rest),
        ("a star", b"*"),
        ("nothing", b""),
    ):
        yield plain.hostile(what, target=changed)
