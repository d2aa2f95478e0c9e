"""A site's own correction of a method, today of `rice-calibrated`: what `rice-stream calibrate` makes from measured rows.

The method's joules are multiplied with a factor per hardware, its interval keeps its width around the new middle, or gets
wider where the site's own rows say so. It holds for requests whose hardware is known to be that hardware.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rice_stream.errors import UsageError

FORMAT = "rice-site-1"


@dataclass(frozen=True, slots=True)
class SiteCorrection:
    """Measured over predicted joules on one hardware; `low` and `high` bound log(measured / corrected) for 80 % of rows."""

    factor: float
    low: float
    high: float
    rows: int
    models: int


@dataclass(frozen=True, slots=True)
class SiteProfile:
    """A site profile. `method_version` is the version it corrects; it fits no other."""

    name: str
    method_version: str
    hardware: Mapping[str, SiteCorrection]
    digest: str


def parse_site(content: bytes, file: str) -> SiteProfile:
    """Reads a site file. UsageError names file and field, and says how to make a new file."""
    try:
        fields: dict[str, Any] = json.loads(content)
        if fields["format"] != FORMAT:
            raise ValueError(f"field format: {fields['format']!r} is not {FORMAT!r}")
        hardware = {name: _factor(name, row) for name, row in fields["hardware"].items()}
        digest = hashlib.sha256(content).hexdigest()
        return SiteProfile(str(fields["name"]), str(fields["method_version"]), hardware, digest)
    except KeyError as missing:
        raise UsageError(f"{file}: field {missing} is missing; make a new one with `rice-stream calibrate`") from None
    except (ValueError, TypeError, AttributeError) as wrong:
        raise UsageError(f"{file}: {wrong}; make a new one with `rice-stream calibrate`") from None


def serialise_site(name: str, method_version: str, source: str, hardware: Mapping[str, SiteCorrection]) -> bytes:
    """The bytes of a site file; the same values give the same bytes."""
    fields = {
        "format": FORMAT,
        "name": name,
        "method_version": method_version,
        "source": source,
        "hardware": {
            key: {
                "factor": float(f"{one.factor:.4g}"),
                "low": float(f"{one.low:.4g}"),
                "high": float(f"{one.high:.4g}"),
                "rows": one.rows,
                "models": one.models,
            }
            for key, one in sorted(hardware.items())
        },
    }
    return (json.dumps(fields, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _factor(name: str, row: Mapping[str, Any]) -> SiteCorrection:
    one = SiteCorrection(
        float(row["factor"]), float(row["low"]), float(row["high"]), int(row["rows"]), int(row["models"])
    )
    if not (0 < one.factor < math.inf and -math.inf < one.low <= 0 <= one.high < math.inf):
        raise ValueError(f"field hardware.{name}: factor must be above 0, low 0 or less, high 0 or more")
    return one
