"""Mappings from a CSV or YAML file."""

import csv
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from rice_stream.errors import UsageError

MAX_FILE_BYTES = 16 * 1024 * 1024


def read_mapping_file(path: Path) -> list[Mapping[str, Any]]:
    """The lines of a file, by their fields, unchecked: a table with a heading (`.csv`), or else YAML or JSON, a list or
    `{"mappings": [...]}`. UsageError: it cannot be read, or is none of these."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UsageError(f"{path}: larger than {MAX_FILE_BYTES} bytes; split it")
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text ({error.reason}); save it as UTF-8") from error
    return _of_table(path, text) if path.suffix.lower() == ".csv" else _of_yaml(path, text)


def _of_table(path: Path, text: str) -> list[Mapping[str, Any]]:
    rows = csv.DictReader(text.splitlines(), strict=True)
    try:
        lines = list(rows)
    except csv.Error as error:
        raise UsageError(f"{path}: not a CSV table ({error})") from error
    for number, line in enumerate(lines, start=1):
        if None in line or None in line.values():
            raise UsageError(f"{path}: mapping {number} has more or fewer cells than the heading")
    return list(lines)


def _of_yaml(path: Path, text: str) -> list[Mapping[str, Any]]:
    # Loaded here: the other commands about mappings read no file.
    import yaml

    try:
        loaded = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise UsageError(f"{path} is not YAML: {error}") from error
    lines = loaded.get("mappings") if isinstance(loaded, dict) else loaded
    if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
        raise UsageError(f"{path}: must be a list of mappings, or have one under `mappings`")
    # YAML knows instants and dates itself.
    return [
        {name: value.isoformat() if isinstance(value, date) else value for name, value in line.items()}
        for line in lines
    ]
