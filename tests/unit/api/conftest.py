"""The application of `rice-stream serve` as a sender sees it, with a broker that takes everything."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from rice_stream.api.access.admission import Admission
from rice_stream.api.access.token_book import TokenBook, TokenSource
from rice_stream.api.app import create_app
from rice_stream.api.gateway import FormatsNow
from rice_stream.api.ingestion.publishing import Outgoing, Publisher
from rice_stream.api.product import Product
from rice_stream.events.records import DOOR_REFUSALS_START
from rice_stream.runtime.settings.settings import Settings
from tests.support.asgi import Answer, ask

NO_DATABASE = "sqlite:///no-such-folder/no-such-file.db"


@dataclass
class FakePublisher:
    """Keeps what is published; `problem` is what a look at the broker finds, `fails` how publishing ends."""

    topic: str = "llm-requests"
    events: list[Outgoing] = field(default_factory=list)
    refusals: list[bytes] = field(default_factory=list)
    """Records that tell of what was refused."""
    problem: Exception | None = None
    fails: Exception | None = None
    looks: int = 0

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Confirm them at once."""
        if self.fails is not None:
            raise self.fails
        for record in records:
            if record.value.startswith(DOOR_REFUSALS_START):
                self.refusals.append(record.value)
            else:
                self.events.append(record)

    def check(self, _timeout_s: float) -> None:
        """Raise the problem."""
        self.looks += 1
        if self.problem is not None:
            raise self.problem


class Door:
    """An application with its settings; `tokens` stands for the database, where there is one."""

    def __init__(
        self,
        *,
        tokens: TokenSource | None = None,
        formats_now: FormatsNow | None = None,
        now: Callable[[], datetime] | None = None,
        **settings: object,
    ) -> None:
        self.publisher = FakePublisher()
        known: Publisher = self.publisher  # type: ignore[assignment]
        made = Settings.model_validate({"database_url": NO_DATABASE, **settings})
        self.admission = None if tokens is None else Admission(made, TokenBook(tokens))
        self.product = Product(made) if now is None else Product(made, now)
        self.app = create_app(made, known, self.admission, formats_now, self.product)

    def ask(self, method: str, path: str, **headers: str) -> Answer:
        """The answer to one request without a body."""
        return asyncio.run(ask(self.app, method, path, headers=headers.items()))

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
