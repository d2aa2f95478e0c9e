"""What a running worker says of itself: /metrics agree with the store, /healthz and /readyz tell stuck from busy."""

import json
import time

from tests.support.docs_reading import codes, rows, section, text_of
from tests.support.worker_harness import Deployment
from tests.support.worker_truth import EventMaker, Sender, Truth, assert_exact, measures_of

PAGE = "docs/metrics.md"


def documented_metrics() -> set[str]:
    """The names in the table of the worker's metrics, as Prometheus shows them."""
    kinds = {
        codes(cells[0])[0].partition("{")[0]: cells[1] for cells in rows(section(text_of(PAGE), "## Of the worker"))
    }
    return {f"{name}_count" if kind == "histogram" else name for name, kind in kinds.items()}


def send_some(sender: Sender, make: EventMaker) -> None:
    """900 events, 100 of them twice, and 30 records that are none."""
    for number in range(900):
        event = make()
        sender.send_event(event)
        if number % 9 == 0:
            sender.send_event(event)
        if number % 30 == 0:
            sender.send(b"no event", refused_items=[0])
    sender.confirm()


def test_the_documented_metrics_are_there_and_agree_with_the_store(deployment: Deployment) -> None:
    """Counters of a worker that did all the work are the sums in the store; the lag is 0 in the end."""
    sender = Sender(deployment)
    send_some(sender, EventMaker(71))
    worker = deployment.start_worker()
    worker.until(lambda: deployment.recorded() == 900, "everything to be stored")
    worker.until(lambda: worker.metrics().get("rice_events_total{outcome=recorded}") == 900, "it to be counted")
    metrics = worker.metrics()
    assert metrics["rice_events_total{outcome=duplicate}"] == 100
    assert metrics["rice_events_total{outcome=conflict}"] == 0
    assert metrics["rice_events_total{outcome=quarantined}"] == 30
    assert metrics["rice_quarantined_total{format=canonical,reason=not_json}"] == 30
    for name, value in sums_of(deployment, sender.truth).items():
        assert abs(metrics[name] - value) <= 1e-9 * value, name
    assert metrics["rice_batches_total"] == metrics["rice_batch_events_count"] == metrics["rice_commit_seconds_count"]
    assert metrics["rice_batch_events_sum"] == 1030
    assert time.time() - 60 < metrics["rice_last_commit_timestamp_seconds"] <= time.time()
    assert 20e6 < metrics["rice_resident_memory_bytes"] < 1e9
    assert metrics["rice_store_retries_total"] == 0
    for since in ("ingest", "event"):
        assert 900 <= metrics[f"rice_{since}_freshness_seconds_count"] <= 1030, "events, and repeats in another batch"
    assert metrics["rice_ingest_freshness_seconds_sum"] < 900 * 60
    for factor in ("model", "region", "pue"):
        by_rung = [v for name, v in metrics.items() if name.startswith(f"rice_factor_rungs_total{{factor={factor},")]
        assert 900 <= sum(by_rung) <= 1000, "records, and repeats that came in another batch"
    lags = [f"rice_consumer_lag{{partition={number},topic={deployment.topic}}}" for number in range(4)]
    worker.until(lambda: [worker.metrics().get(lag) for lag in lags] == [0.0] * 4, "no lag")
    shown = {name.partition("{")[0] for name in worker.metrics()}
    # These are labelled and appear with their first value only: no alert, nothing to ignore, no pause happened here.
    never_yet = {"rice_alerts_total", "rice_ignored_total", "rice_partition_pauses_total"}
    assert documented_metrics() - never_yet <= shown
    assert len(documented_metrics()) >= 15
    for path in ("/healthz", "/readyz"):
        status, body = worker.get(path)
        assert status == 200
        assert json.loads(body)["ok"] is True
    assert worker.get("/nothing-here")[0] == 404
    assert worker.stop() == 0, worker.log
    assert_exact(deployment, sender.truth)


def sums_of(deployment: Deployment, truth: Truth) -> dict[str, float]:
    """Metric -> its value, from the events that were sent."""
    measures = list(measures_of(truth.events.values(), deployment.folder / "sums").values())
    return {
        "rice_input_tokens_total": sum(m["input_tokens"] for m in measures),
        "rice_output_tokens_total": sum(m["output_tokens"] for m in measures),
        "rice_facility_energy_wh_total": sum(m["facility_energy_uwh"] for m in measures) / 1e6,
        **{
            f"rice_carbon_gco2e_total{{estimate={end}}}": sum(m[f"carbon_{end}_ugco2e"] for m in measures) / 1e6
            for end in ("low", "mid", "high")
        },
    }


def hold_transactions(deployment: Deployment) -> None:
    """From now on the first transaction of a worker waits for advisory lock 71, those after it for lock 72."""
    with deployment.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock_shared("
            "CASE WHEN EXISTS (SELECT FROM kafka_progress) THEN 72 ELSE 71 END); RETURN NEW; END'"
        )
        connection.exec_driver_sql("CREATE TRIGGER hold BEFORE INSERT ON kafka_progress EXECUTE FUNCTION hold()")


def test_liveness_fails_when_commits_make_no_progress_and_recovers(deployment: Deployment) -> None:
    """The first transaction hangs on a lock: after RICE_PROGRESS_TIMEOUT_S /healthz answers 503, /metrics still answer.
    Let go, it commits, and the next one, prepared meanwhile, hangs instead: 503 again. Let go too, nothing is lost."""
    sender, make = Sender(deployment), EventMaker(72)
    for _ in range(800):
        # Of one partition, so that one fetch brings two batches: while one is stored, none is made of what comes later.
        sender.send_event(make(), partition=0)
    sender.confirm()
    hold_transactions(deployment)
    with deployment.engine.connect() as locker:
        locker.exec_driver_sql("SELECT pg_advisory_lock(71), pg_advisory_lock(72)")
        worker = deployment.start_worker(progress_timeout_s=5, batch_events_max=400)
        worker.until(lambda: worker.metrics().get("rice_prepare_seconds_count") == 2, "two batches to be prepared")
        worker.until(lambda: worker.get("/healthz")[0] == 503, "the liveness probe to fail", 60)
        said = json.loads(worker.get("/healthz")[1])
        assert said["uncommitted_for_s"] > said["limit_s"] == 5
        assert worker.metrics()["rice_batches_total"] == 0
        locker.exec_driver_sql("SELECT pg_advisory_unlock(71)")
        worker.until(lambda: worker.get("/healthz")[0] == 200, "the worker to be healthy again")
        assert worker.metrics()["rice_batches_total"] == 1
        worker.until(lambda: worker.get("/healthz")[0] == 503, "the liveness probe to fail again", 60)
        locker.exec_driver_sql("SELECT pg_advisory_unlock(72)")
        worker.until(lambda: worker.get("/healthz")[0] == 200, "the worker to be healthy again")
    worker.until(lambda: deployment.recorded() == 800, "everything to be stored")
    assert worker.stop() == 0, worker.log
    assert_exact(deployment, sender.truth)


def test_an_idle_worker_is_healthy(deployment: Deployment) -> None:
    """Nothing to do is no lack of progress: with nothing on the topic /healthz stays 200 beyond the limit."""
    worker = deployment.start_worker(progress_timeout_s=5)
    since_s = time.monotonic()
    worker.until(lambda: time.monotonic() - since_s > 7 or worker.get("/healthz")[0] != 200, "more than the limit")
    assert worker.get("/healthz")[0] == 200
    assert worker.get("/readyz")[0] == 200
    assert worker.stop() == 0, worker.log
