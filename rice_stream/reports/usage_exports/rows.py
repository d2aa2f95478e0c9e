"""One form for the usage that any provider states: tokens of a model in a stretch of time. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from rice_stream.errors import UsageError
from rice_stream.instants import SECOND_US, epoch_us


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


Read = UsageRow | NotUsage
Reader = Callable[[Any], Iterator[Read]]
"""Takes one JSON document, or one row of CSV by its header in lower case."""


def whole(value: Any, name: str) -> int:
    """A number of tokens; nothing is 0. UsageError: it is none."""
    if value is None or value == "":
        return 0
    try:
        number = Decimal(str(value).replace(",", ""))
    except InvalidOperation as error:
        raise UsageError(f"{name}: {value!r} is no number") from error
    if not number.is_finite() or number < 0 or number != number.to_integral_value():
        raise UsageError(f"{name}: {value!r} is no number of tokens")
    return int(number)


def scaled(value: Any, unit: str, name: str) -> int:
    """A quantity in a unit such as `1K tokens` or `1M` as a number of tokens, rounded. UsageError: it is none."""
    found = re.match(r"\s*([\d.,]*)\s*([kKmM]?)", unit)
    each = Decimal((found[1].replace(",", "") if found and found[1] else "") or 1)
    each *= {"": 1, "k": 1_000, "m": 1_000_000}[found[2].lower() if found else ""]
    try:
        return round(Decimal(str(value)) * each)
    except (InvalidOperation, ValueError) as error:
        raise UsageError(f"{name}: {value!r} is no quantity") from error


def instant_us(value: Any, name: str) -> int:
    """Epoch seconds, ISO text (UTC where it has no zone) or a date, as microseconds. UsageError: it is none of these."""
    if isinstance(value, int | float) or (isinstance(value, str) and re.fullmatch(r"\d{9,11}(\.0+)?", value)):
        return int(float(value)) * SECOND_US
    try:
        moment = datetime.fromisoformat(str(value).strip().replace(" UTC", "+00:00"))
    except ValueError as error:
        raise UsageError(f"{name}: {value!r} is no time that is understood") from error
    return epoch_us(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment)


def first_of(row: Mapping[str, Any], *names: str) -> Any:
    """The first of these fields that there is and that says something; None: none."""
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)
