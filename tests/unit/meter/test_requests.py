"""Unknown token counts become the defaults, those of a failed call become none; for events and for stored records alike."""

from types import SimpleNamespace

import numpy as np
import pytest

from rice_stream.basis import Basis
from rice_stream.meter.requests import CountedEvents, RecordedCounts, TokenDefaults, requests_of
from rice_stream.quantities import UNKNOWN, Ints

DEFAULTS = TokenDefaults(input_tokens=100, output_tokens=10)
INPUT = (7, 7, UNKNOWN, UNKNOWN, UNKNOWN, 7, 7)
CACHED = (3, UNKNOWN, UNKNOWN, 5, UNKNOWN, 3, 3)
OUTPUT = (2, UNKNOWN, 2, 2, UNKNOWN, UNKNOWN, 2)
FAILED = (False, False, False, False, True, True, False)
FROM_CACHE = (False, False, False, False, False, False, True)


def column(values: tuple[int, ...]) -> Ints:
    return np.array(values, dtype=np.int64)


def as_events() -> CountedEvents:
    """The columns that the pipeline has."""
    return SimpleNamespace(
        input_tokens=column(INPUT),
        cache_read_input_tokens=column(CACHED),
        output_tokens=column(OUTPUT),
        failed=np.array(FAILED),
        inference=~np.array(FROM_CACHE),
    )


def as_records() -> RecordedCounts:
    """The same events once they are stored."""
    flags = np.where(FAILED, int(Basis.REQUEST_FAILED), 0) | np.where(FROM_CACHE, int(Basis.GATEWAY_CACHE_HIT), 0)
    return RecordedCounts(column(INPUT), column(CACHED), column(OUTPUT), flags.astype(np.int32))


@pytest.mark.parametrize("events", [as_events(), as_records()], ids=["events", "records"])
def test_unknown_counts_become_defaults_and_none_for_a_failed_call(events: CountedEvents) -> None:
    """Cached tokens without a count of the prompt they are part of say nothing."""
    requests = requests_of(events, np.arange(len(INPUT)), DEFAULTS)
    assert requests.input_tokens.tolist() == [7, 7, 100, 100, 0, 7, 7]
    assert requests.cache_read_input_tokens.tolist() == [3, 0, 0, 0, 0, 3, 3]
    assert requests.output_tokens.tolist() == [2, 10, 2, 2, 0, 0, 2]
    assert requests.inference.tolist() == [True] * 6 + [False]
    assert requests.context.tolist() == list(range(len(INPUT)))


def test_a_record_says_where_a_default_was_used() -> None:
    """Either count may be the unknown one."""
    assert as_records().incomplete.tolist() == [False, True, True, True, True, True, False]
