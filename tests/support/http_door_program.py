"""The HTTP server of `rice-stream serve` with a broker that takes everything, as a process of its own for tests.

python -m tests.support.http_door_program BODY_MAX_BYTES     prints its port, then one line for each thing it logs
"""

import logging
import socket
import sys
from collections.abc import Sequence
from typing import Any

from rice_stream.api.app import create_app
from rice_stream.api.ingestion.publishing import Outgoing
from rice_stream.api.server import serve_until_stopped
from rice_stream.runtime.settings.settings import Settings

TOKEN = "a-token-of-the-test"


class Broker:
    """Confirms everything at once, and keeps nothing."""

    topic = "llm-requests"

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """It has them."""

    def check(self, timeout_s: float) -> None:
        """It is there."""


def main() -> None:
    """Serve until SIGTERM."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    settings = Settings.model_validate(
        {
            "http_token": TOKEN,
            "http_body_max_bytes": int(sys.argv[1]),
            "http_requests_per_s": 1_000_000,
            "database_url": "sqlite:///no-such-folder/no-such-file.db",
        }
    )
    broker: Any = Broker()
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    print(listener.getsockname()[1], flush=True)
    serve_until_stopped(create_app(settings, broker), listener)


if __name__ == "__main__":
    main()
