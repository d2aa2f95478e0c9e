"""The HTTP server in front of a ledger, as browsers reach it: on a port of loopback, with an OpenID provider or with the link."""

import base64
import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_server
from typing import Any

import uvicorn
from fastapi import FastAPI
from oidc_provider_mock import User, run_server_in_thread

from rice_stream.api.access.sign_on import make_sign_on
from rice_stream.api.app import create_app
from rice_stream.api.product import Product
from rice_stream.api.server import server_config
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import open_engine
from rice_stream.store.migrate import migrate
from tests.support import console_ledger
from tests.support.console_ledger import NOW
from tests.support.console_names import NORTHWIND, RISING, Names
from tests.support.waiting import wait_until
from tests.unit.api.conftest import FakePublisher

ADMIN, EDITOR, AUDITOR = "admin", "editor", "auditor"
OF_A_TENANT, OF_A_TEAM = "reader of a tenant", "reader of a team"
ROLES = (ADMIN, EDITOR, AUDITOR, OF_A_TENANT, OF_A_TEAM)
"""Who signs in; each is a user of the provider, in a group of that name."""


@dataclass(frozen=True)
class Console:
    """A server that runs."""

    address: str
    app: FastAPI
    product: Product
    link: str | None
    """What signs in as admin, once; None where people sign in at a provider."""


@contextmanager
def serve(url: str, folder: Path, names: Names | None = None, *, by_link: bool = False) -> Iterator[Console]:
    """In front of the database of `url` at the instant of the ledger; `folder` is for the file of its claims."""
    with ExitStack() as running:
        listener = running.enter_context(create_server(("127.0.0.1", 0), backlog=64))
        address = f"http://localhost:{listener.getsockname()[1]}"
        given: dict[str, object] = {
            "database_url": url,
            "http_public_url": address,
            # Whole pages with all that is theirs, by one caller after the other as fast as they come.
            "http_requests_per_s": 1_000_000,
            "secrets_key": base64.b64encode(b"k" * 32).decode(),
        }
        if not by_link:
            provider = running.enter_context(run_server_in_thread(user_claims=_users()))
            given |= _provider(f"http://localhost:{provider.server_port}", folder, names or Names())
        settings = Settings.model_validate(given)
        publisher: Any = FakePublisher()
        product = Product(settings, lambda: NOW)
        running.callback(product.close)
        sign_on = make_sign_on(settings, product.engine)
        app = create_app(settings, publisher, product=product, sign_on=sign_on)
        config = server_config(app)
        config.timeout_graceful_shutdown = 1  # live pages keep their connections
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        wait_until(lambda: server.started, 20, "the server to start")
        try:
            yield Console(address, app, product, None if sign_on.link is None else sign_on.link.url(address))
        finally:
            server.should_exit = True
            thread.join(20)


@contextmanager
def filled() -> Iterator[Console]:
    """A server in front of a ledger of its own that has everything in it."""
    with tempfile.TemporaryDirectory(prefix="rice-console-") as directory:
        url = f"sqlite:///{Path(directory) / 'rice.db'}"
        engine = open_engine(url)
        migrate(engine)
        engine.dispose()
        console_ledger.fill(url)
        with serve(url, Path(directory)) as console:
            yield console


def _users() -> list[User]:
    return [User(sub=role, claims={"groups": [role], "email": f"{role.split()[-1]}@x.example"}) for role in ROLES]


def _provider(issuer: str, folder: Path, names: Names) -> dict[str, object]:
    tenants = {OF_A_TENANT: [names.of(NORTHWIND)], OF_A_TEAM: [names.of(NORTHWIND)]}
    groups = {
        role: {
            "role": role.split()[0],
            "tenants": tenants.get(role, "*"),
            **({"teams": [names.of(RISING)]} if role == OF_A_TEAM else {}),
        }
        for role in ROLES
    }
    claims = folder / "claims.yaml"
    claims.write_text(json.dumps({"groups": groups}), "utf-8")
    return {
        "oidc_issuer": issuer,
        "oidc_audience": "rice",
        "oidc_client_id": "rice",
        "oidc_client_secret": "s3cret",
        "oidc_claims_file": str(claims),
    }
