"""A real HTTP server on loopback for each test of a feed."""

from collections.abc import Iterator

import pytest

from tests.support.http_server import WebServer, web_server


@pytest.fixture
def server() -> Iterator[WebServer]:
    with web_server() as server:
        yield server
