"""An OpenID provider on loopback that answers as a test says: its document, its keys, and an ID token for each code."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.jwts import Key, claims, provider_key, public, signed


class LocalProvider:
    """`keys` sign and are published; `document` changes the discovery document, `id_token` makes what a code is worth."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.keys: list[Key] = [provider_key()]
        self.document: dict[str, Any] = {}
        self.away = False
        self.asked: Counter[str] = Counter()
        self.forms: list[dict[str, str]] = []
        self.authorizations: list[str] = []
        self.id_token: Callable[[str], object] = lambda code: self.token(typ="JWT", aud="rice", nonce=code)
        self.refusal: dict[str, str] | None = None

    def token(self, typ: str = "at+jwt", **said: Any) -> str:
        """A token that is valid now, of the first of its keys."""
        now = int(time.time())
        times = {"iat": now, "exp": now + 300}
        return signed(claims(**{"iss": self.issuer, **times, **said}), self.keys[0], typ=typ)

    def answer(self, path: str) -> tuple[int, object]:
        """To a GET."""
        self.asked[path] += 1
        if self.away:
            return 503, {}
        if path == "/.well-known/openid-configuration":
            return 200, {
                "issuer": self.issuer,
                "jwks_uri": f"{self.issuer}/jwks",
                "authorization_endpoint": f"{self.issuer}/authorize?realm=x",
                "token_endpoint": f"{self.issuer}/token",
                **self.document,
            }
        return (200, {"keys": [public(key) for key in self.keys]}) if path == "/jwks" else (404, {})

    def exchange(self, form: dict[str, str], authorization: str) -> tuple[int, object]:
        """To a POST at the token endpoint."""
        self.asked["/token"] += 1
        self.forms.append(form)
        self.authorizations.append(authorization)
        if self.away:
            return 503, {}
        if self.refusal is not None:
            return 400, self.refusal
        return 200, {"token_type": "Bearer", "access_token": "opaque", "id_token": self.id_token(form["code"])}


@contextmanager
def local_provider() -> Iterator[LocalProvider]:
    """Serves until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(*provider.answer(urlsplit(self.path).path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._send(*provider.exchange(form, self.headers.get("authorization", "")))

        def _send(self, status: int, document: object) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = LocalProvider(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        http.shutdown()
        thread.join(5)
        http.server_close()
