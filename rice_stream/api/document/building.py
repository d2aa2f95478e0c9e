"""The document: FastAPI's own, with answers, units, problems and how callers say who they are.

docs/openapi.json is this document; `python -m tests.openapi` writes it, and a test holds the two together.
"""

import copy
import json
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from rice_stream.api.document.answers import ANSWERS, EXAMPLES, FILES, Operation, adapter_of
from rice_stream.api.problems import MEDIA_TYPE
from rice_stream.api.routing import rights_of

REFERENCE = "#/components/schemas/{model}"
UNITS = {
    "_gco2e": "grams CO2-equivalent",
    "_ugco2e": "micrograms CO2-equivalent",
    "_wh": "watt-hours",
    "_uwh": "microwatt-hours",
    "_kwh": "kilowatt-hours",
    "_uj": "microjoules",
    "_j": "joules",
    "_s": "seconds",
    "_l": "litres",
    "_ul": "microlitres",
    "_b": "billions of parameters",
    "_tokens": "tokens",
    "_per_s": "a second, on average",
    "_gco2e_per_kwh": "grams CO2-equivalent a kilowatt-hour",
    "_l_per_kwh": "litres a kilowatt-hour",
    "_bytes": "bytes",
    "_bytes_per_token": "bytes a token",
    "_at": "RFC 3339",
    "_gco2e_per_prompt": "grams CO2-equivalent a prompt",
    "_gco2e_per_1000_output_tokens": "grams CO2-equivalent per 1,000 output tokens",
    "_ratio": "ratio",
    "_percent": "percent",
    "_days": "days",
    "_hours": "hours",
    "_h": "hours",
}
"""What the ends of names stand for; the longest that fits counts."""
_SHARE, _IN_UNIT = "share of all, from 0 to 1", "in the budget's unit"
PLAIN = {
    "low": "lower end of the 80 % range, in the unit of the name above it",
    "mid": "middle, in the unit of the name above it",
    "high": "upper end of the 80 % range, in the unit of the name above it",
    "pue": "facility energy over IT energy",
    "threshold": "ratio of the limit",
    "thresholds": "ratios of the limit",
    "hysteresis": "ratio of a threshold",
    "ratio": "ratio to what it is held against",
    **dict.fromkeys(("burn_rate", "burn_rate_long", "burn_rate_short"), "ratio to the pace that lasts the period"),
    **dict.fromkeys(("limit", "consumed", "consumed_low", "consumed_high", "added", "pace", "allowed"), _IN_UNIT),
    "devices": "accelerators that serve a request together",
    "batch_size": "requests decoded together, on average",
    "layers": "layers of the network",
    "layer_operations": "tensor operations of one layer for one token",
    "log_sd": "standard deviation of the natural logarithm",
    **dict.fromkeys(("share", "routed_share", "share_of_carbon", "share_of_prompts"), _SHARE),
}
"""Numbers whose names have no unit at their end."""
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `invalid_parameters` where fields are wrong, `incident` where the server failed.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "The kind of problem", "examples": ["/problems/not-found"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong and what to do"},
        "incident": {"type": "string"},
        "invalid_parameters": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("field", "rule", "reason", "source")},
            },
        },
    },
}
_FILE_CONTENT = {
    "text/csv": {"schema": {"type": "string"}},
    "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
}
_OF_BODIES = {
    "408": "The body came too slowly",
    "413": "The body is too large",
    "415": "Another content type or encoding",
}
_STATUSES = {
    "400": "The request contradicts itself, or what it asks for does not exist",
    "401": "No valid token or session",
    "403": "The role lacks the right",
    "404": "Not there, or another's",
    "422": "A parameter or field is wrong",
    "429": "Too much at once; come back after Retry-After seconds",
    "500": "The server failed; its log has the incident",
    "503": "The database or broker does not answer; come back after Retry-After seconds",
}


def document_of(app: FastAPI) -> dict[str, Any]:
    """The whole document."""
    document = FastAPI.openapi(app)
    schemas = document["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = _PROBLEM
    document["components"]["securitySchemes"] = {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "A token of `rice-stream token create`, or of the OpenID provider",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "__Host-rice",
            "description": "A browser that is signed in",
        },
    }
    for (method, path), operation in _operations(app, document):
        _add_answer(schemas, (method, path), operation)
        if (method, path) in EXAMPLES:
            operation["x-example"] = f"{method} {EXAMPLES[method, path]}"
    for schema in _named_schemas(document):
        _add_units(schema)
    return document


def _operations(app: FastAPI, document: dict[str, Any]) -> Iterator[tuple[Operation, dict[str, Any]]]:
    for route in app.routes:
        if not isinstance(route, APIRoute) or not route.include_in_schema:
            continue
        for method in route.methods or ():
            operation = document["paths"][route.path_format][method.lower()]
            rights = sorted(rights_of(route))
            if rights:
                operation["security"] = [{"token": []}, {"session": []}]
                operation["x-right"] = ", ".join(rights)
            yield (method, route.path), operation


def _add_answer(schemas: dict[str, Any], operation: Operation, described: dict[str, Any]) -> None:
    responses = described["responses"]
    responses.pop("422", None)
    if "requestBody" in described:
        described["requestBody"] = _with_named_parts(schemas, described["requestBody"])
    if operation in ANSWERS:
        good = next(status for status in responses if status.startswith("2"))
        if ANSWERS[operation] is not None:
            schema = adapter_of(operation).json_schema(ref_template=REFERENCE, mode="serialization")
            schemas.update(schema.pop("$defs", {}))
            content = {"application/json": {"schema": schema}}
            if operation in FILES:
                content |= _FILE_CONTENT
            responses[good] = {"description": "Done", "content": content}
        for status, meaning in (_STATUSES | (_OF_BODIES if "requestBody" in described else {})).items():
            responses.setdefault(status, {"description": meaning})
    problem = {"content": {MEDIA_TYPE: {"schema": {"$ref": REFERENCE.format(model="Problem")}}}}
    for status, response in responses.items():
        if not status.startswith(("2", "3")) and "content" not in response:
            response |= problem


def _with_named_parts(schemas: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """The body of a request, with the shapes that it refers to among all others."""
    own = copy.deepcopy(body)
    for content in own["content"].values():
        schemas |= content.get("schema", {}).pop("$defs", {})
    return own


def _named_schemas(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from document["components"]["schemas"].values()
    for path in document["paths"].values():
        for operation in path.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                yield content.get("schema", {})
            for parameter in operation.get("parameters", ()):
                yield {"properties": {parameter["name"]: parameter}}


def _add_units(schema: dict[str, Any]) -> None:
    for name, described in schema.get("properties", {}).items():
        unit = unit_of(name)
        if unit is not None and "description" not in described:
            described["description"] = unit


def unit_of(name: str) -> str | None:
    """What a name says of its unit, by itself or by its end; None: it is no amount."""
    if name in PLAIN:
        return PLAIN[name]
    name = name.removesuffix("_low").removesuffix("_mid").removesuffix("_high").removesuffix("_median")
    ends = [end for end in UNITS if name.endswith(end)]
    return UNITS[max(ends, key=len)] if ends else None


def text_of(document: dict[str, Any]) -> str:
    """The document as it is written to a file."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
