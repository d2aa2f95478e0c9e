"""Metrics of several processes are one page that Prometheus reads, each sample with its process and its own value."""

from prometheus_client.parser import text_string_to_metric_families

from rice_stream.worker.health import Heartbeat, Telemetry
from rice_stream.worker.merged_metrics import merged
from rice_stream.worker.metrics import Metrics


def test_every_sample_is_there_once_with_its_process() -> None:
    """Of all metrics of a worker, as they are: with labels, without, buckets, and label values with braces and quotes."""
    texts = {}
    for process in (0, 1):
        metrics = Metrics()
        metrics.batches.inc(10 + process)
        metrics.quarantined.labels('{"a b"}', "x y").inc(process)
        metrics.commit_seconds.observe(0.2)
        texts[process] = Telemetry(metrics, Heartbeat(timeout_s=60)).metrics_text()
    families = list(text_string_to_metric_families(merged(texts).decode()))
    assert len({family.name for family in families}) == len(families)
    for process, text in texts.items():
        alone = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text.decode())
            for sample in family.samples
        }
        together = {
            (sample.name, frozenset((k, v) for k, v in sample.labels.items() if k != "process")): sample.value
            for family in families
            for sample in family.samples
            if sample.labels["process"] == str(process)
        }
        assert together == alone
