"""Workers whose clock is years off, and topics that reach back further than the ledger: nothing is lost, skewed or stopped."""

import time
from datetime import timedelta
from typing import Any

import pytest

from rice_stream.instants import datetime_of
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import reading
from rice_stream.store.retention import drop_records_before
from tests.support.changed_workers import run_first
from tests.support.databases import Databases
from tests.support.worker_harness import Deploy, Deployment
from tests.support.worker_truth import EventMaker, Sender, assert_exact, rfc3339

YEARS_2_S = 2 * 365 * 86_400
_WRONG_CLOCK = """\
import time
_time, _time_ns = time.time, time.time_ns
time.time = lambda: _time() + {offset_s}
time.time_ns = lambda: _time_ns() + {offset_s} * 1_000_000_000
"""


@pytest.mark.parametrize("offset_s", [YEARS_2_S, -YEARS_2_S], ids=["ahead", "behind"])
def test_a_worker_two_years_off_goes_by_the_databases_clock_and_says_so(deployment: Deployment, offset_s: int) -> None:
    """Every event is recorded and none taken for one of the future, though the machine thinks it is another year; the
    worker is live, not ready, and tells by how much it is off."""
    run_first(deployment, _WRONG_CLOCK.format(offset_s=offset_s))
    sender, make = Sender(deployment), EventMaker(91)
    for _ in range(300):
        sender.send_event(make())
    sender.confirm()
    worker = deployment.start_worker(retention_days=32)
    worker.until(lambda: deployment.recorded() == 300, "everything to be stored")
    status, body = worker.get("/readyz")
    assert (status, worker.get("/healthz")[0]) == (503, 200)
    assert '"clock": "wrong' in body
    assert worker.metrics()["rice_clock_offset_seconds"] == pytest.approx(offset_s, abs=60)
    assert "set the clock right" in worker.log
    with reading(deployment.engine) as connection:
        now_us = database_now_us(connection)
    for committed_at_us in deployment.rows("SELECT committed_at_us FROM kafka_progress"):
        assert abs(committed_at_us[0] - now_us) < 600 * 1_000_000
    assert abs(deployment.value("SELECT run_at_us FROM retention") - now_us) < 600 * 1_000_000
    assert deployment.value("SELECT COUNT(*) FROM prompt_emission WHERE basis LIKE '%clock_skew%'") == 0
    assert worker.stop() == 0
    assert_exact(deployment, sender.truth)


def test_a_topic_from_before_the_horizon_is_read_again_without_a_person(
    deploy: Deploy, either_database: Databases
) -> None:
    """1,500 events that were counted once and dropped since come again, with others: the worker goes on, counts them as
    older than retention, and `verify --against-topic` agrees."""
    deployment = deploy(either_database, partitions=1)
    sender, make = Sender(deployment, partitions=1), EventMaker(92)
    old_s = time.time() - 100 * 86_400
    events: list[dict[str, Any]] = [make(ended_at=rfc3339(old_s - number)) for number in range(1_500)]
    for event in [*events, *(make() for _ in range(50))]:
        sender.send_event(event)
    sender.confirm()
    deployment.finish()
    with reading(deployment.engine) as connection:
        now_us = database_now_us(connection)
    horizon = datetime_of(now_us) - timedelta(days=32)
    assert drop_records_before(deployment.engine, horizon) >= 1
    assert deployment.value("SELECT COUNT(*) FROM prompt_record") == 50
    deployment.environment["RICE_KAFKA_GROUP_ID"] = f"{deployment.group}-again"
    deployment.finish()
    columns = "recorded, duplicates, quarantined, older_than_retention, events"
    assert deployment.rows(f"SELECT {columns} FROM kafka_progress") == [(1_550, 50, 0, 1_500, 1_600)]
    assert deployment.value("SELECT SUM(prompts) FROM tenant_day_total") == 1_550
    assert deployment.value("SELECT COUNT(*) FROM quarantine") == 0
    answer = deployment.json("verify", "--against-topic")
    assert (answer["ok"], answer["against_topic"]["older_than_retention"]) == (True, 1_500)
