"""The token normaliser: the truth comes back from every way of writing it, and no part ever exceeds its whole."""

from hypothesis import assume, given
from hypothesis import strategies as st

from rice_stream.events.formats.reading.tokens import TokenCounts, Usage, estimated_tokens, normalise

COUNT = st.integers(0, 200_000)
MAYBE = st.none() | COUNT


@st.composite
def truths(draw: st.DrawFn) -> Usage:
    """What a request really had, inclusive."""
    plain, read, write, visible, reasoning = (draw(COUNT) for _ in range(5))
    return Usage(plain + read + write, read, write, visible + reasoning, reasoning, "reported")


def written(
    truth: Usage, *, cached_outside: bool, reasoning_outside: bool, total: bool, stated: tuple[bool, bool]
) -> TokenCounts:
    """The truth as a source with that convention writes it, and with what the source is said to do."""
    assert truth.input_tokens is not None
    assert truth.output_tokens is not None
    cached = (truth.cache_read_input_tokens or 0) + (truth.cache_write_input_tokens or 0)
    return TokenCounts(
        input_tokens=truth.input_tokens - cached * cached_outside,
        cache_read=truth.cache_read_input_tokens,
        cache_write=truth.cache_write_input_tokens,
        output_tokens=truth.output_tokens - (truth.reasoning_output_tokens or 0) * reasoning_outside,
        reasoning=truth.reasoning_output_tokens,
        total=truth.input_tokens + truth.output_tokens if total else None,
        cached_outside=stated[0],
        reasoning_outside=stated[1],
    )


@given(truths(), st.booleans(), st.booleans(), st.booleans())
def test_a_source_that_keeps_to_its_convention_is_read_exactly(
    truth: Usage, cached_outside: bool, reasoning_outside: bool, total: bool
) -> None:
    stated = (cached_outside, reasoning_outside)
    counts = written(
        truth, cached_outside=cached_outside, reasoning_outside=reasoning_outside, total=total, stated=stated
    )
    assert normalise(counts) == truth


@given(truths(), st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_a_total_corrects_a_source_that_does_not_keep_to_it(
    truth: Usage, cached_outside: bool, reasoning_outside: bool, says_cached: bool, says_reasoning: bool
) -> None:
    cached = (truth.cache_read_input_tokens or 0) + (truth.cache_write_input_tokens or 0)
    # Equal classes can be taken for each other: the sum is right and no count tells them apart.
    assume(cached != truth.reasoning_output_tokens)
    counts = written(
        truth,
        cached_outside=cached_outside,
        reasoning_outside=reasoning_outside,
        total=True,
        stated=(says_cached, says_reasoning),
    )
    found = normalise(counts)
    assert (found.input_tokens, found.output_tokens) == (truth.input_tokens, truth.output_tokens)
    assert found.quality == ("reported" if not found.notes else "derived")


@given(st.builds(TokenCounts, *[MAYBE] * 6, COUNT, COUNT, st.booleans(), st.booleans()))
def test_whatever_the_source_says_no_part_exceeds_its_whole_and_null_stays_null(counts: TokenCounts) -> None:
    found = normalise(counts)
    cached = (found.cache_read_input_tokens or 0) + (found.cache_write_input_tokens or 0)
    if found.input_tokens is not None and "completed_from_total" not in found.notes:
        assert cached <= found.input_tokens
    if found.output_tokens is not None and "completed_from_total" not in found.notes:
        assert (found.reasoning_output_tokens or 0) <= found.output_tokens
    # A class of what is not known is not known either.
    if found.input_tokens is None:
        assert (found.cache_read_input_tokens, found.cache_write_input_tokens) == (None, None)
    if found.output_tokens is None:
        assert found.reasoning_output_tokens is None
    if counts.total is None:
        assert (found.input_tokens is None) == (counts.input_tokens is None)
        assert (found.output_tokens is None) == (counts.output_tokens is None)
    assert (found.quality == "missing") == (found.input_tokens is None and found.output_tokens is None)


@given(st.integers(1, 10_000_000), st.integers(1, 1_000))
def test_more_text_never_means_fewer_tokens(length: int, more: int) -> None:
    assert 1 <= estimated_tokens(length) <= estimated_tokens(length + more)
