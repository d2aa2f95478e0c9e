"""One form for the usage that any provider states: tokens of a model in a stretch of time. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation, Overflow
from typing import Any, NamedTuple

from rice_stream.errors import UsageError
from rice_stream.instants import SECOND_US, YEAR_MAX, YEAR_MIN, epoch_us

TOKENS_MAX = 10**15
"""Of one row: more is no use of a month, and sums of a file's rows stay exact in every reader."""
_SECONDS_MAX = 10**11
_SHOWN_MAX = 40
_EARLIEST_US, _LATEST_US = (epoch_us(datetime(year, 1, 1, tzinfo=UTC)) for year in (YEAR_MIN, YEAR_MAX + 1))


class UsageRow(NamedTuple):
    """`input_tokens` include those read from and written to a cache; `cached_tokens` say how many, None where the file does not."""

    start_us: int
    end_us: int | None
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int | None = None


class NotUsage(NamedTuple):
    """A row of the file that states no tokens, and why that is thought."""

    why: str


class Unused(NamedTuple):
    """A stretch of time of which the file says that nothing was used: it is a part of what the file is of."""

    start_us: int
    end_us: int | None


Read = UsageRow | NotUsage | Unused
Reader = Callable[[Any], Iterator[Read]]
"""Takes one JSON document, or one row of CSV by its header in lower case."""


def whole(value: Any, name: str) -> int:
    """A number of tokens; nothing is 0. UsageError: it is none."""
    if value is None or value == "":
        return 0
    try:
        number = Decimal(str(value).replace(",", ""))
    except InvalidOperation as error:
        raise UsageError(f"{name}: {shown(value)} is no number") from error
    # Bounds first: the digits of `1e999999999` would fill the memory.
    if not number.is_finite() or not 0 <= number <= TOKENS_MAX or number != number.to_integral_value():
        raise UsageError(f"{name}: {shown(value)} is no number of tokens")
    return int(number)


def scaled(value: Any, unit: str, name: str) -> int:
    """A quantity in a unit such as `1K tokens` or `1M` as a number of tokens, rounded. UsageError: it is none."""
    found = re.match(r"\s*([\d.,]*)\s*([kKmM]?)", unit)
    try:
        each = Decimal((found[1].replace(",", "") if found and found[1] else "") or 1)
        each *= {"": 1, "k": 1_000, "m": 1_000_000}[found[2].lower() if found else ""]
        amount = Decimal(str(value)) * each
    except (InvalidOperation, Overflow) as error:
        raise UsageError(f"{name}: {shown(value)} is no quantity in {shown(unit)}") from error
    if not amount.is_finite() or not 0 <= amount <= TOKENS_MAX:
        raise UsageError(f"{name}: {shown(value)} in {shown(unit)} is no number of tokens")
    return round(amount)


def instant_us(value: Any, name: str) -> int:
    """Epoch seconds, ISO text (UTC where it has no zone) or a date, as microseconds. UsageError: it is none of these."""
    if isinstance(value, int | float) or (isinstance(value, str) and re.fullmatch(r"\d{9,11}(\.0+)?", value)):
        seconds = float(value)
        if not 0 <= seconds <= _SECONDS_MAX:
            raise UsageError(f"{name}: {shown(value)} is no time in seconds since 1970")
        return _plausible(int(seconds) * SECOND_US, value, name)
    try:
        moment = datetime.fromisoformat(str(value).strip().replace(" UTC", "+00:00"))
        at_us = epoch_us(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{name}: {shown(value)} is no time that is understood") from error
    return _plausible(at_us, value, name)


def _plausible(at_us: int, value: Any, name: str) -> int:
    if not _EARLIEST_US <= at_us < _LATEST_US:
        raise UsageError(f"{name}: {shown(value)} is outside the years {YEAR_MIN} to {YEAR_MAX}")
    return at_us


def shown(value: Any) -> str:
    """A value of a file as an error shows it: its beginning, whatever is in it."""
    text = repr(value[: 2 * _SHOWN_MAX] if isinstance(value, str) else value)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."


def first_of(row: Mapping[str, Any], *names: str) -> Any:
    """The first of these fields that there is and that says something; None: none."""
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)
