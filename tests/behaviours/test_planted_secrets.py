"""Secrets that are sent to the server are nowhere afterwards: not in its log, its database, its metrics, nor in an answer.

Marked random texts stand in tokens, headers, cookies, query strings, bodies, prompts of every format and the settings' own
secrets. Requests with them succeed and fail, also while the database fails within. The one answer that makes a token
has it, and the cookie of a sign-in is set once.
"""

import asyncio
import base64
import io
import json
import logging
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from psycopg import Cursor
from sqlalchemy import event, text

from rice_stream.api.access.admission import Admission
from rice_stream.api.access.issuing import AskedToken, issue
from rice_stream.api.access.secrets import new_token
from rice_stream.api.access.sign_on import make_sign_on
from rice_stream.api.access.stored_tokens import StoredTokens
from rice_stream.api.access.token_book import TokenBook
from rice_stream.api.app import create_app
from rice_stream.api.product import Product
from rice_stream.runtime.logs import configure_logging
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import reading
from rice_stream.store.schema import metadata
from rice_stream.store.scope import EVERYTHING
from tests.support.asgi import Answer, ask
from tests.support.databases import Databases
from tests.support.fakes import OPERATOR
from tests.support.format_payloads import MARKER, PAYLOADS
from tests.support.identity_provider import LocalProvider, local_provider
from tests.support.reports_store import Store, open_store
from tests.unit.api.access.test_single_sign_on import Browser
from tests.unit.api.conftest import FakePublisher

CLAIMS = 'groups: {finance: {role: reader, tenants: "*"}}'
OTLP_TYPES = {"json": "application/json", "protobuf": "application/x-protobuf"}


