"""GET /reference: the document as a page, without a script or anything from elsewhere; GET /problems/{slug}: a kind of error."""

from collections.abc import Iterator
from html import escape
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.problems import not_found
from rice_stream.api.routing import needs

PROBLEMS = {
    "invalid-parameters": "Parameters or fields break a rule: `invalid_parameters` lists each. Mend them and send it again.",
    "invalid-request": "The request contradicts itself or asks for what does not exist; the detail names the field.",
    "invalid-json": "The body is no JSON.",
    "bad-request": "The body is empty, cut short, or not what it says it is.",
    "cursor-mismatch": "The cursor is of another list, other filters or another caller. Begin again without it.",
    "unauthorized": "The request carries no valid token or session.",
    "forbidden": "The role lacks the right that the route needs, or the change concerns more than the caller may change.",
    "beyond-your-rights": "The token would allow more than its maker may do. Ask for less.",
    "not-found": "It is not there, or it is another's: both look alike.",
    "method-not-allowed": "The path exists, the method does not.",
    "sign-in-failed": "Signing in did not come to its end: begin again, or ask who runs the server.",
    "conflict": "There is one of this name already, or the request is being worked on.",
    "precondition-required": "A change needs If-Match with the ETag of the state that was seen.",
    "precondition-failed": "Somebody has changed it: `current` has it as it is now.",
    "idempotency-key-reused": "The Idempotency-Key was used for another request within a day.",
    "unsupported-media-type": "Another content type or encoding is needed.",
    "request-entity-too-large": "The body is too large or holds too much; send it in parts.",
    "request-timeout": "The body came too slowly.",
    "misdirected-request": "The request was meant for another host.",
    "too-many-requests": "Too much at once. Come back after Retry-After seconds.",
    "archive-damaged": "A file of the archive, which the detail names, is missing or damaged. It has to come back from a backup.",
    "took-too-long": "It takes the database too long now. Come back after Retry-After seconds, or ask for less at a time.",
    "service-unavailable": "The database or the broker does not answer. Come back after Retry-After seconds.",
    "internal-server-error": "The server failed. Its log says why, under the number of the incident.",
}
"""What each kind of problem means, and what to do."""
_STYLE = """:root{color-scheme:light dark}body{overflow-wrap:anywhere}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}
h2{margin-top:2.5rem;border-bottom:1px solid #ccc}h3{font-family:ui-monospace,monospace;margin-bottom:.2rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.2rem .6rem .2rem 0;
vertical-align:top;border-top:1px solid #eee}
code,pre{font-family:ui-monospace,monospace;font-size:.9em}pre{background:#f5f5f5;padding:.6rem;white-space:pre-wrap}
@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#161616}pre{background:#222}td,th{border-color:#333}}"""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
}
_Reader = Annotated[Caller, Depends(needs(Right.ESTIMATE))]


def install(app: FastAPI) -> None:
    """Add the routes."""

    @app.get("/reference", include_in_schema=False)
    async def _reference(_: _Reader) -> HTMLResponse:
        return HTMLResponse(page_of(app.openapi()), headers=_HEADERS)

    @app.get("/problems/{slug}", include_in_schema=False)
    async def _problem(slug: str, _: _Reader) -> HTMLResponse:
        if slug not in PROBLEMS:
            raise not_found("there is no such kind of problem")
        return HTMLResponse(_whole(slug, [f"<h1>{escape(slug)}</h1><p>{escape(PROBLEMS[slug])}</p>"]), headers=_HEADERS)


def page_of(document: dict[str, Any]) -> str:
    """The page of a document: every operation by its tag, then every shape."""
    by_tag: dict[str, list[str]] = {}
    for path, operations in sorted(document["paths"].items()):
        for method, operation in operations.items():
            tag = (operation.get("tags") or ["other"])[0]
            by_tag.setdefault(tag, []).append("".join(_operation(method.upper(), path, operation)))
    parts = [f"<h1>{escape(document['info']['title'])} {escape(document['info']['version'])}</h1>"]
    parts += [f"<h2>{escape(tag)}</h2>{''.join(listed)}" for tag, listed in sorted(by_tag.items())]
    parts.append("<h2>Shapes</h2>")
    parts += ["".join(_shape(name, schema)) for name, schema in sorted(document["components"]["schemas"].items())]
    return _whole("API reference", parts)


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"<h3>{method} {escape(path)}</h3><p>{escape(operation['summary'])}"
    if "x-right" in operation:
        yield f"; needs the right to {escape(operation['x-right'])}"
    yield "</p>"
    if "x-example" in operation:
        yield f"<pre>{escape(operation['x-example'])}</pre>"
    parameters = [(each["name"], each["schema"], each.get("description")) for each in operation.get("parameters", ())]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    fields = [(name, each, each.get("description")) for name, each in body.get("properties", {}).items()]
    yield from _table([*parameters, *fields])
    for status, response in operation["responses"].items():
        schema = response.get("content", {}).get("application/json", {}).get("schema")
        if status.startswith("2") and schema:
            yield f"<p>{status}: {_type(schema)}</p>"


def _shape(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{escape(schema.get("description", ""))}</p>'
    yield from _table([(field, each, each.get("description")) for field, each in schema.get("properties", {}).items()])


def _table(rows: list[tuple[str, dict[str, Any], str | None]]) -> Iterator[str]:
    if rows:
        cells = "".join(
            f"<tr><td><code>{escape(name)}</code></td><td>{_type(schema)}</td><td>{escape(described or '')}</td></tr>"
            for name, schema, described in rows
        )
        yield f"<table><tr><th>name</th><th>type</th><th>meaning</th></tr>{cells}</table>"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if "enum" in schema:
        return escape(" or ".join(map(str, schema["enum"])))
    if schema.get("properties"):
        return ", ".join(f"<code>{escape(name)}</code>: {_type(each)}" for name, each in schema["properties"].items())
    return escape(str(schema.get("type", "anything")))


def _whole(title: str, parts: list[str]) -> str:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return (
        f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head><body>{"".join(parts)}</body></html>'
    )
