"""One form for the carbon that any cloud states: micrograms of a service in a calendar month of UTC. Pure."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from rice_stream.errors import UsageError
from rice_stream.instants import datetime_of
from rice_stream.reports.usage_exports.rows import instant_us, shown

KILOGRAM_UG, TONNE_UG = 10**9, 10**12
STATED_MAX_UG = 10**15
"""A thousand tonnes: more is a figure in another unit."""
_DEPTH = 3


class CarbonRow(NamedTuple):
    """What a file states of a service. None: the file does not say; of the month, that the whole file is of the one asked for.

    `embodied`: whether the hardware's own carbon is in the figures; `version`: of the cloud's own model of it.
    """

    month: str | None
    service: str
    location_ugco2e: int | None
    market_ugco2e: int | None
    embodied: bool | None = None
    version: str = ""


class NotCarbon(NamedTuple):
    """A row of the file that states no carbon of a month, and why that is thought."""

    why: str


CarbonReader = Callable[[Any], Iterator[CarbonRow | NotCarbon]]
"""Takes one JSON document, or one row of CSV by its header in lower case."""


def flat(document: Any) -> dict[str, Any]:
    """A document's fields in lower case, those of objects within by their path with dots: nested as BigQuery has it, or CSV."""
    return dict(_fields(document, _DEPTH))


def _fields(document: Mapping[str, Any], depth: int) -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        if not isinstance(value, Mapping):
            yield name.lower(), value
        elif depth:
            yield from ((f"{name.lower()}.{inner}", found) for inner, found in _fields(value, depth - 1))


def micrograms(value: Any, unit_ug: int, name: str) -> int | None:
    """A stated amount in a unit of so many micrograms, rounded; None: nothing is stated. UsageError: it is no such amount."""
    if value is None or value == "":
        return None
    try:
        amount = Decimal(str(value).strip())
    except InvalidOperation as error:
        raise UsageError(f"{name}: {shown(value)} is no number") from error
    # Bounds first: the digits of `1e999999999` would fill the memory.
    if not amount.is_finite() or not 0 <= amount <= STATED_MAX_UG // unit_ug:
        raise UsageError(f"{name}: {shown(value)} is no carbon of a month from 0 to {STATED_MAX_UG // unit_ug:,}")
    return round(amount * unit_ug)


def month_of(value: Any, name: str) -> str:
    """`2026-10` of a date or an instant within the month, in UTC. UsageError: it is none."""
    return f"{datetime_of(instant_us(value, name)):%Y-%m}"
