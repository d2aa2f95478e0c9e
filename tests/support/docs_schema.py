"""The part of JSON Schema that docs/asyncapi.yaml uses, checked as JSON Schema 2020-12 says."""

import re
from datetime import datetime
from typing import Any

Schema = dict[str, Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_KNOWN = {
    "type", "description", "default", "$ref", "allOf", "anyOf", "oneOf", "required", "properties", "additionalProperties",
    "items", "minItems", "const", "enum", "minLength", "maxLength", "pattern", "format", "minimum", "maximum",
    "exclusiveMinimum",
}  # fmt: skip


def problems(value: Any, schema: Schema, root: Schema, where: str = "$") -> list[str]:
    """What about `value` the schema does not allow; `root` is the document that `$ref` points into."""
    assert set(schema) <= _KNOWN, f"the checker does not know {set(schema) - _KNOWN}"
    if "$ref" in schema:
        return problems(value, resolve(schema["$ref"], root), root, where)
    found = _combined(value, schema, root, where)
    if "type" in schema:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(_is_a(value, kind) for kind in kinds):
            return [*found, f"{where}: {value!r} is not {' or '.join(kinds)}"]
    if "const" in schema and value != schema["const"]:
        found.append(f"{where}: {value!r} is not {schema['const']!r}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where}: {value!r} is not one of {schema['enum']}")
    if isinstance(value, dict):
        found += _of_object(value, schema, root, where)
    if isinstance(value, list):
        found += [
            p for i, item in enumerate(value) for p in problems(item, schema.get("items", {}), root, f"{where}[{i}]")
        ]
        if len(value) < schema.get("minItems", 0):
            found.append(f"{where}: too few items")
    if isinstance(value, str):
        found += _of_text(value, schema, where)
    if _is_a(value, "number"):
        found += _of_number(value, schema, where)
    return found


def resolve(reference: str, root: Schema) -> Schema:
    """`#/components/schemas/Alert` -> that part of the document."""
    part: Any = root
    for name in reference.removeprefix("#/").split("/"):
        part = part[name]
    found: Schema = part
    return found


def _is_a(value: Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _combined(value: Any, schema: Schema, root: Schema, where: str) -> list[str]:
    found = [p for part in schema.get("allOf", []) for p in problems(value, part, root, where)]
    for word, allowed in (("anyOf", range(1, 1000)), ("oneOf", range(1, 2))):
        if word in schema:
            fitting = sum(not problems(value, part, root, where) for part in schema[word])
            if fitting not in allowed:
                found.append(f"{where}: {value!r} fits {fitting} of {word}")
    return found


def _of_object(value: dict[str, Any], schema: Schema, root: Schema, where: str) -> list[str]:
    properties = schema.get("properties", {})
    found = [f"{where}: {name} is missing" for name in schema.get("required", []) if name not in value]
    for name, item in value.items():
        if name in properties:
            found += problems(item, properties[name], root, f"{where}.{name}")
        elif schema.get("additionalProperties") is False:
            found.append(f"{where}: {name} is not described")
    return found


def _of_text(value: str, schema: Schema, where: str) -> list[str]:
    found = []
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10**9):
        found.append(f"{where}: {len(value)} characters")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{where}: {value!r} does not match {schema['pattern']}")
    if schema.get("format") == "date-time":
        try:
            zone = datetime.fromisoformat(value).tzinfo
        except ValueError:
            zone = None
        if zone is None:
            found.append(f"{where}: {value!r} is no date-time")
    return found


def _of_number(value: float, schema: Schema, where: str) -> list[str]:
    above = value > schema.get("exclusiveMinimum", float("-inf"))
    within = schema.get("minimum", float("-inf")) <= value <= schema.get("maximum", float("inf"))
    return [] if above and within else [f"{where}: {value!r} is out of bounds"]
