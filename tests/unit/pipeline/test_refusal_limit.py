"""Reading stops when most of what arrives is refused, and only then."""

from types import SimpleNamespace
from typing import cast

import pytest

from rice_stream.pipeline.refusal_limit import RefusalLimit, TooManyRefusedError
from rice_stream.store.batch import Batch


def batch_of(events: int, refused: int) -> Batch:
    """As much of a batch as the limit looks at."""
    refusals = [SimpleNamespace(reason="not_json", detail="not JSON: sample")] * refused
    return cast(Batch, SimpleNamespace(refused=refusals, progress=[SimpleNamespace(events=events)]))


def test_mostly_refused_events_stop_the_reading_with_the_reason() -> None:
    limit = RefusalLimit(ratio_max=0.5, events_min=100)
    limit.check(batch_of(events=40, refused=0))
    with pytest.raises(TooManyRefusedError, match=r"61 of the last 101 .* not_json: not JSON: sample"):
        limit.check(batch_of(events=0, refused=61))


def test_a_few_refused_events_do_not() -> None:
    limit = RefusalLimit(ratio_max=0.5, events_min=100)
    for _ in range(50):
        limit.check(batch_of(events=60, refused=40))


def test_refusals_below_the_least_number_of_events_do_not_count_yet() -> None:
    limit = RefusalLimit(ratio_max=0.1, events_min=100)
    for _ in range(9):
        limit.check(batch_of(events=0, refused=11))
    with pytest.raises(TooManyRefusedError):
        limit.check(batch_of(events=0, refused=11))


def test_what_was_refused_long_ago_is_forgotten() -> None:
    limit = RefusalLimit(ratio_max=0.5, events_min=100)
    limit.check(batch_of(events=60, refused=50))
    for _ in range(5):
        limit.check(batch_of(events=100, refused=0))
    limit.check(batch_of(events=60, refused=50))
