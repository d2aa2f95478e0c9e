"""The API's server for its benchmark: the product's own application with one route more, which asks the database for 1.

python -m benchmarks.api_server TOKEN     prints its port; settings are those of the environment
"""

import socket
import sys
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import text

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.app import create_app
from rice_stream.api.ingestion.publishing import Outgoing
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.api.server import serve_until_stopped
from rice_stream.cli.base import loading
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.scoped import scoped_reading


class NoBroker:
    """Takes nothing, and is there."""

    topic = "llm-requests"

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Nothing is sent."""

    def check(self, timeout_s: float) -> None:
        """It is there."""


def main() -> None:
    """Serve until SIGTERM."""
    with loading():
        settings = load_settings(None)
        product = Product(settings)
        broker: Any = NoBroker()
        app = create_app(settings, broker, product=product)

    def one() -> int:
        with scoped_reading(product.engine(), EVERYTHING) as connection:
            return int(connection.scalar(text("SELECT 1")) or 0)

    @app.get("/bare")
    async def _bare(_: Annotated[Caller, Depends(needs(Right.READ))]) -> dict[str, int]:
        return {"one": await product.ask(one)}

    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    print(listener.getsockname()[1], flush=True)
    sys.stdout.flush()
    serve_until_stopped(app, listener)


if __name__ == "__main__":
    main()
