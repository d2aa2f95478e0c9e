"""Writes a fitted artefact as JSON that is the same, byte for byte, whenever the same numbers are written."""

import json
from pathlib import Path
from typing import Any

REGRESSORS = Path(__file__).parent.parent / "rice_stream" / "estimator" / "regressors"

SIGNIFICANT_DIGITS = 12
"""Least squares runs through BLAS, whose kernels differ between CPUs in the last bits: coefficients are cut there."""


def rounded(value: float, digits: int = SIGNIFICANT_DIGITS) -> float:
    return float(f"{value:.{digits}g}")


def artefact_bytes(fields: dict[str, Any]) -> bytes:
    """JSON with sorted keys, shortest exact floats, one line per list of numbers; ends with a newline."""
    return (_dump(fields, "") + "\n").encode()


def _dump(value: Any, indent: str) -> str:
    inner = indent + " "
    if isinstance(value, dict):
        lines = (f"{inner}{json.dumps(key)}: {_dump(value[key], inner)}" for key in sorted(value))
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and value and isinstance(value[0], list):
        return "[\n" + ",\n".join(f"{inner}{_dump(row, inner)}" for row in value) + f"\n{indent}]"
    return json.dumps(value, allow_nan=False)
