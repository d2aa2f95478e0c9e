"""The real OpenTelemetry SDK and the real LiteLLM, through real Kafka into the store; and HTTP with a broker that goes away."""

import http.client
import json
import os
import subprocess
import sys
import time
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from confluent_kafka import Consumer, TopicPartition
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from rice_stream.sandbox.stack.kafka import KafkaServer
from tests.support.fake_provider import fake_provider
from tests.support.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.support.places import SUPPORT
from tests.support.worker_harness import CommandProcess, Deployment, WorkerProcess
from tests.support.worker_truth import Sender

MARKER = "planted-prompt-text-7c1d"
TOKEN = "a-token-of-the-test"
PROGRAM = SUPPORT / "litellm_program.py"
COUNTS = (
    "SELECT tenant_id, request_model, response_model, input_tokens, cache_read_input_tokens, output_tokens,"
    " reasoning_output_tokens FROM prompt_emission ORDER BY ended_at"
)
EVENT = {
    "event_id": "e-1",
    "tenant_id": "acme",
    "ended_at": "2026-11-22T19:00:00Z",
    "request_model": "gpt-4o",
    "input_tokens": 10,
    "output_tokens": None,
}


class Gateway:
    """`rice-stream serve` as a process."""

    def __init__(self, deployment: Deployment, **settings: str) -> None:
        environment = {**deployment.environment, "RICE_HTTP_PORT": "0", "RICE_HTTP_TOKEN": TOKEN, **settings}
        self.process = CommandProcess(("serve",), environment, deployment.folder / "serve.log")

        def said() -> str | None:
            lines = [line for line in self.process.log.splitlines() if "taking events at " in line]
            return lines[0].partition("taking events at ")[2].split()[0] if lines else None

        self.address = str(self.process.until(said, "serve to say where it listens"))

    def healthy_in_s(self) -> float:
        """How long `/healthz` takes on a connection of its own."""
        began_s = time.monotonic()
        with urllib.request.urlopen(f"{self.address}/healthz", timeout=30) as answer:  # noqa: S310 - our own address
            assert answer.status == 200
        return time.monotonic() - began_s

    def post(self, path: str, body: object, **headers: str) -> tuple[int, dict[str, str], Any]:
        """(status, headers, document) of a POST of JSON with the token."""
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=60)
        try:
            named = {"content-type": "application/json", "authorization": f"Bearer {TOKEN}", **headers}
            connection.request("POST", path, body if isinstance(body, bytes) else json.dumps(body).encode(), named)
            answer = connection.getresponse()
            content = answer.read()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, json.loads(content or b"null")
        finally:
            connection.close()


def everything_on(deployment: Deployment) -> bytes:
    """Keys, values and headers of all records of the events topic, in one piece."""
    consumer = Consumer({"bootstrap.servers": deployment.bootstrap_servers, "group.id": "reader", "log_level": 0})
    try:
        ends = deployment.ends()
        consumer.assign([TopicPartition(topic, number, 0) for topic, number in ends])
        found: list[bytes] = []
        while len(found) < sum(ends.values()):
            messages = consumer.consume(500, timeout=1.0)
            found += [repr((m.key(), m.value(), m.headers())).encode() for m in messages]
        return b"\n".join(found)
    finally:
        consumer.close()


def everything_in(deployment: Deployment) -> str:
    """Every row of every table."""
    from rice_stream.store.schema import metadata

    return "\n".join(repr(deployment.rows(f"SELECT * FROM {name}")) for name in metadata.tables)


def test_spans_of_the_real_sdk_arrive_over_http_and_count_once(deployment: Deployment) -> None:
    """As an instrumented program sends them: batches of protobuf, gzipped, with an agent's span around the call's.

    Server and worker trace what they do with it: to a collector of their own, and without a word of it.
    """
    with otlp_receiver() as collector:
        deployment.environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "RICE_LOG_FORMAT": "json"}
        worker, gateway = send_spans(deployment)
        check_traces(collector)
    assert deployment.rows(COUNTS) == [("acme", "gpt-4o", "gpt-4o-2024-08-06", 2006, 1920, 300, 128)] * 3
    assert deployment.rows("SELECT DISTINCT source FROM prompt_emission") == [("chat-service",)]
    assert MARKER.encode() not in everything_on(deployment)
    assert MARKER not in everything_in(deployment) + worker.log + gateway.process.log
    logged = [line for line in (worker.log + gateway.process.log).splitlines() if not line.startswith("Sign in as")]
    for line in logged:
        assert {"time", "level", "logger", "message"} <= set(json.loads(line))


