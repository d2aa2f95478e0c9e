"""A server in front of the command line's ledger, and those who ask it."""

import asyncio
import base64
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.asgi import Answer, ask
from tests.support.cli_running import Shell
from tests.unit.api.access.conftest import Database
from tests.unit.api.conftest import Door

SECRETS_KEY = base64.b64encode(b"k" * 32).decode()


class Api:
    """Answers of the server to callers whose tokens it makes as they come."""

    def __init__(self, ledger: Shell) -> None:
        self.tokens = Database()
        self._secrets: dict[object, str] = {}
        self.door = Door(
            tokens=self.tokens, database_url=ledger.environment["RICE_DATABASE_URL"], secrets_key=SECRETS_KEY
        )

    def get(self, path: str, role: str = "reader", **scope: Any) -> Answer:
        """The answer to a caller of a role and a scope."""
        return self.send("GET", path, role=role, **scope)

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        role: str = "editor",
        headers: dict[str, str] | None = None,
        **scope: Any,
    ) -> Answer:
        """The answer to a request with a body, as JSON."""
        given = {"authorization": f"Bearer {self.secret(role, **scope)}", **(headers or {})}
        pieces = []
        if body is not None:
            pieces = [body if isinstance(body, bytes) else json.dumps(body).encode()]
            given.setdefault("content-type", "application/json")
        return asyncio.run(ask(self.door.app, method, path, pieces, given.items()))

    def fill_in(self, path: str, fields: Sequence[tuple[str, str]], role: str = "editor", **scope: Any) -> Answer:
        """The answer to a form as a browser sends it."""
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "text/html"}
        return self.send("POST", path, urlencode(fields).encode(), role, headers, **scope)

    def secret(self, role: str, **scope: Any) -> str:
        """The token of a role and a scope, made once."""
        key = role, repr(sorted(scope.items()))
        if key not in self._secrets:
            self._secrets[key] = self.tokens.make(role, **scope)
            # What the server knows of tokens is a second old at least before it looks again.
            self.door.admission._book._looked_at_s = None  # type: ignore[union-attr]
        return self._secrets[key]


@pytest.fixture
def api(ledger: Shell) -> Api:
    """A server in front of the ledger of `cli_running`."""
    return Api(ledger)
