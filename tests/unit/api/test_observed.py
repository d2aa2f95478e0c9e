"""What is seen of a request: its number in answer and log, its count, and a span without anything of whoever asked."""

import asyncio
import json
import logging
from typing import Any

import pytest
from fastapi import FastAPI, Request

from rice_stream.api import problems
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Grant
from rice_stream.api.access.shares import share_of_everything
from rice_stream.api.metrics import ServerMetrics
from rice_stream.api.observed import Observed
from rice_stream.runtime.logs import JsonFormatter
from rice_stream.runtime.opening_tracing import open_tracing
from tests.support.asgi import Answer, ask
from tests.support.otlp_receiver import otlp_receiver
from tests.unit.api.conftest import Door

log = logging.getLogger("rice_stream.api")
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def application(metrics: ServerMetrics, tracing: Any) -> FastAPI:
    """A route that answers, one that says what it does in the log, and one that fails as nobody foresaw."""
    app = FastAPI()
    problems.install(app)
    app.add_middleware(Observed, metrics=metrics, tracing=tracing)

    @app.get("/v1/prompts/{event_id}")
    async def _prompt(request: Request, event_id: str) -> str:
        request.state.caller = Caller("hunter2", "token", (Grant("viewer"),), share_of_everything(1))
        log.warning("looked up %d letters", len(event_id))
        return await asyncio.to_thread(_slow)

    @app.get("/v1/broken")
    async def _broken() -> str:
        raise RuntimeError("tenant-acme: hunter2")

    return app


def _slow() -> str:
    log.warning("in a thread")
    return "done"


def test_a_request_is_traced_by_its_route_and_never_by_what_it_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Path, query, headers, bodies and errors stay out; the trace of the caller goes on; the log names both numbers."""
    lines: list[dict[str, Any]] = []
    monkeypatch.setattr(caplog.handler, "emit", lambda record: lines.append(json.loads(JsonFormatter().format(record))))
    metrics = ServerMetrics()
    with otlp_receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        with open_tracing("rice-stream-serve") as tracing:
            app = application(metrics, tracing)
            headers = [("traceparent", PARENT), ("authorization", "Bearer hunter2"), ("cookie", "session=hunter2")]
            good = asyncio.run(ask(app, "GET", "/v1/prompts/secret-id?token=hunter2", headers=headers))
            broken = asyncio.run(ask(app, "GET", "/v1/broken", fails_with=(RuntimeError,)))
            asyncio.run(ask(app, "HUNTER2", "/hunter2/secret-id"))
    assert (good.status, broken.status) == (200, 500)
    found, failed, nothing = receiver.spans
    assert (found.name, failed.name, nothing.name) == ("GET /v1/prompts/{event_id}", "GET /v1/broken", "_OTHER other")
    assert (found.trace_id, found.parent_id) == (PARENT.split("-")[1], PARENT.split("-")[2])
    assert failed.trace_id != found.trace_id
    assert found.attributes == {
        "http.request.method": "GET",
        "http.route": "/v1/prompts/{event_id}",
        "http.response.status_code": 200,
        "rice.role": "viewer",
    }
    assert (failed.failed, failed.attributes["error.type"], failed.attributes["http.response.status_code"]) == (
        True,
        "RuntimeError",
        500,
    )
    assert nothing.attributes["http.response.status_code"] == 404
    sent = b"".join(receiver.bodies).lower()
    assert not any(secret in sent for secret in (b"hunter2", b"secret-id", b"acme", b"token"))
    looked_up, in_thread, incident = [line for line in lines if line["logger"].startswith("rice_stream.api")]
    assert looked_up["message"] == "looked up 9 letters"
    for line in (looked_up, in_thread):
        assert (line["request_id"], line["trace_id"]) == (good.headers["x-request-id"], found.trace_id)
    assert incident["trace_id"] == failed.trace_id
    assert metrics.registry.get_sample_value("rice_http_requests_total", {"path": "/v1/broken", "status": "500"}) == 1.0
    timed = metrics.registry.get_sample_value("rice_http_request_seconds_count", {"path": "/v1/prompts/{event_id}"})
    assert timed == 1.0


def test_every_answer_has_a_number_of_its_own_also_one_that_the_door_gives() -> None:
    """Made here, and never what a sender says: it stands in logs."""
    door = Door(http_token="t" * 32)
    answers: list[Answer] = [
        door.get("/healthz", x_request_id="mine"),
        door.get("/v1/totals"),
        door.get("/nowhere", host="evil.example"),
    ]
    numbers = {answer.headers["x-request-id"] for answer in answers}
    assert len(numbers) == 3
    assert all(len(number) == 16 for number in numbers)
    assert "mine" not in numbers