def check_traces(collector: OtlpReceiver) -> None:
    """Each request and each batch with its parts; neither the token nor anything of an event."""
    answered = [span for span in collector.spans if span.name == "POST /v1/traces"]
    assert {(span.attributes["http.response.status_code"], span.attributes["rice.role"]) for span in answered} == {
        (200, "ingest")
    }
    assert {span.resource["service.name"] for span in answered} == {"rice-stream-serve"}
    batches = [span for span in collector.spans if span.name == "rice.batch"]
    assert sum(span.attributes["messaging.batch.message_count"] for span in batches) == 3
    assert {span.resource["service.name"] for span in batches} == {"rice-stream-worker"}
    for batch in batches:
        parts = {span.name for span in collector.spans if span.parent_id == batch.span_id}
        assert parts == {"rice.fetch", "rice.prepare", "rice.commit", "rice.acknowledge"}
    assert sum(span.attributes.get("rice.recorded", 0) for span in collector.spans) == 3
    sent = b"".join(collector.bodies)
    assert not [secret for secret in (MARKER, TOKEN, "acme", "gpt-4o", "chat-service") if secret.encode() in sent]


def send_spans(deployment: Deployment) -> tuple[WorkerProcess, Gateway]:
    """Three calls within an agent's span, through a server and a worker that have ended."""
    gateway = Gateway(deployment)
    try:
        exporter = OTLPSpanExporter(
            f"{gateway.address}/v1/traces",
            headers={"authorization": f"Bearer {TOKEN}"},
            compression=Compression.Gzip,
        )
        provider = TracerProvider(resource=Resource.create({"service.name": "chat-service", "tenant.id": "acme"}))
        provider.add_span_processor(BatchSpanProcessor(exporter))
        tracer = provider.get_tracer("some.instrumentation")
        usage: dict[str, str | int] = {"gen_ai.usage.input_tokens": 2006, "gen_ai.usage.output_tokens": 300}
        with tracer.start_as_current_span(
            "invoke_agent", attributes={"gen_ai.operation.name": "invoke_agent", **usage}
        ):
            for _ in range(3):
                attributes: dict[str, str | int] = {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.provider.name": "openai",
                    "gen_ai.request.model": "gpt-4o",
                    "gen_ai.response.model": "gpt-4o-2024-08-06",
                    "gen_ai.usage.cache_read.input_tokens": 1920,
                    "gen_ai.usage.reasoning.output_tokens": 128,
                    "gen_ai.input.messages": MARKER,
                    **usage,
                }
                with tracer.start_as_current_span("chat gpt-4o", attributes=attributes):
                    pass
        assert provider.force_flush()
        provider.shutdown()
    finally:
        assert gateway.process.stop() == 0, gateway.process.log
    return deployment.finish(), gateway


