"""Reading stops when most of what arrives is refused, and only then."""

from types import SimpleNamespace
from typing import cast

import pytest

from rice_stream.pipeline.refusal_limit import RefusalLimit, TooManyRefusedError
from rice_stream.store.batch import Batch


def batch_of(taken: int, refused: int) -> Batch:
    """As much of a batch as the limit looks at."""
    refusals = [SimpleNamespace(reason="not_json", detail="not JSON: sample")] * refused
    progress = [SimpleNamespace(topic="events", partition=0, records_taken=taken, records_refused=refused)]
    return cast(Batch, SimpleNamespace(refused=refusals, progress=progress))


def test_mostly_refused_records_stop_the_reading_with_the_reason() -> None:
    limit = RefusalLimit(ratio_max=0.5, records_min=100)
    limit.check(batch_of(taken=40, refused=0))
    with pytest.raises(TooManyRefusedError, match=r"61 of the last 101 records .* not_json: not JSON: sample"):
        limit.check(batch_of(taken=0, refused=61))


def test_a_few_refused_records_do_not() -> None:
    limit = RefusalLimit(ratio_max=0.5, records_min=100)
    for _ in range(50):
        limit.check(batch_of(taken=60, refused=40))


def test_refusals_below_the_least_number_of_records_do_not_count_yet() -> None:
    limit = RefusalLimit(ratio_max=0.1, records_min=100)
    for _ in range(9):
        limit.check(batch_of(taken=0, refused=11))
    with pytest.raises(TooManyRefusedError):
        limit.check(batch_of(taken=0, refused=11))


def test_what_was_refused_long_ago_is_forgotten() -> None:
    limit = RefusalLimit(ratio_max=0.5, records_min=100)
    limit.check(batch_of(taken=60, refused=50))
    for _ in range(5):
        limit.check(batch_of(taken=100, refused=0))
    limit.check(batch_of(taken=60, refused=50))


def test_a_record_with_ever_so_many_refused_items_is_one_record() -> None:
    """Nothing that one sender puts into one record stops the reading."""
    limit = RefusalLimit(ratio_max=0.5, records_min=1)
    batch = batch_of(taken=2, refused=1)
    batch.refused.extend(batch.refused * 499_999)
    limit.check(batch)
