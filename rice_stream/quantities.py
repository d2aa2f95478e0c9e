"""Quantities: ranges, limits, columns of numbers, and the names and units of what is counted."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

MICRO = 1_000_000
"""Stored amounts are integers of a millionth of their unit: microwatt-hours, micrograms CO2e, microlitres."""

UNKNOWN = -1
"""Stands for null in a column of integers. No count, key or duration is negative."""

AMOUNT_COLUMNS = (
    "it_energy_uwh",
    "facility_energy_uwh",
    "carbon_low_ugco2e",
    "carbon_mid_ugco2e",
    "carbon_high_ugco2e",
)
"""What is estimated of every prompt, in records, totals and answers; `meter.amounts.Amounts` has a field of each name."""

MEASURES = (
    "prompts",
    "input_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
    *AMOUNT_COLUMNS,
    "impact_prompts",
    "embodied_ugco2e",
    "water_ul",
    "carbon_market_ugco2e",
)
"""What every total counts, in the column order of every totals table. `impact_prompts` are those whose method gives embodied
carbon and water."""

MARKET_COLUMN = "carbon_market_ugco2e"
"""Carbon by the contracts and the residual mix of the market, where something is known of them; in a record null where it is the
middle by location."""

IMPACT_COLUMNS = ("embodied_ugco2e", "water_ul")
"""Kept with a record beside its carbon, null where the method does not give them."""

ENTRY_AMOUNTS = MEASURES
"""What an entry changes: all that totals count."""

PrecisionName = Literal["fp32", "fp16", "bf16", "fp8", "int8", "int4", "mxfp4"]
"""Number format of a model's weights."""
PRECISIONS: tuple[PrecisionName, ...] = get_args(PrecisionName)

TOKENS_MAX = 2**31 - 1
"""Most tokens of one request: counts are stored as 32-bit integers."""
NAME_LENGTH_MAX = 256
"""Longest identifier or name of an event, in characters."""
_UNSTORABLE = re.compile("[\\0\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Whether databases can hold the text: it has no NUL, and no half of a surrogate pair."""
    return _UNSTORABLE.search(text) is None


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


@dataclass(frozen=True, slots=True)
class ListPrice:
    """What a provider asks for a model, in USD per million tokens. All above 0; cached input costs as much as other input
    where nothing else is listed."""

    input: float
    cache_read: float
    output: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The values that a number may have: finite, from `at_least` or above `above`, up to `up_to`; whole where `whole`.

    It stands in `Annotated[float, Limits(...)]`, where pydantic reads it as a group of `annotated_types` constraints.
    """

    at_least: float | None = None
    above: float | None = None
    up_to: float | None = None
    whole: bool = False

    __is_annotated_types_grouped_metadata__ = True

    def __iter__(self) -> Iterator[Any]:
        """The limits as constraints of `annotated_types`."""
        import annotated_types

        if self.above is not None:
            yield annotated_types.Gt(self.above)
        if self.at_least is not None:
            yield annotated_types.Ge(self.at_least)
        if self.up_to is not None:
            yield annotated_types.Le(self.up_to)

    def allow(self, number: float) -> bool:
        """Whether the number is within the limits; NaN and infinities never are."""
        return (
            math.isfinite(number)
            and (self.above is None or number > self.above)
            and (self.at_least is None or number >= self.at_least)
            and (self.up_to is None or number <= self.up_to)
            and (not self.whole or number == int(number))
        )

    def __str__(self) -> str:
        """What is allowed, for messages: `a number above 0 up to 10000`, `a whole number from 0 up to 2147483647`."""
        words = ["a whole number" if self.whole else "a number"]
        if self.above is not None:
            words.append(f"above {_plain(self.above)}")
        if self.at_least is not None:
            words.append(f"from {_plain(self.at_least)}")
        if self.up_to is not None:
            words.append(f"up to {_plain(self.up_to)}")
        return " ".join(words)


def _plain(number: float) -> str:
    """Without an exponent or a superfluous `.0`: 1000000, 0.5."""
    return str(int(number)) if number == int(number) else str(number)


TOKENS_LIMITS = Limits(at_least=0, up_to=TOKENS_MAX, whole=True)
"""Tokens of one request."""
DEFAULT_TOKENS_LIMITS = Limits(at_least=1, up_to=TOKENS_MAX, whole=True)
"""Tokens that are assumed where an event does not know its count."""
DEVICES_LIMITS = Limits(above=0, up_to=10_000)
"""Accelerators that hold one copy of a model; a fraction where several models share one."""
BATCH_SIZE_LIMITS = Limits(at_least=1, up_to=1_000_000)
"""Requests decoded together, on average. A request is always in its own batch, so the average over requests is 1 or more."""
UTILISATION_LIMITS = Limits(above=0, up_to=1)
"""Share of the accelerators' rated power that is drawn."""
TDP_W_LIMITS = Limits(above=0, up_to=100_000)
"""Rated power of one accelerator. Wafer-scale ones draw some 23,000 W."""
PUE_LIMITS = Limits(at_least=1, up_to=3)
"""Facility energy over IT energy."""
RCI_GCO2E_PER_KWH_LIMITS = Limits(at_least=0, up_to=2000)
"""Carbon intensity of electricity."""
PARAMS_B_LIMITS = Limits(above=0, up_to=1_000_000)
"""Parameters of a model, in billions."""
KV_BYTES_PER_TOKEN_LIMITS = Limits(at_least=0, up_to=1_000_000_000)
"""Key-value cache of one token; 0 for a model without attention."""

TokenCount = Annotated[int, TOKENS_LIMITS]
DefaultTokens = Annotated[int, DEFAULT_TOKENS_LIMITS]
Devices = Annotated[float, DEVICES_LIMITS]
BatchSize = Annotated[float, BATCH_SIZE_LIMITS]
Utilisation = Annotated[float, UTILISATION_LIMITS]
TdpW = Annotated[float, TDP_W_LIMITS]
Pue = Annotated[float, PUE_LIMITS]
RciGco2ePerKwh = Annotated[float, RCI_GCO2E_PER_KWH_LIMITS]


def __getattr__(name: str) -> Any:
    """`Floats` and `Ints`, (n,) columns of numpy: loaded by who computes, so that a report need not wait for numpy."""
    if name not in {"Floats", "Ints"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import numpy as np
    from numpy.typing import NDArray

    return NDArray[np.float64] if name == "Floats" else NDArray[np.int64]
