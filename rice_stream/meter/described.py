"""Requests that are described rather than observed, and how they are read from texts or plain values. Pure.

The command line, tables and the HTTP API describe requests by the same fields, with the same limits.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from rice_stream.errors import UsageError
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
_LIMITS = {
    "input_tokens": TOKENS_LIMITS,
    "output_tokens": TOKENS_LIMITS,
    "cache_read_input_tokens": TOKENS_LIMITS,
    "params_total_b": PARAMS_B_LIMITS,
    "params_active_b": PARAMS_B_LIMITS,
    "devices": DEVICES_LIMITS,
    "batch_size": BATCH_SIZE_LIMITS,
    "kv_bytes_per_token": KV_BYTES_PER_TOKEN_LIMITS,
    "pue": PUE_LIMITS,
    "rci_gco2e_per_kwh": RCI_GCO2E_PER_KWH_LIMITS,
}
"""Of the fields that are numbers; every other field is a text."""


@dataclass(frozen=True, slots=True)
class Described:
    """One request. `model` or `params_total_b` is needed; tokens are inclusive, per request."""

    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int = 0
    model: str | None = None
    params_total_b: float | None = None
    params_active_b: float | None = None
    provider: str | None = None
    region: str | None = None
    hardware: str | None = None
    devices: float | None = None
    batch_size: float | None = None
    precision: str | None = None
    kv_bytes_per_token: float | None = None
    pue: float | None = None
    rci_gco2e_per_kwh: float | None = None
    profile: str | None = None

    def __post_init__(self) -> None:
        if self.model is None and self.params_total_b is None:
            raise UsageError("model: give a model name, or its size as params_total_b (billions of parameters)")
        if self.params_active_b is not None and self.params_active_b > (self.params_total_b or self.params_active_b):
            raise UsageError("params_active_b: cannot be larger than params_total_b")
        if self.cache_read_input_tokens > self.input_tokens:
            raise UsageError("cache_read_input_tokens: cannot exceed input_tokens, which includes them")


FIELDS = frozenset(field.name for field in fields(Described))


def described(values: Mapping[str, object], label: Callable[[str], str] = str) -> Described:
    """A request from texts or plain values by the names of its fields; None, a blank text and any other name are left out.

    `label` gives the name under which a field is known to whoever wrote it, such as `--input-tokens`.

    Raises:
        UsageError: a value that is missing or not allowed; it names the field by its label, and what is allowed.
    """
    read = {name: value_of(name, values[name], label(name)) for name in values if name in FIELDS}
    for name in ("input_tokens", "output_tokens"):
        if read.get(name) is None:
            raise UsageError(f"{label(name)}: is needed (0 or more)")
    return Described(**{name: value for name, value in read.items() if value is not None})


def value_of(field: str, value: object, label: str) -> Any:
    """The value of a field of `Described`, from a text or a plain value; None for None or a blank text.

    Raises:
        UsageError: the value is not allowed; it names `label`, and what is allowed.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if field in _LIMITS:
        return _number(value, _LIMITS[field], label)
    if not isinstance(value, str):
        raise UsageError(f"{label}: {value!r} is not a text")
    return _precision(value.strip(), label) if field == "precision" else value.strip()


def _precision(text: str, label: str) -> str:
    name = _PRECISION_SPELLINGS.get(text.lower(), text.lower())
    if name not in PRECISIONS:
        raise UsageError(f"{label}: {text!r} is not one of {', '.join(PRECISIONS)}")
    return name


def _number(value: object, limits: Limits, label: str) -> float | int:
    if isinstance(value, str):
        value = value.strip()
    number = math.nan
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
    if not limits.allow(number):
        raise UsageError(f"{label}: {value!r} is not {limits}")
    return int(number) if limits.whole else number
