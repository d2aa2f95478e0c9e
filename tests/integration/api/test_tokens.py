"""Tokens per tenant through the real server, Kafka and worker: made, confined, revoked; and peers that say nothing."""

import contextlib
import socket
import time
from urllib.parse import urlsplit

import psutil
import psycopg

from rice_stream.api.access.secrets import new_token
from rice_stream.sandbox.stack.postgres import PostgresServer
from tests.integration.api.test_real_sources import EVENT, Gateway
from tests.support.faults import hanging
from tests.support.worker_harness import Deployment


def test_a_token_writes_its_tenants_alone_and_ends_when_it_is_revoked(deployment: Deployment) -> None:
    """What it may not write is charged to nobody and is in quarantine, with who sent it."""
    mine = deployment.json("token", "create", "--name", "acme-gw", "--role", "ingest", "--tenant", "acme")
    gateway = Gateway(deployment)
    try:
        held = {"authorization": f"Bearer {mine['token']}"}
        body = [EVENT, {**EVENT, "event_id": "e-2", "tenant_id": "globex"}]
        status, _, document = gateway.post("/v1/events", body, **held)
        assert (status, document["accepted"]) == (202, 1)
        assert [(one["index"], one["code"]) for one in document["refused"]] == [(1, "tenant_not_allowed")]
        assert gateway.post("/v1/events", body[1], **held)[0] == 403
        assert gateway.post("/v1/events", {**EVENT, "event_id": "e-3", "tenant_id": "globex"})[0] == 202, (
            "the setting's"
        )
        deployment.json("token", "revoke", str(mine["id"]))
        revoked_s = time.monotonic()
        gateway.process.until(lambda: gateway.post("/v1/events", EVENT, **held)[0] == 401, "the token to end", 30)
        assert time.monotonic() - revoked_s < 10
        gateway.process.until(
            lambda: "token.use_refused" in [row["action"] for row in deployment.json("audit", "list")["rows"]],
            "the use of the ended token to be in the trail",
            30,
        )
    finally:
        assert gateway.process.stop() == 0, gateway.process.log
    deployment.finish()
    assert deployment.rows("SELECT tenant_id, event_id FROM prompt_emission ORDER BY 2") == [
        ("acme", "e-1"),
        ("globex", "e-3"),
    ]
    held_rows = deployment.rows("SELECT reason, detail, payload FROM quarantine ORDER BY id")
    assert {reason for reason, _, _ in held_rows} == {"tenant_not_allowed"}
    assert all("acme-gw" in detail and "'globex'" in detail for _, detail, _ in held_rows)
    code, output = deployment.run("quarantine", "replay", "--all")
    assert code == 1, output
    assert deployment.value("SELECT COUNT(*) FROM prompt_record") == 2
    assert deployment.json("verify", "--against-topic")["ok"]
    secret = str(mine["token"])
    assert secret not in gateway.process.log


def test_health_answers_beside_silent_connections_and_half_sent_heads(deployment: Deployment) -> None:
    """200 of each; all of them are closed in the end, and nothing of it is in the answers of others."""
    gateway = Gateway(deployment)
    host, _, port = urlsplit(gateway.address).netloc.partition(":")
    try:
        with contextlib.ExitStack() as stack:
            silent = []
            for number in range(400):
                silent.append(stack.enter_context(socket.create_connection((host, int(port)), timeout=30)))
                if number % 2:
                    silent[-1].sendall(b"POST /v1/events HTTP/1.1\r\nhost: localhost\r\nx-slow: ")
            assert gateway.healthy_in_s() < 1
            assert gateway.post("/v1/events", EVENT)[0] == 202
            assert all(one.recv(1) == b"" for one in silent), "closed by the server"
    finally:
        assert gateway.process.stop() == 0, gateway.process.log


def hung(postgres: PostgresServer) -> contextlib.AbstractContextManager[None]:
    """Every process of the server is stopped as by SIGSTOP: connections stand, and nothing answers."""
    with psycopg.connect(postgres.conninfo(), autocommit=True) as connection:
        server = psutil.Process(connection.info.backend_pid).parent()
    assert server is not None
    return hanging(server.pid)


def test_a_database_that_is_away_ends_no_known_token_and_judges_no_other(
    deployment: Deployment, postgres: PostgresServer
) -> None:
    """PostgreSQL stopped, and hung: events of known senders are taken, others are told to come back, and it mends itself."""
    mine = deployment.json("token", "create", "--name", "acme-gw", "--role", "ingest", "--tenant", "acme")
    gateway = Gateway(deployment)
    known = {"authorization": f"Bearer {mine['token']}"}
    unknown = {"authorization": f"Bearer {new_token('ingest')}"}

    def status(headers: dict[str, str]) -> int:
        return gateway.post("/v1/events", EVENT, **headers)[0]

    try:
        assert status(known) == 202
        # On a busy machine the first looks take longer than requests wait for them; then the answer is to come back.
        gateway.process.until(lambda: status(unknown) == 401, "tokens to be checked", 30)
        postgres.stop()
        gateway.process.until(lambda: status(unknown) == 503, "unknown tokens to be told to come back", 30)
        assert (status(known), status({})) == (202, 202)
        postgres.start()
        gateway.process.until(lambda: status(unknown) == 401, "tokens to be checked again", 30)
        with hung(postgres):
            gateway.process.until(lambda: status(unknown) == 503, "unknown tokens to be told to come back", 30)
            # The database answers nobody now: whoever is answered has not waited for it. A look is given up after 30 s.
            # (How much less requests wait is shown by a clock of one's own: tests/unit/api/access/test_token_book.py.)
            for answer in (lambda: status(known) == 202, lambda: status({}) == 202, gateway.healthy_in_s):
                began_s = time.monotonic()
                assert answer()
                assert time.monotonic() - began_s < 20
        gateway.process.until(lambda: status(unknown) == 401, "tokens to be checked again", 60)
        later = deployment.json("token", "create", "--name", "later", "--role", "ingest", "--tenant", "acme")
        found = {"authorization": f"Bearer {later['token']}"}
        gateway.process.until(lambda: status(found) == 202, "a new token to work", 30)
    finally:
        assert gateway.process.stop() == 0, gateway.process.log
    assert "Traceback" not in gateway.process.log
