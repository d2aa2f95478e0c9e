"""The application of `rice-stream serve` as an ASGI client sees it, with a broker that takes everything."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from fastapi.testclient import TestClient

from rice_stream.api.app import create_app
from rice_stream.api.ingestion.publishing import Outgoing, Publisher
from rice_stream.runtime.settings.settings import Settings

LOOPBACK = "http://127.0.0.1:8080"


@dataclass
class FakePublisher:
    """Keeps what is published; `problem` is what a look at the broker finds."""

    topic: str = "llm-requests"
    events: list[Outgoing] = field(default_factory=list)
    problem: Exception | None = None
    checks: int = 0

    async def publish(self, events: Sequence[Outgoing]) -> None:
        self.events += events

    def check(self, _timeout_s: float) -> None:
        self.checks += 1
        if self.problem is not None:
            raise self.problem


class Door:
    """An application with its settings, and a client that speaks to it from loopback."""

    def __init__(self, **settings: object) -> None:
        self.publisher = FakePublisher()
        known: Publisher = self.publisher  # type: ignore[assignment]
        self.app = create_app(Settings.model_validate(settings), known)
        self.client = TestClient(self.app, base_url=LOOPBACK)


@pytest.fixture
def door() -> Callable[..., Door]:
    """Makes one: `door(http_token="secret")`."""
    return Door
