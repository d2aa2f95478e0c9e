"""Batches without a backlog are further apart where no alert can wait for one, and only there."""

import pytest

from rice_stream.worker.batch_pace import BatchPace


def test_without_budgets_batches_are_further_apart_and_with_the_first_one_no_longer() -> None:
    """Until it is known, and where only some tenants were asked, there may be one."""
    pace = BatchPace(0.4)
    assert pace.wait_s == 0.4
    pace.judged(0, of_all_tenants=False)
    assert pace.wait_s == 0.4
    pace.judged(0, of_all_tenants=True)
    assert pace.wait_s == 3.0
    pace.judged(1, of_all_tenants=False)
    assert pace.wait_s == 0.4


@pytest.mark.parametrize(("with_budgets_s", "without_s"), [(0.05, 0.375), (0.4, 3.0), (0.9, 3.0), (5.0, 5.0)])
def test_how_far_apart_follows_the_setting(with_budgets_s: float, without_s: float) -> None:
    pace = BatchPace(with_budgets_s)
    pace.judged(0, of_all_tenants=True)
    assert pace.wait_s == without_s
