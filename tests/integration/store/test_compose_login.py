"""The job of deploy/compose.yaml that makes the server's own login, run as it stands against a real PostgreSQL."""

import base64
import hashlib
import hmac
import os
import subprocess
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, make_url, text

from rice_stream.runtime.opening_api import check_login, open_api_store
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.sandbox.stack.postgres import PostgresServer, wheel_install
from rice_stream.store.engine import open_engine
from rice_stream.store.scope import EVERYTHING, Scope
from rice_stream.store.scoped import scoped_reading
from tests.support.databases import Databases
from tests.support.reports_store import Store, at, open_store
from tests.unit.docs.test_compose import compose

LOGIN = "rice_http"
PASSWORDS = ("it's \"odd\"; $HOME :'password' \\gexec", "another")


@pytest.fixture
def store(postgresql: Databases, postgres: PostgresServer) -> Iterator[Store]:
    """A database of its own, in a cluster that has no such login before and after."""
    with open_store(postgresql.migrated()) as store:
        store.add(at("2026-11-22T11:00:00Z"))
        yield store
        engine = open_engine(postgres.url("postgres"))
        with engine.begin() as connection:
            connection.execute(text(f"DROP ROLE IF EXISTS {LOGIN}"))
        engine.dispose()


def test_the_servers_login_is_made_and_gets_the_password_that_is_set(store: Store) -> None:
    """Whatever signs are in it; the job may run with each start, and a new password takes the place of the old one."""
    for password in PASSWORDS:
        run_job(store.engine, password)
        url = make_url(str(store.engine.url)).set(username=LOGIN, password=password)
        environment = {"RICE_DATABASE_URL": url.render_as_string(hide_password=False), "RICE_HTTP_HOST": "192.0.2.1"}
        settings = load_settings(environment=environment)
        check_login(settings)
        api = open_api_store(settings)
        for scope, count in ((EVERYTHING, 1), (Scope(frozenset({"globex"})), 0)):
            with scoped_reading(api, scope) as connection:
                assert connection.scalar(text("SELECT COUNT(*) FROM prompt_record")) == count
        api.dispose()
        assert [each for each in PASSWORDS if is_password(store.engine, each)] == [password]


def run_job(engine: Engine, password: str) -> None:
    """What Compose would run, with the environment that it would give, at another address."""
    job = compose()["services"]["login"]
    server = engine.url
    given = {
        **job["environment"],
        "PATH": f"{wheel_install() / 'bin'}:{os.environ['PATH']}",
        "PGHOST": str(server.query["host"]),
        "PGUSER": str(server.username),
        "PGDATABASE": str(server.database),
        "SERVER_PASSWORD": password,
    }
    subprocess.run([*job["entrypoint"], *job["command"]], env=given, check=True)


def is_password(engine: Engine, password: str) -> bool:
    """Whether PostgreSQL would let the login in with it (RFC 5803): the servers of tests let in anybody."""
    with engine.connect() as connection:
        found = connection.scalar(text("SELECT rolpassword FROM pg_authid WHERE rolname = :name"), {"name": LOGIN})
    kind, salting, keys = str(found).split("$")
    rounds, salt = salting.split(":")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(rounds))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    assert kind == "SCRAM-SHA-256"
    return hashlib.sha256(client_key).digest() == base64.b64decode(keys.split(":")[0])
