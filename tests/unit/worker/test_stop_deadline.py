"""How long a stop may take agrees with what supervisors are told to give it."""

import re

import pytest

from rice_stream.runtime.settings.settings import Settings
from rice_stream.worker.deadline import stop_limit_s
from tests.support.places import ROOT

SUPERVISORS = {
    "deploy/compose.yaml": r"command: \[\"worker\"\][^=]*?stop_grace_period: (\d+)s",
    "deploy/rice-stream-worker.service": r"TimeoutStopSec=(\d+)",
    "docs/operations.md": r"more \((\d+)\) before SIGKILL",
}


def test_a_stop_may_take_as_long_as_the_store_is_tried_again_and_half_a_minute() -> None:
    assert stop_limit_s(0) == 30
    assert stop_limit_s(300) == 330


@pytest.mark.parametrize("path", SUPERVISORS)
def test_supervisors_wait_longer_than_the_worker_does_itself(path: str) -> None:
    """With the settings as they are by default."""
    [waits_s] = re.findall(SUPERVISORS[path], (ROOT / path).read_text("utf-8"))
    retry_s = Settings.model_fields["store_retry_s"].default
    assert stop_limit_s(retry_s) < int(waits_s)
    assert f"{stop_limit_s(retry_s):g} s in all" in (ROOT / "docs/operations.md").read_text("utf-8")
