"""What the plain readers share: the types of wanted fields, times, counts and the finished event.

A plain reader never decides anything new. It either makes of a record exactly what the format's full decoder makes of it, or
raises NotPlainError, and the full decoder decides. So every type here is as narrow as usual records allow.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from rice_stream.events.canonical import UsageQuality, WireEvent
from rice_stream.events.formats.reading import vocabulary
from rice_stream.events.formats.reading.moments import END_US, FIRST_US, moment, spell_us
from rice_stream.events.formats.reading.tokens import TokenCounts, normalise
from rice_stream.events.formats.reading.values import failed_http_status, text
from rice_stream.events.records import Ignored
from rice_stream.instants import SECOND_US, epoch_us
from rice_stream.quantities import NAME_LENGTH_MAX, TOKENS_MAX

Name = Annotated[str, msgspec.Meta(max_length=NAME_LENGTH_MAX)] | None
"""Text that may become a name. Absent and null are one."""
Count = Annotated[int, msgspec.Meta(ge=0, le=TOKENS_MAX)] | None
MaybeCount = Annotated[int, msgspec.Meta(ge=0, le=TOKENS_MAX)] | None | UnsetType
"""A count of which it matters whether its name is there."""
Guard = Annotated[int, msgspec.Meta(ge=1, le=0)] | UnsetType
"""A field that no usual record has: where it is there, whatever it holds, decoding fails, and the full decoder decides."""
Time = int | float | str | None
EVENT = WireEvent(event_id="-", ended_at="-", tenant_id="-", input_tokens=None, output_tokens=None)
"""Every event is this one with its fields replaced."""
Found = tuple[WireEvent, str]
"""An event, and which rung named its region."""
PlainItem = Found | Ignored

_SECONDS_MIN, _SECONDS_MAX = FIRST_US / SECOND_US, END_US / SECOND_US - 1
_MILLISECONDS_MIN, _MILLISECONDS_MAX = FIRST_US // 1000, END_US // 1000
_SECOND_DIGITS, _MILLISECOND_DIGITS = 20, 24


class NoOtherEnvelope(msgspec.Struct, kw_only=True, gc=False):
    """What an object of a format has not: names by which a whole record is an event's envelope, or an export of OTLP's."""

    specversion: Guard = UNSET
    resource_spans: Guard = msgspec.field(name="resourceSpans", default=UNSET)
    resource_logs: Guard = msgspec.field(name="resourceLogs", default=UNSET)
    resource_metrics: Guard = msgspec.field(name="resourceMetrics", default=UNSET)


class NoOtherFormat(NoOtherEnvelope, kw_only=True, gc=False):
    """The same, and names by which it is a batch of Langfuse's, or something around a reply."""

    batch: Guard = UNSET
    body: Guard = UNSET


class NotPlainError(Exception):
    """The record is for the full decoder."""


word = lru_cache(maxsize=4096)(text)
"""`text`, remembered: for names of which a stream of events has few."""
provider = lru_cache(maxsize=1024)(vocabulary.provider)
operation = lru_cache(maxsize=1024)(vocabulary.operation)
operation_of_path = lru_cache(maxsize=1024)(vocabulary.operation_of_path)
failed_status = lru_cache(maxsize=1024)(failed_http_status)


def time_us(value: Time, field: str) -> int | None:
    """Epoch microseconds of a time in any spelling; None for none."""
    if type(value) is float and _SECONDS_MIN <= value < _SECONDS_MAX:
        return round(value * 1_000_000.0)
    if type(value) is int and _MILLISECONDS_MIN <= value < _MILLISECONDS_MAX:
        return value * 1000
    if type(value) is str and (second_us := _start_of_second_us(value[:19])) is not None:
        fraction_us = _fraction_us(value)
        if fraction_us is not None:
            return second_us + fraction_us
    found = moment(value, field)
    return None if found is None else found.us


def instant(value: str | None, field: str) -> tuple[int, str] | None:
    """`time_us` and `spelled` of a text; None for none."""
    if value is not None and len(value) == _MILLISECOND_DIGITS and value[23] == "Z" and value[19] == ".":
        second_us, digits = _start_of_second_us(value[:19]), value[20:23]
        if second_us is not None and digits.isdigit() and digits.isascii():
            return second_us + int(digits) * 1000, f"{value[:23]}000Z"
    us = time_us(text(value), field)
    return None if us is None else (us, spelled(us))


def spelled(us: int) -> str:
    """The canonical spelling. NotPlainError: outside the years that count."""
    second = us // SECOND_US
    return f"{_spelled_second(second)}.{us - second * SECOND_US:06d}Z"


