"""Reference data: model parameters, accelerators, carbon intensities, PUE. One loader, pure look-ups.

`load_reference` reads the shipped tables and a user's overlay; everything else here is a pure function of them.
docs/reference-data.md has the sources, the ladders and how to overlay one's own figures.
"""

from rice_stream.reference.hardware import DEFAULT_HARDWARE
from rice_stream.reference.loader import load_reference
from rice_stream.reference.lookup import Reference
from rice_stream.reference.pue import PAPER_DEFAULT_PUE
from rice_stream.reference.types import (
    KNOWN_MODEL_RUNGS,
    MODEL_RUNGS,
    REGION_RUNGS,
    SCOPES,
    HardwareFactor,
    ModelFactor,
    PueFactor,
    RegionFactor,
)

__all__ = [
    "DEFAULT_HARDWARE",
    "KNOWN_MODEL_RUNGS",
    "MODEL_RUNGS",
    "PAPER_DEFAULT_PUE",
    "REGION_RUNGS",
    "SCOPES",
    "HardwareFactor",
    "ModelFactor",
    "PueFactor",
    "Reference",
    "RegionFactor",
    "load_reference",
]
