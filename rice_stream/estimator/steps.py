"""One line of an estimate's arithmetic, as `rice-stream explain` and `rice-stream estimate` print it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One intermediate result: how it was computed (`formula`, numbers put in) and where its constants are from."""

    name: str
    formula: str
    value: float
    unit: str
    source: str
