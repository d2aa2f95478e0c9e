"""Quantities: ranges, columns of numbers, and the names and units of what is counted."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

MICRO = 1_000_000
"""Stored amounts are integers of a millionth of their unit: microwatt-hours, micrograms CO2e, microlitres."""

UNKNOWN = -1
"""Stands for null in a column of integers. No count, key or duration is negative."""

MEASURES = (
    "prompts",
    "input_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
    "it_energy_uwh",
    "facility_energy_uwh",
    "carbon_low_ugco2e",
    "carbon_mid_ugco2e",
    "carbon_high_ugco2e",
)
"""What every total counts, in the column order of every totals table."""

IMPACT_COLUMNS = ("embodied_ugco2e", "water_ul")
"""Kept with a record beside its carbon, null where the method does not give them."""


@dataclass(frozen=True, slots=True)
class Range:
    """A low, a middle and a high value of one quantity; `low <= mid <= high`."""

    low: float
    mid: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.mid <= self.high:
            raise ValueError(f"a range must be ordered low <= mid <= high, got {self.low}, {self.mid}, {self.high}")

    @classmethod
    def exact(cls, value: float) -> "Range":
        """The range of a value that is known."""
        return cls(value, value, value)


def __getattr__(name: str) -> Any:
    """`Floats` and `Ints`, (n,) columns of numpy: loaded by who computes, so that a report need not wait for numpy."""
    if name not in {"Floats", "Ints"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import numpy as np
    from numpy.typing import NDArray

    return NDArray[np.float64] if name == "Floats" else NDArray[np.int64]