def test_calls_of_the_real_litellm_arrive_with_their_counts_and_without_their_text(deployment: Deployment) -> None:
    """Blocking, async, streamed and failed calls against a provider on loopback; each is one event."""
    with fake_provider(f"answer {MARKER}") as address:
        environment = {**os.environ, **deployment.environment, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        command = [sys.executable, str(PROGRAM), address, f"prompt {MARKER}"]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split()[-2:] == ["4", "0"], ran.stdout + ran.stderr
    worker = deployment.finish()
    good = ("team-a", "gpt-4o", "gpt-4o-2024-08-06", 2006, 1920, 300, 128)
    found = deployment.rows(COUNTS)
    streamed = (
        "team-a",
        "gpt-4o",
        "gpt-4o",
        *good[3:],
    )  # LiteLLM puts streams together under the name that was asked for
    assert [row for row in found if row[1] == "gpt-4o"] == [good, good, streamed]
    ((failed,),) = deployment.rows("SELECT basis FROM prompt_emission WHERE request_model = 'gpt-forbidden'")
    assert "request_failed" in failed
    assert len(found) == 4
    assert deployment.value("SELECT COUNT(*) FROM quarantine") == 0
    assert MARKER.encode() not in everything_on(deployment)
    assert MARKER not in everything_in(deployment) + worker.log


def test_http_answers_only_after_the_broker_and_says_when_to_come_back(
    kafka: KafkaServer, deployment: Deployment
) -> None:
    """202 means that it is on Kafka; without a broker it is 503 with Retry-After; sent again it counts once."""
    gateway = Gateway(deployment, RICE_HTTP_DELIVERY_TIMEOUT_S="2")
    try:
        status, _, document = gateway.post("/v1/events", EVENT)
        assert (status, document) == (202, {"accepted": 1, "ignored": 0})
        assert sum(deployment.ends().values()) == 1, "the answer comes after the broker has it"
        kafka.stop()
        try:
            began_s = time.monotonic()
            status, headers, document = gateway.post("/v1/events", {**EVENT, "event_id": "e-2"})
            assert status == 503
            assert time.monotonic() - began_s < 15
            assert int(headers["retry-after"]) >= 1
            assert headers["content-type"] == "application/problem+json"
            assert document["status"] == 503
        finally:
            kafka.start()

        def taken() -> bool:
            return gateway.post("/v1/events", [EVENT, {**EVENT, "event_id": "e-2"}])[0] == 202

        gateway.process.until(taken, "the broker to be back")
    finally:
        assert gateway.process.stop() == 0, gateway.process.log
    deployment.finish()
    assert deployment.rows("SELECT event_id, input_tokens, output_tokens FROM prompt_emission ORDER BY 1") == [
        ("e-1", 10, None),
        ("e-2", 10, None),
    ]


def test_factors_and_cache_hits_are_believed_from_kafka_and_not_over_http(deployment: Deployment) -> None:
    """The same events, through the door and on the topic: through the door they cost what the settings say."""
    claims = [
        {**EVENT, "event_id": "free", "rci_gco2e_per_kwh": 1, "pue": 1},
        {**EVENT, "event_id": "hit", "gateway_cache_hit": True},
        {**EVENT, "event_id": "plain"},
    ]
    gateway = Gateway(deployment)
    try:
        status, _, _ = gateway.post("/v1/events", [{**each, "source": "http"} for each in claims], **{"rice-door": "x"})
        assert status == 202
    finally:
        assert gateway.process.stop() == 0, gateway.process.log
    assert everything_on(deployment).count(b"('rice-door', b'http')") == len(claims)
    sender = Sender(deployment)
    sender.send(json.dumps([{**each, "source": "kafka"} for each in claims]).encode())
    sender.confirm()
    deployment.finish()
    found = deployment.rows("SELECT source, event_id, carbon_mid_ugco2e, basis FROM prompt_emission")
    carbon = {(source, name): amount for source, name, amount, _ in found}
    basis = {(source, name): words.split(",") for source, name, _, words in found}
    plain = carbon["http", "plain"]
    assert carbon["http", "free"] == carbon["http", "hit"] == carbon["kafka", "plain"] == plain > 0
    assert carbon["kafka", "hit"] == 0 < carbon["kafka", "free"] < plain / 50
    assert "event_factors_not_trusted" in basis["http", "free"]
    assert "cache_hit_not_trusted" in basis["http", "hit"]
    assert "gateway_cache_hit" in basis["kafka", "hit"]


def test_http_keeps_its_limits(deployment: Deployment) -> None:
    """Token, type, size, rate: each with its status and as problem details; nothing of it is counted.

    What is no event can be looked up, once, however often it was sent.
    """
    gateway = Gateway(deployment, RICE_HTTP_REQUESTS_PER_S="3", RICE_HTTP_BODY_MAX_BYTES="2000")
    try:
        answers = [
            gateway.post("/v1/events", EVENT, authorization="Bearer wrong"),
            gateway.post("/v1/events", EVENT, **{"content-type": "text/plain"}),
            gateway.post("/v1/events", [{**EVENT, "messages": "x" * 2000}]),
            *(gateway.post("/v1/events", {**EVENT, "tenant_id": None}) for _ in range(30)),
        ]
        statuses = [status for status, _, _ in answers]
        assert statuses[:3] == [401, 415, 413]
        assert set(statuses[3:]) == {422, 429}
        assert {headers["content-type"] for _, headers, _ in answers} == {"application/problem+json"}
        assert all(int(headers["retry-after"]) >= 1 for status, headers, _ in answers if status == 429)
        assert sum(deployment.ends().values()) == 1
    finally:
        assert gateway.process.stop() == 0, gateway.process.log
    deployment.finish()
    assert deployment.rows("SELECT reason, status FROM quarantine") == [("invalid_field", "held")]
    assert deployment.value("SELECT COUNT(*) FROM prompt_record") == 0


def test_http_is_not_open_to_the_network_without_a_token(deployment: Deployment) -> None:
    """Where nothing else would be refused: TLS belongs to a proxy, and the database is none."""
    nowhere = {"http_host": "0.0.0.0", "http_port": "0", "database_url": "sqlite:///none-here.db"}  # noqa: S104
    code, output = deployment.run("serve", **nowhere, http_trusted_proxies="10.0.0.0/8")
    assert code == 2
    assert "RICE_HTTP_TOKEN" in output
