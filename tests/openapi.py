"""The API's document on disk: docs/openapi.json as this version makes it, and docs/openapi-promised.json, which others build on.

python -m tests.openapi             writes docs/openapi.json
python -m tests.openapi --promise   makes it what is promised: with a line under "Interfaces" in CHANGELOG.md for what breaks
"""

import json
import sys
from pathlib import Path
from typing import Any

from rice_stream.api.app import create_app
from rice_stream.api.document.building import document_of, text_of
from rice_stream.runtime.settings.settings import Settings

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "openapi.json"
PROMISED = ROOT / "docs" / "openapi-promised.json"


class _NoBroker:
    topic = "llm-requests"

    def check(self, timeout_s: float) -> None:
        """Nobody asks."""


def made() -> dict[str, Any]:
    """The document of this version."""
    broker: Any = _NoBroker()
    return document_of(create_app(Settings(), broker))


def breaks(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What somebody who relies on the document before would miss in the one after.

    Operations, parameters and fields of answers must stay; no parameter or field of a body may become needed.
    """
    found = []
    for path, operations in before["paths"].items():
        for method, operation in operations.items():
            now = after["paths"].get(path, {}).get(method)
            name = f"{method.upper()} {path}"
            if now is None:
                found.append(f"{name}: is gone")
                continue
            found += [f"{name}: {problem}" for problem in _parameters(operation, now)]
            found += [f"{name}: {problem}" for problem in _bodies(operation, now)]
    for name, schema in before["components"]["schemas"].items():
        now = after["components"]["schemas"].get(name)
        if now is None:
            found.append(f"schema {name}: is gone")
            continue
        gone = set(schema.get("properties", {})) - set(now.get("properties", {}))
        found += [f"schema {name}: {field} is gone" for field in sorted(gone)]
        lost = set(schema.get("required", ())) - set(now.get("required", ()))
        found += [f"schema {name}: {field} may be missing" for field in sorted(lost - gone)]
    return found


def _parameters(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    old = {each["name"] for each in before.get("parameters", ())}
    new = {each["name"]: each.get("required", False) for each in after.get("parameters", ())}
    found = [f"the parameter {name} is gone" for name in sorted(old - set(new))]
    return found + [f"the parameter {name} is needed" for name, needed in new.items() if needed and name not in old]


def _bodies(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    def schema(operation: dict[str, Any]) -> dict[str, Any]:
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        described: dict[str, Any] = content.get("schema", {})
        return described

    old, new = schema(before), schema(after)
    gone = set(old.get("properties", {})) - set(new.get("properties", {}))
    needed = set(new.get("required", ())) - set(old.get("required", ()))
    return [f"the field {name} is gone" for name in sorted(gone)] + [
        f"the field {name} is needed" for name in sorted(needed)
    ]


def main() -> None:
    """Write them."""
    text = text_of(made())
    DOCUMENT.write_text(text)
    if "--promise" in sys.argv:
        PROMISED.write_text(text)


def read(path: Path) -> dict[str, Any]:
    """A document of the disk."""
    document: dict[str, Any] = json.loads(path.read_text())
    return document


if __name__ == "__main__":
    main()
