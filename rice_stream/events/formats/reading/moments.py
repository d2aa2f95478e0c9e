"""Points in time as gateways write them -> epoch microseconds and the canonical spelling."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import NamedTuple

from rice_stream.events.records import RefusedError
from rice_stream.instants import SECOND_US, YEAR_MAX, YEAR_MIN, datetime_of, epoch_us

FIRST_US = epoch_us(datetime(YEAR_MIN, 1, 1, tzinfo=UTC))
END_US = epoch_us(datetime(YEAR_MAX + 1, 1, 1, tzinfo=UTC))
_NUMBER = re.compile(r"\d{9,19}(?:\.\d{1,9})?", re.ASCII)
# Seconds of the years that count have at most 10 digits, milliseconds 12 or 13, microseconds 15 or 16: no two overlap.
_UNITS = ((1e11, 1_000_000.0), (1e14, 1_000.0), (1e17, 1.0), (float("inf"), 0.001))
_MILLISECONDS_MAX = 366 * 86_400_000
_EMPTY = frozenset({"", "-"})


class Moment(NamedTuple):
    """`zone_assumed`: the text named no time zone and was read as UTC. `of_record`: it is only when the record was made."""

    us: int
    zone_assumed: bool = False
    of_record: bool = False


def moment(value: object, field: str) -> Moment | None:
    """Epoch number (s, ms, us or ns, told apart by size), ISO 8601 text, or RFC 9110 text; None for null.

    RefusedError `invalid_field` for anything else, naming the field.
    """
    if value is None or (isinstance(value, str) and value.strip() in _EMPTY):
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_number(value, field)
    if isinstance(value, str):
        stripped = value.strip()
        if _NUMBER.fullmatch(stripped):
            return _from_number(float(stripped) if "." in stripped else int(stripped), field)
        return _from_text(stripped, field)
    raise _not_a_time(field)


def from_nanoseconds(value: object, field: str) -> Moment | None:
    """OTLP's fixed64, in JSON a decimal string; 0 means not set."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if value is None or value == 0 or value == "":
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _not_a_time(field)
    return Moment(value // 1000)


def milliseconds(value: object) -> int | None:
    """A duration in ms as whole microseconds; None where it is none (negative, longer than a year, not a number)."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _MILLISECONDS_MAX:
        return None
    return round(value * 1000)


def spell(at: Moment, field: str) -> str:
    """RFC 3339 in UTC with microseconds, as the canonical event has it. RefusedError outside the years that count."""
    if not FIRST_US <= at.us < END_US:
        raise RefusedError(
            "invalid_field", f"{field}: must lie in the years {YEAR_MIN} to {YEAR_MAX}; is the unit right?"
        )
    return spell_us(at.us)


def spell_us(us: int) -> str:
    """The same of microseconds in the years that count."""
    second, fraction_us = divmod(us, SECOND_US)
    return f"{_spelled_second(second)}.{fraction_us:06d}Z"


@lru_cache(maxsize=4096)
def _spelled_second(second: int) -> str:
    """Remembered: events come in the order of time, many in each second."""
    return datetime_of(second * SECOND_US).strftime("%Y-%m-%dT%H:%M:%S")


def _from_number(value: float, field: str) -> Moment:
    if not value >= 0 or value == float("inf"):
        raise _not_a_time(field)
    factor = next(factor for limit, factor in _UNITS if value < limit)
    if isinstance(value, int):
        return Moment(value * int(factor) if factor >= 1 else value // 1000)
    return Moment(round(value * factor))


def _from_text(stripped: str, field: str) -> Moment:
    try:
        # Only HTTP dates begin with a word ("Thu, 06 Feb 2025 05:12:33 GMT").
        parsed = parsedate_to_datetime(stripped) if stripped[:1].isalpha() else datetime.fromisoformat(stripped)
        zone_assumed = parsed.tzinfo is None
        utc = parsed.replace(tzinfo=UTC) if zone_assumed else parsed.astimezone(UTC)
    except (ValueError, OverflowError, TypeError, IndexError) as error:
        raise _not_a_time(field) from error
    return Moment(epoch_us(utc), zone_assumed)


def _not_a_time(field: str) -> RefusedError:
    return RefusedError("invalid_field", f"{field}: must be a point in time (epoch number or ISO 8601 text)")