class Planted:
    """Marked texts, each of which is looked for in every form that it might be kept in."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def new(self, what: str, length: int = 24) -> str:
        """Another one."""
        return self.add(what, f"planted{secrets.token_hex(length)}"[: max(length, 20)])

    def add(self, what: str, secret: str) -> str:
        """One that somebody else has made."""
        self.texts[f"{what} {len(self.texts)}"] = secret
        return secret

    def found_in(self, where: str) -> list[str]:
        """Which of them are in a text: as they are, in hexadecimal, or in base64."""
        return [what for what, secret in self.texts.items() if any(form in where for form in _forms(secret))]


def _forms(secret: str) -> set[str]:
    plain = secret.encode()
    # Without the end, which depends on what follows.
    return {secret, plain.hex(), base64.b64encode(plain)[: len(plain)].decode()}


class Scene:
    """The server with every kind of access, in front of a database, with all that it answers and logs."""

    def __init__(self, url: str, provider: LocalProvider, claims: Path, planted: Planted) -> None:
        self.planted = planted
        self.settings = Settings.model_validate(
            {
                "database_url": url,
                "http_token": planted.new("RICE_HTTP_TOKEN"),
                "http_requests_per_s": 1e6,
                "oidc_issuer": provider.issuer,
                "oidc_audience": "rice-api",
                "oidc_client_id": "rice",
                "oidc_client_secret": planted.new("client secret"),
                "oidc_claims_file": str(claims),
                "log_level": "debug",
            }
        )
        self.product, self.publisher = Product(self.settings), FakePublisher()
        sign_on = make_sign_on(self.settings, self.product.engine)
        self._book = TokenBook(StoredTokens(self.settings))
        admission = Admission(self.settings, self._book, sign_on.people)
        broker: Any = self.publisher
        self.app = create_app(self.settings, broker, admission, product=self.product, sign_on=sign_on)
        self.browser = Browser(self.app, sign_on, self.product, self.publisher)
        self.answers: list[tuple[str, Answer]] = []

    def send(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """One request; its answer is kept."""
        given = {"content-type": "application/json"} | {name.replace("_", "-"): text for name, text in headers.items()}
        pieces = [] if body is None else [body if isinstance(body, bytes) else json.dumps(body).encode()]
        self._book._looked_at_s = None
        answer = asyncio.run(ask(self.app, method, path, pieces, given.items(), fails_with=(Exception,)))
        self.answers.append((f"{method} {path} {headers}", answer))
        return answer


@pytest.fixture
def provider() -> Iterator[LocalProvider]:
    """One whose users are in the group `finance`."""
    with local_provider() as made:
        made.id_token = lambda code: made.token(typ="JWT", aud="rice", nonce=code, groups=["finance"])
        yield made


@pytest.fixture
def store(database: Databases) -> Iterator[Store]:
    """A database of its own, which is looked through in the end."""
    with open_store(database.migrated()) as made:
        yield made


def logged(monkeypatch: pytest.MonkeyPatch, form: str) -> io.StringIO:
    """All that is logged from now on, by us and by libraries, in that form."""
    kept = io.StringIO()
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(sys, "stderr", kept)
    configure_logging(Settings.model_validate({"log_format": form, "log_level": "debug"}))
    return kept


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_is_kept_or_told(
    store: Store, provider: LocalProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """Whether what it came with was done, refused, or failed."""
    planted = Planted()
    (tmp_path / "claims.yaml").write_text(CLAIMS)
    levels = {
        name: logging.getLogger(name).level for name in (None, "rice_stream", "rice_stream.worker.faust_transport")
    }
    log = logged(monkeypatch, form)
    # PostgreSQL lets the tests in whatever the password is.
    password = None if store.engine.dialect.name == "sqlite" else planted.new("password of the database")
    url = store.engine.url.set(password=password).render_as_string(hide_password=False)
    scene = Scene(url, provider, tmp_path / "claims.yaml", planted)
    try:
        admin = planted.add(
            "token of the command line", issue(store.engine, AskedToken("a", "admin"), EVERYTHING, OPERATOR).secret
        )
        use_tokens(scene, admin)
        sign_in(scene, provider)
        ask_with_secrets(scene, admin)
        send_prompts(scene, store, admin)
        with_a_database_that_fails(scene, admin)
        metrics = scene.send("GET", "/metrics")
        assert (metrics.status, "rice_http_requests_total" in metrics.body.decode()) == (200, True)
    finally:
        scene.product.close()
        logging.captureWarnings(False)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
    statuses = {answer.status for _, answer in scene.answers}
    assert {200, 201, 202, 303, 400, 401, 403, 404, 422, 500, 503} <= statuses, statuses
    assert "incident" in log.getvalue()
    assert planted.found_in(log.getvalue()) == [], log.getvalue()
    for what, answer in scene.answers:
        assert planted.found_in(f"{answer.headers} {answer.body.decode('latin-1')}") == [], (what, answer)
    with reading(store.engine) as connection:
        for table in metadata.sorted_tables:
            rows = connection.execute(text(f"SELECT * FROM {table.name}")).all()
            assert planted.found_in(_text(rows)) == [], table.name
            assert table.name not in ("http_token", "http_session", "audit_entry", "quarantine") or rows


def _text(rows: Any) -> str:
    return repr(
        [
            [bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else value for value in row]
            for row in rows
        ]
    )


def use_tokens(scene: Scene, admin: str) -> None:
    """Made, made again, replaced, ended, used after that; and many that are none."""
    held = {"authorization": f"Bearer {admin}"}
    asked = {"name": "n", "role": "ingest"}
    for _ in range(2):
        made = scene.send("POST", "/v1/tokens", asked, **held, idempotency_key="k-1")
    shown = [answer for _, answer in scene.answers if "token" in answer.document]
    assert (made.status, len(shown)) == (201, 1)
    secret = scene.planted.add("token of the API", shown_once(scene, shown[0]))
    assert scene.send("GET", "/v1/totals", authorization=f"Bearer {secret}").status == 403
    again = scene.send("POST", f"/v1/tokens/{made.document['id']}/rotate", {}, **held)
    newer = scene.planted.add("token in another's place", shown_once(scene, again))
    assert scene.send("DELETE", f"/v1/tokens/{again.document['id']}", **held).status == 200
    assert scene.send("GET", "/v1/totals", authorization=f"Bearer {newer}").status == 401
    for path in ("/v1/tokens", "/v1/audit"):
        assert scene.send("GET", path, **held).status == 200
    new = scene.planted.new
    unknown = scene.planted.add("unknown token", new_token("admin"))
    basic = base64.b64encode(f"{new('user')}:{new('password')}".encode()).decode()
    jwt = ".".join(base64.urlsafe_b64encode(new("part of a JWT").encode()).decode().rstrip("=") for _ in range(3))
    for given in (
        f"Bearer {unknown}",
        f"Bearer {new('bearer')}",
        f"Basic {basic}",
        f"Bearer {jwt}",
        new("bare"),
        f"{new('scheme')} x",
    ):
        assert scene.send("GET", "/v1/totals", authorization=given).status == 401
    for name in ("rice", "rice-sign-in", "__Host-rice", "other"):
        assert scene.send("GET", "/v1/totals", cookie=f"{name}={new('cookie', 43)}").status == 401
    assert (
        scene.send("POST", "/auth/sign-out", cookie=f"rice={new('cookie', 43)}", sec_fetch_site="same-origin").status
        == 200
    )


def shown_once(scene: Scene, answer: Answer) -> str:
    """The token of the one answer that has it, which is not looked through."""
    scene.answers = [(what, each) for what, each in scene.answers if each is not answer]
    secret: str = answer.document["token"]
    return secret


def sign_in(scene: Scene, provider: LocalProvider) -> None:
    """By the provider, with success and in every way that fails; the answers that set cookies are not looked through."""
    new, browser = scene.planted.new, scene.browser
    _, told = browser.sign_in(quote(f"/explore?{new('next')}"))
    scene.planted.add("sign-in cookie", browser.cookies["rice-sign-in"])
    assert browser.come_back(told, code=new("code")).status == 400
    assert browser.come_back(told).status == 303
    scene.planted.add("session", browser.cookies["rice"])
    scene.answers.append(("a session's", browser.ask("GET", "/v1/totals")))
    assert scene.answers[-1][1].status == 200
    provider.refusal = {"error": "invalid_grant", "error_description": new("provider's description")}
    _, told = browser.sign_in()
    scene.answers.append(("refused", browser.come_back(told, code=new("code"))))
    provider.refusal = None
    provider.away = True
    scene.answers.append(("away", browser.come_back(told, code=new("code"))))
    provider.away = False
    for query in ({"state": new("state")}, {"error": new("error"), "code": ""}, {"iss": new("issuer")}):
        scene.answers.append(("spoilt", browser.come_back(told, **query)))
    for bearer in (provider.token(aud="rice-api", groups=["finance"]), provider.token(aud="other", sub=new("subject"))):
        scene.planted.add("provider's token", bearer)
        scene.answers.append(("bearer", browser.bearer(bearer)))
    assert scene.send("GET", f"/auth/link?key={new('key')}").status == 404


def ask_with_secrets(scene: Scene, admin: str) -> None:
    """Where they do not belong: parameters and fields that there are not, and what is no JSON."""
    held, new = {"authorization": f"Bearer {admin}"}, scene.planted.new
    for path in (
        "/v1/totals?access_token=",
        "/v1/prompts?api_key=",
        "/v1/models?key=",
        "/v1/totals?limit=",
    ):
        assert 400 <= scene.send("GET", path + new("query"), **held).status < 500
    for route in ("/v1/budgets", "/v1/mappings", "/v1/tokens", "/v1/estimate"):
        for body in (
            {"prompt": new("field")},
            {"name": [new("field")], "model": {"x": new("field")}},
            new("no object"),
        ):
            assert scene.send("POST", route, body, **held).status == 422
        assert scene.send("POST", route, f'{{"prompt": "{new("no JSON")}'.encode(), **held).status == 400
        assert scene.send("POST", route, b"x", **{**held, "content_type": "text/plain"}).status == 415
    for name in ("x-api-key", "proxy-authorization", "x-amz-security-token", "referer", "user-agent"):
        assert scene.send("GET", "/v1/budgets", **held, **{name: new("header")}).status == 200


def send_prompts(scene: Scene, store: Store, admin: str) -> None:
    """Events of every format with texts of prompts and answers in them; what is published is read as the worker reads it."""
    held = {"authorization": f"Bearer {admin}"}
    for name, payload in PAYLOADS.items():
        value = payload.replace(MARKER.encode(), scene.planted.new("prompt", len(MARKER)).encode())
        otlp = name.startswith("otlp")
        kind = "application/x-protobuf" if otlp and not value.lstrip().startswith(b"{") else "application/json"
        path = ("/v1/logs" if "log" in name else "/v1/traces") if otlp else "/v1/events"
        for sent in (value, value.replace(b"1", b"-1"), value[: len(value) // 2]):
            scene.send("POST", path, sent, **held, content_type=kind)
        store.add(value, value[: len(value) // 2])
    published = [record.value for record in scene.publisher.events] + scene.publisher.refusals
    assert len(published) > len(PAYLOADS)
    assert scene.planted.found_in(b"\n".join(published).decode("latin-1")) == []
    store.add(*published)


def with_a_database_that_fails(scene: Scene, admin: str) -> None:
    """Its statements are spoilt, so that it fails within, and the answer is 500; then it is not there."""
    held, new = {"authorization": f"Bearer {admin}"}, scene.planted.new
    engine = scene.product.engine()
    sqlite = engine.dialect.name == "sqlite"

    def spoil(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
        if "SET LOCAL" in statement:
            return statement, parameters
        # A mistake of ours is what no driver takes for a database that is away.
        return ("SELECT 1", (*parameters, 1)) if sqlite else (f"{statement} THIS IS NO SQL", parameters)

    execute = Cursor.execute

    def spoiled(cursor: Any, query: Any, *values: Any, **options: Any) -> Any:
        """Of PostgreSQL's driver, which some statements are given without SQLAlchemy."""
        said = query.decode() if isinstance(query, bytes) else str(query)
        return execute(cursor, said if "SET LOCAL" in said else f"{said} THIS IS NO SQL", *values, **options)

    event.listen(engine, "before_cursor_execute", spoil, retval=True)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Cursor, "execute", spoiled)
        for path in ("/v1/prompts?user=", "/v1/audit?action=", "/v1/prompts/", "/v1/budgets?tenant="):
            assert scene.send("GET", path + new("parameter"), **held).status == 500
        budget = {"name": new("name"), "tenant_id": "acme", "user_id": new("user"), "limit_kwh": 1, "period": "month"}
        assert scene.send("POST", "/v1/budgets", budget, **held, idempotency_key=new("key")).status == 500
        assert scene.send("POST", "/v1/tokens", {"name": new("name"), "role": "reader"}, **held).status == 500
    event.remove(engine, "before_cursor_execute", spoil)
    scene.product.engine = lambda: (_ for _ in ()).throw(_away())  # type: ignore[method-assign]
    assert scene.send("GET", f"/v1/prompts?user={new('parameter')}", **held).status == 503


def _away() -> Exception:
    from rice_stream.store.engine import StoreUnavailableError

    return StoreUnavailableError("the database did not answer")
