"""Traces: nothing at all while they are off, what OpenTelemetry's variables say while they are on, and no harm by a collector."""

import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from rice_stream.errors import UsageError
from rice_stream.runtime import otel_tracing
from rice_stream.runtime.opening_tracing import open_tracing
from rice_stream.runtime.tracing import NO_SPAN, OFF, TraceSpan, Tracing
from tests.support.otlp_receiver import OtlpReceiver, otlp_receiver

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[OtlpReceiver]:
    """A collector, and no word of OpenTelemetry in the environment."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    with otlp_receiver() as running:
        yield running


def one_batch(tracing: Tracing) -> None:
    """A span with two steps, one of which fails."""
    span = tracing.begin("rice.batch", begun_ns=time.time_ns() - 2_000_000_000)
    span.step_since("rice.fetch", time.time_ns() - 1_000_000_000)
    with pytest.raises(ValueError, match="acme"):
        commit(span)
    span.end()


def commit(span: TraceSpan) -> None:
    """A step that fails after it has said something."""
    with span.step("rice.commit") as step:
        step.set(rice__recorded=7)
        raise ValueError("of tenant acme")


def test_off_they_cost_nothing_and_load_nothing() -> None:
    """The worker and the server, loaded as they run: neither OpenTelemetry's SDK nor its exporter (FastAPI looks at its API)."""
    program = (
        "import sys, rice_stream.worker.app, rice_stream.api.app\n"
        "from rice_stream.runtime.opening_tracing import open_tracing, OFF\n"
        "assert open_tracing('rice-stream-worker') is OFF\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
    assert OFF.begin("a") is OFF.begin_answer("b", {}) is NO_SPAN
    with NO_SPAN.step("c") as step:
        step.set(rice__recorded=1)
    assert step is NO_SPAN


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {ENDPOINT: ""},
        {ENDPOINT: "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
        {ENDPOINT: "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
        {ENDPOINT: "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
    ],
    ids=str,
)
def test_they_are_off_where_the_variables_say_so(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without an endpoint, switched off, or to be sent in a way that is not spoken here, which the log says."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert open_tracing("rice-stream-worker") is OFF
    assert ("only http/protobuf is spoken here" in caplog.text) == ("grpc" in variables.values())


def test_without_the_extra_the_log_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The variables may be there for other programs of the machine: no reason not to start."""
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:1")
    for name in ("rice_stream.runtime.otel_tracing", "opentelemetry.sdk.resources"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)
    assert open_tracing("rice-stream-worker") is OFF
    assert "pip install 'rice-stream[otel]'" in caplog.text


def test_a_variable_that_makes_no_sense_is_wrong_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with settings of our own: the start says so."""
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-1")
    with pytest.raises(UsageError, match=r"^OTEL_\*: .*max_queue_size"):
        open_tracing("rice-stream-worker")


def test_spans_arrive_as_they_were_with_what_the_environment_says(
    receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parents, times, counts, headers, resource; of an error its kind and not its message. What is left at the end is sent."""
    monkeypatch.setenv(ENDPOINT, receiver.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=secret-of-the-collector")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    with open_tracing("rice-stream-worker") as tracing:
        one_batch(tracing)
    fetch, commit, batch = receiver.spans
    assert [span.name for span in receiver.spans] == ["rice.fetch", "rice.commit", "rice.batch"]
    assert (batch.parent_id, fetch.parent_id, commit.parent_id) == ("", batch.span_id, batch.span_id)
    assert {span.trace_id for span in receiver.spans} == {batch.trace_id}
    assert 2 <= batch.seconds < 3 > 1 <= fetch.seconds
    assert (commit.failed, commit.attributes) == (True, {"rice.recorded": 7, "error.type": "ValueError"})
    assert (batch.resource["service.name"], batch.resource["deployment.environment.name"]) == (
        "rice-stream-worker",
        "test",
    )
    assert receiver.headers[0]["x-key"] == "secret-of-the-collector"
    assert not any(secret in receiver.bodies[0] for secret in (b"acme", b"secret-of"))


def test_the_service_is_called_what_the_environment_says(
    receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OTEL_SERVICE_NAME wins over our own name."""
    monkeypatch.setenv(ENDPOINT, receiver.url)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "carbon")
    with open_tracing("rice-stream-worker") as tracing:
        tracing.begin("a").end()
    assert receiver.spans[0].resource["service.name"] == "carbon"


@pytest.mark.parametrize(("share", "arrive"), [("0", 0), ("1", 50)])
def test_sampling_is_what_the_environment_says(
    share: str, arrive: int, receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By OpenTelemetry's own samplers; what is not sampled still has an id for the log."""
    monkeypatch.setenv(ENDPOINT, receiver.url)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", share)
    with open_tracing("rice-stream-worker") as tracing:
        for _ in range(50):
            span = tracing.begin("a")
            with span.step("b"):
                assert len(span.log_fields["trace_id"]) == 32
            span.end()
    assert len([span for span in receiver.spans if span.name == "a"]) == arrive


@pytest.mark.parametrize("collector", ["is gone", "hangs", "refuses", "is no collector"])
def test_a_broken_collector_delays_nothing_and_is_told_of_once(
    collector: str, receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A thousand spans cost what they cost otherwise, and the end waits for a few seconds at most."""
    caplog.set_level(logging.INFO)
    url = receiver.url
    receiver.hangs = collector == "hangs"
    receiver.status = 400 if collector == "refuses" else 200
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
        if collector == "is no collector":
            url = nobody  # it takes the connection and never reads
    if collector == "is gone":
        url = nobody
    monkeypatch.setenv(ENDPOINT, url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    monkeypatch.setattr(otel_tracing, "CLOSED_WITHIN_S", 0.5)
    tracing = open_tracing("rice-stream-worker")
    begun_s = time.monotonic()
    for _ in range(1_000):
        span = tracing.begin("rice.batch")
        with span.step("rice.commit") as step:
            step.set(rice__recorded=1)
        span.end()
    assert time.monotonic() - begun_s < 10
    begun_s = time.monotonic()
    tracing.close()
    assert time.monotonic() - begun_s < 5
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert 1 <= len(said) <= 2
    assert all(text.startswith(("traces cannot be sent", "the last traces were not sent")) for text in said)