@lru_cache(maxsize=4096)
def _spelled_second(second: int) -> str:
    us = second * SECOND_US
    if not FIRST_US <= us < END_US:
        raise NotPlainError
    return spell_us(us)[:19]


def spelled_time(value: Time, field: str) -> str | None:
    """`spelled` of a time in any spelling; None for none."""
    if type(value) is str and _start_of_second_us(value[:19]) is not None:
        length = len(value)
        if length == _MILLISECOND_DIGITS and value[-1] == "Z" and _fraction_us(value) is not None:
            return f"{value[:23]}000Z"
        if length == _SECOND_DIGITS and value[19] == "Z":
            return f"{value[:19]}.000000Z"
    us = time_us(value, field)
    return None if us is None else spelled(us)


@lru_cache(maxsize=4096)
def _start_of_second_us(written: str) -> int | None:
    """Of `2026-11-22T19:00:03`, written so and in the years that count; None for anything else."""
    if len(written) != 19 or not written.isascii():
        return None
    if (written[4], written[7], written[10], written[13], written[16]) != ("-", "-", "T", ":", ":"):
        return None
    try:
        second_us = epoch_us(datetime.fromisoformat(written).replace(tzinfo=UTC))
    except ValueError:
        return None
    return second_us if FIRST_US <= second_us < END_US else None


def _fraction_us(written: str) -> int | None:
    """Microseconds after the second that a text begins with: 0, 3 or 6 digits and a zone; None for another spelling."""
    if not written.isascii():
        return None
    zone = "Z" if written[-1] == "Z" else written[-6:]
    digits, offset_us = written[19 : -len(zone)], _offset_us(zone)
    if offset_us is None:
        return None
    if not digits:
        return -offset_us
    length = len(digits)
    if length not in (4, 7) or digits[0] != "." or not digits[1:].isdigit():
        return None
    return int(digits[1:]) * (1000 if length == 4 else 1) - offset_us


@lru_cache(maxsize=256)
def _offset_us(written: str) -> int | None:
    """Of `+01:00` or `Z`; None for what is not written so."""
    if written == "Z":
        return 0
    if len(written) != 6 or written[0] not in "+-" or written[3] != ":" or not (written[1:3] + written[4:]).isdigit():
        return None
    hours, minutes = int(written[1:3]), int(written[4:])
    if hours > 23 or minutes > 59:
        return None
    us = (hours * 3600 + minutes * 60) * SECOND_US
    return us if written[0] == "+" else -us


Usage = tuple[int | None, int | None, int | None, int | None, int | None, UsageQuality]
"""Input, cache read, cache write, output, reasoning, inclusive; and how good they are."""


_NOT_SAID: Usage = (None, None, None, None, None, "missing")


def inclusive(
    given: int | None,
    cache_read: int | None,
    cache_write: int | None,
    written: int | None,
    reasoning: int | None,
    total: int | None,
    *,
    cached_outside: bool = False,
    reasoning_outside: bool = False,
) -> Usage:
    """`normalise` of these counts; quickly where they agree with what the source states."""
    if given is not None and written is not None:
        cached, thought = (cache_read or 0) + (cache_write or 0), reasoning or 0
        whole = given + cached if cached_outside else given
        answer = written + thought if reasoning_outside else written
        fits = cached <= whole <= TOKENS_MAX and thought <= answer <= TOKENS_MAX
        if fits and (total is None or total == whole + answer):
            return whole, cache_read, cache_write, answer, reasoning, "reported"
    elif given is None and written is None and total is None:
        return _NOT_SAID
    counts = TokenCounts(
        input_tokens=given,
        cache_read=cache_read,
        cache_write=cache_write,
        output_tokens=written,
        reasoning=reasoning,
        total=total,
        cached_outside=cached_outside,
        reasoning_outside=reasoning_outside,
    )
    return inclusive_of(counts)


def inclusive_of(counts: TokenCounts) -> Usage:
    """`normalise` of the counts. NotPlainError: they cannot be those of an event."""
    usage = normalise(counts)
    whole, cache_read, cache_write, written, reasoning = usage[:5]
    if max(whole or 0, written or 0, cache_read or 0, cache_write or 0, reasoning or 0) > TOKENS_MAX:
        raise NotPlainError
    if whole is not None and (cache_read or 0) + (cache_write or 0) > whole:
        raise NotPlainError
    if written is not None and (reasoning or 0) > written:
        raise NotPlainError
    return whole, cache_read, cache_write, written, reasoning, usage.quality
