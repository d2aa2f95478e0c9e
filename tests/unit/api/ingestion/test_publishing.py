"""What `serve` puts on Kafka is marked, and no client can take the mark away or set it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from rice_stream.api.ingestion import publishing
from rice_stream.api.ingestion.publishing import Outgoing, Publisher
from rice_stream.events.trust import door_of
from rice_stream.runtime.settings.settings import Settings
from tests.support.fakes import event
from tests.unit.api.conftest import Door


class FakeProducer:
    """Confirms every record at once and keeps its headers."""

    def __init__(self, *_: object, **__: object) -> None:
        self.headers: list[Any] = []

    def __len__(self) -> int:
        return 0

    def poll(self, _timeout_s: float) -> None:
        """There is nothing to report."""

    def flush(self, _timeout_s: float) -> int:
        """There is nothing to wait for."""
        return 0

    def send(
        self, _topic: str, _value: bytes, _key: str, on_delivery: Callable[[str | None], None], headers: Any
    ) -> None:
        """Keep the headers."""
        self.headers.append(headers)
        on_delivery(None)


def test_every_record_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is published over HTTP carries the door in a header."""
    producer = FakeProducer()
    monkeypatch.setattr(publishing, "EventProducer", lambda *_, **__: producer)
    publisher = Publisher(Settings.model_validate({}))
    asyncio.run(publisher.publish([Outgoing("acme", b"{}"), Outgoing("globex", b"{}")]))
    publisher.close()
    assert [door_of(headers) for headers in producer.headers] == ["http", "http"]


def test_a_clients_header_of_that_name_is_dropped(door: Callable[..., Door]) -> None:
    """Not even an attribution rule sees it."""
    made = door(attribution_attributes={"team_id": ("kafka.header.rice-door",)})
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_795_348_800,
        "model": "gpt-4o",
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
    assert made.post("/v1/events", body, rice_door="topic").status == 202
    [published] = made.publisher.events
    assert b"topic" not in published.value


def test_a_factor_that_cannot_be_true_is_taken_in(door: Callable[..., Door]) -> None:
    """It goes to Kafka as it is; the worker decides what it is worth."""
    made = door()
    assert made.post("/v1/events", event(rci_gco2e_per_kwh=0, pue=99, devices=-1)).status == 202
    assert len(made.publisher.events) == 1
