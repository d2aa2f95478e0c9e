"""A site's own correction of a method, today of `rice-calibrated`: what `rice-stream calibrate` makes from measured rows.

The method's joules are multiplied with a factor per hardware. What the method may err on models that it has not seen becomes what
the site's own models err, the more of them were measured; its own rows may widen the range too. It holds for requests whose
hardware is known to be that hardware.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rice_stream.errors import UsageError

FORMAT = "rice-site-1"
PRIOR_MODELS = 4.0
"""How many measured models the method's own error counts for."""


@dataclass(frozen=True, slots=True)
class SiteCorrection:
    """Measured over predicted joules on one hardware; `low` and `high` bound log(measured / corrected) for 80 % of rows.

    `scatter` is the root mean square of log(measured / corrected) of the models, each corrected by the others' rows; None where
    one model alone was measured (and in files of before).
    """

    factor: float
    low: float
    high: float
    rows: int
    models: int
    scatter: float | None = None

    def law_log_sd(self, log_sd: float) -> float:
        """The method's own error for a model, as a standard deviation of logarithms, after what the site measured.

        Variances are weighed by the number of models that each rests on: with the scatter of two models a third of the way,
        with four half of it.
        """
        if self.scatter is None:
            return log_sd
        prior, own = PRIOR_MODELS * log_sd**2, self.models * self.scatter**2
        return math.sqrt((prior + own) / (PRIOR_MODELS + self.models))


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
                **({} if one.scatter is None else {"scatter": float(f"{one.scatter:.4g}")}),
            }
            for key, one in sorted(hardware.items())
        },
    }
    return (json.dumps(fields, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _factor(name: str, row: Mapping[str, Any]) -> SiteCorrection:
    scatter = row.get("scatter")
    one = SiteCorrection(
        float(row["factor"]),
        float(row["low"]),
        float(row["high"]),
        int(row["rows"]),
        int(row["models"]),
        None if scatter is None else float(scatter),
    )
    if not (0 < one.factor < math.inf and -math.inf < one.low <= 0 <= one.high < math.inf):
        raise ValueError(f"field hardware.{name}: factor must be above 0, low 0 or less, high 0 or more")
    if one.models < 0 or (one.scatter is not None and not 0 <= one.scatter < math.inf):
        raise ValueError(f"field hardware.{name}: models and scatter must be 0 or more")
    return one
