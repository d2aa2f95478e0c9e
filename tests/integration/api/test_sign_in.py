"""Single sign-on over real sockets: a provider that is software of its own, our server with and without TLS, and cookies."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from http.cookiejar import CookieJar
from pathlib import Path
from socket import create_server
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, HTTPSHandler, OpenerDirector, Request, build_opener

import pytest
import trustme
import uvicorn
from oidc_provider_mock import User, run_server_in_thread

from rice_stream.api.app import create_app
from rice_stream.api.product import Product
from rice_stream.api.server import server_config
from rice_stream.api.transport import tls_files
from rice_stream.runtime.settings.settings import Settings
from tests.support.databases import SqliteDatabases
from tests.support.waiting import wait_until
from tests.unit.api.conftest import FakePublisher

USERS = (
    User(sub="ada", claims={"groups": ["finance"], "email": "ada@x.example"}),
    User(sub="eve", claims={"groups": ["strangers"], "email": "eve@x.example"}),
)
CLAIMS = "groups: {finance: {role: reader, tenants: [acme]}}"
Serve = Callable[..., AbstractContextManager[str]]


@dataclass
class Provider:
    """The provider while it runs."""

    issuer: str
    stop: Callable[[], None]


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider with these users."""
    with ExitStack() as running:
        server = running.enter_context(run_server_in_thread(user_claims=USERS))
        yield Provider(f"http://localhost:{server.server_port}", running.close)


@pytest.fixture
def serve(sqlite: SqliteDatabases, tmp_path: Path, provider: Provider) -> Serve:
    """Runs our server; gives its address."""
    (tmp_path / "claims.yaml").write_text(CLAIMS)
    url = sqlite.migrated()

    @contextmanager
    def run(**changes: object) -> Iterator[str]:
        listener = create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        scheme = "https" if "http_tls_key" in changes else "http"
        settings = Settings.model_validate(
            {
                "database_url": url,
                "oidc_issuer": provider.issuer,
                "oidc_audience": "rice",
                "oidc_client_id": "rice",
                "oidc_client_secret": "s3cret",
                "oidc_claims_file": str(tmp_path / "claims.yaml"),
                "http_public_url": f"{scheme}://localhost:{port}",
                **changes,
            }
        )
        publisher: Any = FakePublisher()
        product = Product(settings)
        server = uvicorn.Server(server_config(create_app(settings, publisher, product=product), tls_files(settings)))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        wait_until(lambda: server.started, 20, "the server to start")
        try:
            yield f"{scheme}://localhost:{port}"
        finally:
            server.should_exit = True
            thread.join(20)
            product.close()
            listener.close()

    return run


class Client:
    """A browser: follows redirects and keeps cookies."""

    def __init__(self, context: ssl.SSLContext | None = None, *, follows: bool = True) -> None:
        self.jar = CookieJar()
        handlers: list[Any] = [HTTPCookieProcessor(self.jar), HTTPSHandler(context=context)]
        self._opener: OpenerDirector = build_opener(*handlers, *([] if follows else [_Stays()]))

    def ask(self, url: str, form: dict[str, str] | None = None, **headers: str) -> tuple[int, HTTPResponse, bytes]:
        """One request, a POST with a form: the status, the answer and its body."""
        body = None if form is None else urlencode(form).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            answer = self._opener.open(Request(url, body, given), timeout=20)  # noqa: S310 - our own addresses
        except HTTPError as error:
            return error.code, error, error.read()  # type: ignore[return-value]  # it has the same interface
        return answer.status, answer, answer.read()

    def sign_in(self, base: str, user: str) -> tuple[int, HTTPResponse, bytes]:
        """By way of the provider's own page."""
        status, page, _ = self.ask(f"{base}/auth/sign-in?next=/v1/totals%3Ftenant%3Dacme")
        assert status == 200
        assert "/oauth2/authorize" in page.url
        return self.ask(page.url, {"sub": user})

    def cookies(self) -> dict[str, Any]:
        """Those of our server."""
        return {cookie.name: cookie for cookie in self.jar if "rice" in cookie.name}


class _Stays(HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_options: Any) -> None:
        return None


def test_a_user_of_the_provider_signs_in_reads_and_signs_out(serve: Serve) -> None:
    with serve() as base:
        client = Client()
        assert client.ask(f"{base}/v1/totals?tenant=acme")[0] == 401
        status, answer, body = client.sign_in(base, "ada")
        assert (status, answer.url) == (200, f"{base}/v1/totals?tenant=acme")
        assert "window" in json.loads(body)
        [cookie] = client.cookies().values()
        assert (cookie.name, cookie.secure, cookie.has_nonstandard_attr("HttpOnly")) == ("rice", False, True)
        assert client.ask(f"{base}/auth/sign-out", {}, Origin="https://attacker.example")[0] == 403
        assert client.ask(f"{base}/v1/totals")[0] == 200
        assert client.ask(f"{base}/auth/sign-out", {}, Origin=base)[0] == 200
        assert client.cookies() == {}
        assert client.ask(f"{base}/v1/totals")[0] == 401


