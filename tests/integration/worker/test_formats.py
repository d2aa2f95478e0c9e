"""Every format on one topic, through the worker into the store: nothing lost, nothing twice, no text anywhere."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from rice_stream.events.decoding import decode_batch
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.records import RawRecord
from rice_stream.store.schema import metadata
from tests.support.format_payloads import MARKER, PAYLOADS
from tests.support.waiting import wait_until
from tests.support.worker_harness import Deployment
from tests.support.worker_truth import Sender

BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda value: value[: len(value) * 2 // 3],
    "with a bad count": lambda value: value.replace(b"2006", b"-206").replace(b'"300"', b'"-30"'),
    "with text for a count": lambda value: value.replace(b"2006", f'"{MARKER}"'.encode()),
    "with text in front": lambda value: MARKER.encode() + value,
}
BUDGET = ["--limit-gco2e", "0.000001", "--period", "year"]


def everything_stored(deployment: Deployment) -> str:
    """Every row of every table."""
    return "\n".join(repr(deployment.rows(f"SELECT * FROM {name}")) for name in metadata.tables)


def test_every_format_is_counted_once_and_its_text_is_nowhere(deployment: Deployment) -> None:
    """Good payloads, broken ones and repeated ones, with a marker in every text field: each item is a record, a
    duplicate, a conflict, a refusal or ignored; the marker is in no table, no log, no metric and no alert."""
    sender = Sender(deployment)
    values = [*PAYLOADS.values(), *PAYLOADS.values()]
    values += [change(value) for change in BROKEN.values() for value in PAYLOADS.values()]
    assert sum(MARKER.encode() in value for value in values) > len(values) / 3
    for value in values:
        sender.send(value)
    sender.confirm()
    # What the items are is the decoders' word, tested elsewhere; here it is what becomes of each.
    records = [
        RawRecord(deployment.topic, 0, number, value, (), 1_795_374_000_000_000) for number, value in enumerate(values)
    ]
    _, expected = decode_batch(records, FormatOptions(count_log_events=False))
    tenants = {event.tenant_id for event in expected.events}
    for tenant in sorted(tenants):
        code, output = deployment.run("budget", "set", "any", "--tenant", tenant, *BUDGET)
        assert code == 0, output
    worker = deployment.start_worker(log_level="debug", quarantine_ratio_max="1", budget_sweep_s="0.2")

    def sums() -> Counter[str]:
        found: Counter[str] = Counter()
        for name, value in worker.metrics().items():
            if name.startswith(("rice_events_total{", "rice_ignored_total{", "rice_quarantined_total{")):
                found[name.partition("{")[0]] += int(value)
        return found

    wanted = {
        "rice_events_total": len(expected.events) + len(expected.refused),
        "rice_quarantined_total": len(expected.refused),
        "rice_ignored_total": len(expected.ignored),
    }
    worker.until(lambda: sums() == wanted, f"the items to be {wanted}")
    metrics = worker.get("/metrics")[1]
    ignored = Counter(f"rice_ignored_total{{format={format_},reason={reason}}}" for format_, reason in expected.ignored)
    samples = worker.metrics()
    assert {name: samples.get(name) for name in ignored} == dict(ignored)
    refused = Counter(
        f"rice_quarantined_total{{format={item.source_format},reason={item.reason}}}" for item in expected.refused
    )
    assert len({name.partition(",")[0] for name in refused}) > 4, "of more formats than four"
    assert {name: samples.get(name) for name in refused} == dict(refused)
    wait_until(lambda: deployment.value("SELECT COUNT(*) FROM alert WHERE delivered_at_us IS NULL") == 0, 60, "alerts")
    assert worker.stop() == 0, worker.log
    alerts = deployment.alerts_on_topic()
    assert alerts
    for text in (everything_stored(deployment), worker.log, metrics, repr(alerts)):
        assert MARKER not in text
    code, output = deployment.run("verify", "--against-topic")
    assert code == 0, output
    # Read again from the beginning: nothing is new.
    before = deployment.value("SELECT COUNT(*) FROM prompt_record")
    deployment.environment["RICE_KAFKA_GROUP_ID"] += "-again"
    deployment.finish(quarantine_ratio_max="1")
    assert deployment.value("SELECT COUNT(*) FROM prompt_record") == before
    assert deployment.value("SELECT COUNT(*) FROM quarantine") == len(expected.refused)


def test_history_read_again_after_a_change_of_who_is_charged_counts_once(deployment: Deployment) -> None:
    """By a group that begins at the beginning, under attributes, then rules, then neither; new events follow the change."""
    sender = Sender(deployment)
    for name in ("litellm_success.json", "litellm_failure.json", "otlp_litellm.pb", "bedrock_log.ndjson"):
        sender.send(PAYLOADS[name])
    sender.confirm()
    deployment.finish()
    before = deployment.rows("SELECT * FROM tenant_day_total ORDER BY tenant_key, day_start_s")
    assert len(before) > 3
    rule = '[{"attribute": "kafka.topic", "sets": "tenant_id"}]'
    changes: list[dict[str, Any]] = [{"attribution_attributes": "tenant_id=model"}, {"attribution_rules": rule}, {}]
    for number, changed in enumerate(changes):
        deployment.environment["RICE_KAFKA_GROUP_ID"] += f"-{number}"
        deployment.finish(**changed)
        assert deployment.rows("SELECT * FROM tenant_day_total ORDER BY tenant_key, day_start_s") == before
        code, output = deployment.run("verify", "--against-topic", **changed)
        assert code == 0, output
    starts = [start for (start,) in deployment.rows("SELECT valid_from_us FROM attribution_version ORDER BY id")]
    assert (len(starts), starts[0], starts) == (4, 0, sorted(starts))
    deployment.finish(attribution_rules=rule)
    [(start_us,)] = deployment.rows("SELECT MAX(valid_from_us) FROM attribution_version")
    call = {**json.loads(PAYLOADS["litellm_success.json"]), "litellm_call_id": "new", "endTime": start_us / 1e6}
    sender.send(json.dumps(call).encode())
    sender.confirm()
    deployment.finish(attribution_rules=rule)
    assert deployment.rows("SELECT tenant_id FROM prompt_emission WHERE event_id = 'new'") == [(deployment.topic,)]


def test_a_topic_with_a_format_of_its_own_is_held_to_it(deployment: Deployment) -> None:
    """Protobuf without any header, as the Collector writes it; a stray line on that topic is refused by the format."""
    sender = Sender(deployment)
    sender.send(PAYLOADS["otlp_semconv_141.pb"])
    sender.send(b'{"not": "otlp"}')
    sender.confirm()
    worker = deployment.finish(
        event_formats=f"{deployment.topic}=otlp", attribution_attributes="tenant_id=service.name"
    )
    assert deployment.rows("SELECT tenant_id, input_tokens, output_tokens FROM prompt_emission") == [
        ("gateway", 2006, 300)
    ]
    assert deployment.rows("SELECT reason FROM quarantine") == [("unexpected_format",)]
    assert worker.exit_code == 0


def test_a_worker_takes_a_mapping_up_without_a_restart(deployment: Deployment) -> None:
    """The event's time decides; the worker was there before the mapping."""
    worker = deployment.start_worker()
    sender = Sender(deployment)
    common = {"tenant_id": "key-1", "request_model": "corp-chat", "input_tokens": 10, "output_tokens": 1}
    sender.send(json.dumps({**common, "event_id": "before", "ended_at": datetime.now(UTC).isoformat()}).encode())
    sender.confirm()
    worker.until(lambda: deployment.recorded() == 1, "the first event")
    [mapping] = deployment.json("map", "model", "corp-chat", "gpt-4o")["mappings"]
    deployment.json("map", "tenant", "key-1", "acme")
    assert datetime.fromisoformat(mapping["valid_from"]) > datetime.now(UTC)
    later = datetime.now(UTC) + timedelta(seconds=30)
    numbers = iter(range(1_000))

    def mapped() -> bool:
        """Events of the time after; sent until the worker has looked the mappings up (every few seconds)."""
        event_id = f"after-{next(numbers)}"
        sender.send(json.dumps({**common, "event_id": event_id, "ended_at": later.isoformat()}).encode())
        sender.confirm()
        return ("acme", "gpt-4o") in deployment.rows("SELECT tenant_id, model_resolved FROM prompt_emission")

    worker.until(mapped, "the mapping to be taken up", 60)
    assert worker.stop() == 0
    assert ("key-1", "default") in deployment.rows(
        "SELECT tenant_id, model_resolved FROM prompt_emission WHERE event_id = 'before'"
    )
