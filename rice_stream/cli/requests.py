"""A request from texts: what `estimate` and `rank` are given on the command line or in a table."""

import csv
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, TextIO

from rice_stream.errors import UsageError
from rice_stream.meter.estimating import Described
from rice_stream.quantities import (
    BATCH_SIZE_LIMITS,
    DEVICES_LIMITS,
    KV_BYTES_PER_TOKEN_LIMITS,
    PARAMS_B_LIMITS,
    PRECISIONS,
    PUE_LIMITS,
    RCI_GCO2E_PER_KWH_LIMITS,
    TOKENS_LIMITS,
    Limits,
)

_PRECISION_SPELLINGS = {"float32": "fp32", "float16": "fp16", "half": "fp16", "bfloat16": "bf16"}
"""How benchmarks and model configurations write them."""
_WHOLE = ("input_tokens", "output_tokens", "cache_read_input_tokens")
_TEXT = ("model", "hardware", "precision", "region", "profile", "provider")
_LIMITS = {
    "params_total_b": PARAMS_B_LIMITS,
    "params_active_b": PARAMS_B_LIMITS,
    "devices": DEVICES_LIMITS,
    "batch_size": BATCH_SIZE_LIMITS,
    "kv_bytes_per_token": KV_BYTES_PER_TOKEN_LIMITS,
    "pue": PUE_LIMITS,
    "rci_gco2e_per_kwh": RCI_GCO2E_PER_KWH_LIMITS,
}


@contextmanager
def open_table(path: Path) -> Iterator[TextIO]:
    """A CSV file opened for reading. UsageError, wherever in the file it turns out not to be one."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            yield stream
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text ({error.reason}); save it as UTF-8") from error
    except csv.Error as error:
        raise UsageError(f"{path}: not a CSV table ({error})") from error


def option_name(field: str) -> str:
    """`--input-tokens` for `input_tokens`."""
    return f"--{field.replace('_', '-')}"


def described(cells: Mapping[str, str], label: Callable[[str], str]) -> Described:
    """A request from texts. UsageError names the option or cell, and what is allowed."""
    values: dict[str, Any] = {}
    known = {field.name for field in fields(Described)}
    for name, cell in cells.items():
        text = cell.strip()
        if name not in known or not text:
            continue
        if name in _TEXT:
            values[name] = text
        else:
            values[name] = _whole(text, label(name)) if name in _WHOLE else number(text, name, label(name))
    for name in ("input_tokens", "output_tokens"):
        if name not in values:
            raise UsageError(f"{label(name)}: is needed (0 or more)")
    if "precision" in values:
        values["precision"] = _precision(values["precision"], label("precision"))
    return Described(**values)


def _precision(text: str, label: str) -> str:
    name = _PRECISION_SPELLINGS.get(text.lower(), text.lower())
    if name not in PRECISIONS:
        raise UsageError(f"{label}: {text!r} is not one of {', '.join(PRECISIONS)}")
    return name


def _whole(text: str, label: str) -> int:
    return int(_within(TOKENS_LIMITS, text, label))


def number(text: str, name: str, label: str) -> float:
    """A number within the limits of the field `name`. UsageError names `label` and what is allowed."""
    return _within(_LIMITS[name], text, label)


def _within(limits: Limits, text: str, label: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not limits.allow(number):
        raise UsageError(f"{label}: {text!r} is not {limits}")
    return number