def test_a_user_in_no_known_group_is_told_so_and_gets_no_session(serve: Serve) -> None:
    with serve() as base:
        client = Client()
        status, _, body = client.sign_in(base, "eve")
        assert status == 403
        assert "claim `groups`" in json.loads(body)["detail"]
        assert "rice" not in client.cookies()


@dataclass
class Tls:
    """A certificate of localhost as settings, and who trusts it."""

    files: dict[str, str]
    context: ssl.SSLContext


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    """Of an authority of its own."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    (tmp_path / "certificate.pem").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    files = {"http_tls_certificate": str(tmp_path / "certificate.pem"), "http_tls_key": str(tmp_path / "key.pem")}
    return Tls(files, context)


PLAIN_IS_NO_ANSWER = r"(?i)disconnected|reset|closed|bad|eof|status"


def test_over_tls_the_cookie_is_bound_to_the_host(serve: Serve, tls: Tls) -> None:
    with serve(**tls.files) as base:
        client = Client(tls.context)
        status, answer, _ = client.sign_in(base, "ada")
        assert (status, answer.url) == (200, f"{base}/v1/totals?tenant=acme")
        [cookie] = client.cookies().values()
        assert (cookie.name, cookie.secure, cookie.path) == ("__Host-rice", True, "/")
        assert not cookie.domain_specified
        with pytest.raises(OSError, match=PLAIN_IS_NO_ANSWER):
            Client().ask(f"{base.replace('https', 'http')}/healthz")


def test_the_pact_host_is_served_over_tls_and_not_in_plain_text(serve: Serve, tls: Tls, provider: Provider) -> None:
    """Cases 9 to 11 of the published ones, over real sockets: neither a token nor a footprint is answered without TLS."""
    with serve(**tls.files, pact_company_domain="acme.example") as base:
        bearer = f"Bearer {id_token(provider.issuer, 'ada')}"
        status, _, body = Client(tls.context).ask(f"{base}/pact/3/footprints", Authorization=bearer)
        assert (status, json.loads(body)) == (200, {"data": []})
        plain = base.replace("https", "http")
        for path, form in (("3/footprints", None), ("auth/token", {"grant_type": "client_credentials"})):
            with pytest.raises(OSError, match=PLAIN_IS_NO_ANSWER):
                Client().ask(f"{plain}/pact/{path}", form, Authorization=bearer)


def test_the_providers_tokens_and_sessions_work_while_it_is_away(serve: Serve, provider: Provider) -> None:
    """Its keys were fetched once; only nobody can begin to sign in meanwhile."""
    with serve() as base:
        browser, program = Client(), Client()
        assert browser.sign_in(base, "ada")[0] == 200
        token = id_token(provider.issuer, "ada")
        provider.stop()
        assert browser.ask(f"{base}/v1/totals")[0] == 200
        assert program.ask(f"{base}/v1/totals?tenant=acme", Authorization=f"Bearer {token}")[0] == 200
        head, body, signature = token.split(".")
        for forged in (f"{head}.{body}.{signature[::-1]}", f"{head}.{body}.", token.swapcase(), f"{token}x"):
            assert program.ask(f"{base}/v1/totals", Authorization=f"Bearer {forged}")[0] == 401
        assert program.cookies() == {}


def test_a_server_that_starts_without_its_provider_says_that_it_is_away(serve: Serve, provider: Provider) -> None:
    token = id_token(provider.issuer, "ada")
    provider.stop()
    with serve() as base:
        client = Client(follows=False)
        for status, answer, _ in (
            client.ask(f"{base}/v1/totals", Authorization=f"Bearer {token}"),
            client.ask(f"{base}/auth/sign-in"),
        ):
            assert (status, answer.headers["retry-after"]) == (503, "5")


def id_token(issuer: str, user: str) -> str:
    """A token as another client of the provider gets it."""
    client = Client(follows=False)
    query = {
        "response_type": "code",
        "client_id": "rice",
        "redirect_uri": "http://localhost/cb",
        "scope": "openid email",
        "state": "s",
    }
    _, answer, _ = client.ask(f"{issuer}/oauth2/authorize?{urlencode(query)}", {"sub": user})
    code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": "http://localhost/cb",
        "client_id": "rice",
        "client_secret": "s",
    }
    _, _, body = client.ask(f"{issuer}/oauth2/token", form)
    token: str = json.loads(body)["id_token"]
    return token
