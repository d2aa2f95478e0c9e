"""The application of `rice-stream serve` as a sender sees it, with a broker that takes everything."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from rice_stream.api.app import create_app
from rice_stream.api.ingestion.publishing import Outgoing, Publisher
from rice_stream.runtime.settings.settings import Settings
from tests.support.asgi import Answer, ask


@dataclass
class FakePublisher:
    """Keeps what is published; `problem` is what a look at the broker finds."""

    topic: str = "llm-requests"
    events: list[Outgoing] = field(default_factory=list)
    problem: Exception | None = None
    looks: int = 0

    async def publish(self, events: Sequence[Outgoing]) -> None:
        """Confirm them at once."""
        self.events += events

    def check(self, _timeout_s: float) -> None:
        """Raise the problem."""
        self.looks += 1
        if self.problem is not None:
            raise self.problem


class Door:
    """An application with its settings."""

    def __init__(self, **settings: object) -> None:
        self.publisher = FakePublisher()
        known: Publisher = self.publisher  # type: ignore[assignment]
        self.app = create_app(Settings.model_validate(settings), known)

    def get(self, path: str, **headers: str) -> Answer:
        """The answer to one GET."""
        return asyncio.run(ask(self.app, "GET", path, headers=headers.items()))

    def post(self, path: str, body: object, **headers: str) -> Answer:
        """The answer to one POST; bytes as they are, all else as JSON. `content_type` is the header `content-type`."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"content-type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return asyncio.run(ask(self.app, "POST", path, [content], given.items()))


@pytest.fixture
def door() -> Callable[..., Door]:
    """Makes one: `door(http_token="secret")`."""
    return Door
