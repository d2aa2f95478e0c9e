"""Token counts of any source -> inclusive counts, and how good they are.

Canonical counts are inclusive: cached tokens are part of input, reasoning tokens of output. Sources differ in this,
some even from version to version; where a source gives a total, the total decides.
"""

from dataclasses import dataclass
from typing import NamedTuple

from rice_stream.events.canonical import UsageQuality

CHARACTERS_PER_TOKEN = 4
"""The usual rule of thumb for English text, used only where the user turned estimation on; off by 2x for other
scripts and for code. Basis: OpenAI's help article "What are tokens and how to count them"."""


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """TokenCounts as the source gives them; None where it does not say.

    `cached_outside` and `reasoning_outside` state the source's convention: whether `input_tokens` leaves cached
    tokens out, and `output_tokens` reasoning tokens. `other_input` and `other_output` are further disjoint classes
    (audio, ...) under the same convention.
    """

    input_tokens: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    output_tokens: int | None = None
    reasoning: int | None = None
    total: int | None = None
    other_input: int = 0
    other_output: int = 0
    cached_outside: bool = False
    reasoning_outside: bool = False


class Usage(NamedTuple):
    """Inclusive counts. `notes` says what had to be decided."""

    input_tokens: int | None
    cache_read_input_tokens: int | None
    cache_write_input_tokens: int | None
    output_tokens: int | None
    reasoning_output_tokens: int | None
    quality: UsageQuality
    notes: tuple[str, ...] = ()


def normalise(counts: TokenCounts) -> Usage:
    """Inclusive counts of one request.

    With both counts and a total, the convention is the first of (stated, both inclusive, cached outside, reasoning
    outside, both outside) under which input + output is the total and no part exceeds its whole. Without a total the
    stated one holds unless a part exceeds its whole. `derived` marks what differs from the stated convention, what
    was completed from the total, and a total that no reading gives.
    """
    if counts.input_tokens is None or counts.output_tokens is None:
        return _incomplete(counts)
    stated = (counts.cached_outside, counts.reasoning_outside)
    plain = _inclusive(counts, *stated)
    if _holds_its_parts(counts, *stated) and counts.total in (None, plain[0] + plain[1]):
        return _usage(counts, plain, ())
    readings = dict.fromkeys((stated, (False, False), (True, False), (False, True), (True, True)))
    possible = [reading for reading in readings if _holds_its_parts(counts, *reading)]
    agreeing = [reading for reading in possible if sum(_inclusive(counts, *reading)) == counts.total]
    chosen = (agreeing or possible)[0]
    totals = _inclusive(counts, *chosen)
    notes: tuple[str, ...] = ()
    if totals != plain:
        notes += ("other_convention",)
    if counts.total is not None and not agreeing:
        notes += ("total_disagrees",)
    return _usage(counts, totals, notes)


def _usage(counts: TokenCounts, totals: tuple[int, int], notes: tuple[str, ...]) -> Usage:
    quality: UsageQuality = "derived" if notes else "reported"
    return Usage(totals[0], counts.cache_read, counts.cache_write, totals[1], counts.reasoning, quality, notes)


def _cached(counts: TokenCounts) -> int:
    return (counts.cache_read or 0) + (counts.cache_write or 0)


def _holds_its_parts(counts: TokenCounts, cached_outside: bool, reasoning_outside: bool) -> bool:  # noqa: FBT001
    return (cached_outside or _cached(counts) <= (counts.input_tokens or 0)) and (
        reasoning_outside or (counts.reasoning or 0) <= (counts.output_tokens or 0)
    )


def _inclusive(counts: TokenCounts, cached_outside: bool, reasoning_outside: bool) -> tuple[int, int]:  # noqa: FBT001
    input_tokens, output_tokens = counts.input_tokens or 0, counts.output_tokens or 0
    if cached_outside:
        input_tokens += _cached(counts) + counts.other_input
    if reasoning_outside:
        output_tokens += (counts.reasoning or 0) + counts.other_output
    return input_tokens, output_tokens


def _incomplete(counts: TokenCounts) -> Usage:
    """One count or both are not given: what is there stays, and a total completes it."""
    input_tokens, output_tokens = counts.input_tokens, counts.output_tokens
    notes: tuple[str, ...] = ()
    if input_tokens is not None and (counts.cached_outside or _cached(counts) > input_tokens):
        input_tokens += _cached(counts) + counts.other_input
    if output_tokens is not None and (counts.reasoning_outside or (counts.reasoning or 0) > output_tokens):
        output_tokens += (counts.reasoning or 0) + counts.other_output
    known = input_tokens if output_tokens is None else output_tokens
    if counts.total is not None and known is not None and counts.total >= known:
        notes = ("completed_from_total",)
        if output_tokens is None:
            output_tokens = counts.total - known
        else:
            input_tokens = counts.total - known
    nothing = input_tokens is None and output_tokens is None
    return Usage(
        input_tokens,
        None if input_tokens is None else counts.cache_read,
        None if input_tokens is None else counts.cache_write,
        output_tokens,
        None if output_tokens is None else counts.reasoning,
        "missing" if nothing else "derived" if notes else "reported",
        notes,
    )


def estimated_tokens(characters: int) -> int:
    """Tokens of a text by its length alone: at least 1, since a text that exists was read or written."""
    return max(1, -(-characters // CHARACTERS_PER_TOKEN))
