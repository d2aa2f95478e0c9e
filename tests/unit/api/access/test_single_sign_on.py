"""Signing in by a provider and by a link, and what sessions and the provider's tokens then open, as a browser sees it."""

import asyncio
import base64
import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from rice_stream.api.access.sign_on import make_sign_on
from rice_stream.api.app import create_app
from rice_stream.api.product import Product
from rice_stream.errors import UsageError
from rice_stream.reports.audit import audit_entries
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.scoped import scoped_reading
from tests.support.asgi import LOOPBACK_HOST, Answer, ask
from tests.support.databases import SqliteDatabases
from tests.support.fakes import event
from tests.support.identity_provider import LocalProvider, local_provider
from tests.support.jwts import provider_key, public, signed, signed_with_secret, unsigned
from tests.support.waiting import wait_until
from tests.unit.api.conftest import FakePublisher

CLAIMS = """
groups:
  finance: {role: reader, tenants: [acme]}
  editors: {role: editor, tenants: [acme]}
  nobody-has-this: {role: admin, tenants: "*"}
"""
NOW_S = 1_795_348_800.0


@dataclass
class Browser:
    """A server and one browser: keeps cookies, and says that its requests come from the server's own page."""

    app: Any
    sign_on: Any
    product: Product
    publisher: FakePublisher
    host: str = LOOPBACK_HOST
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """One request."""
        given = {"host": self.host, "sec-fetch-site": "same-origin", "content-type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            given["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        pieces = [] if body is None else [json.dumps(body).encode()]
        answer = asyncio.run(ask(self.app, method, path, pieces, [(k, v) for k, v in given.items() if v]))
        for name, value in cookies_of(answer).items():
            self.cookies = {k: v for k, v in self.cookies.items() if k != name} | ({name: value} if value else {})
        return answer

    def bearer(self, token: str, method: str = "GET", path: str = "/v1/totals", body: object = None) -> Answer:
        """A request of a program that shows a token."""
        return self.ask(method, path, body, authorization=f"Bearer {token}", sec_fetch_site="")

    def sign_in(self, next_path: str = "/") -> tuple[str, dict[str, str]]:
        """Begin; returns where the provider is, and what it is told."""
        answer = self.ask("GET", f"/auth/sign-in?next={next_path}")
        assert answer.status == 303, answer.body
        parts = urlsplit(answer.headers["location"])
        return f"{parts.scheme}://{parts.netloc}{parts.path}", {k: v[0] for k, v in parse_qs(parts.query).items()}

    def come_back(self, told: dict[str, str], code: str | None = None, **changes: str) -> Answer:
        """From the provider, whose codes here are worth a token with the nonce that they are."""
        query = {"code": code or told["nonce"], "state": told["state"], **changes}
        return self.ask("GET", "/auth/callback?" + "&".join(f"{k}={v}" for k, v in query.items() if v))


def cookies_of(answer: Answer) -> dict[str, str]:
    """The cookies that an answer sets; "" removes one."""
    found = {}
    for line in answer.headers.get("set-cookie", "").split("\n"):
        name, _, value = line.partition(";")[0].partition("=")
        if name:
            found[name] = value.strip('"')
    return found


@pytest.fixture
def provider() -> Iterator[LocalProvider]:
    """One whose users are in the group `finance`."""
    with local_provider() as made:
        made.id_token = lambda code: made.token(
            typ="JWT", aud="rice", nonce=code, groups=["finance"], email="ada@x.example"
        )
        yield made


@pytest.fixture
def claims_file(tmp_path: Path) -> Path:
    path = tmp_path / "claims.yaml"
    path.write_text(CLAIMS)
    return path


@pytest.fixture
def browser(sqlite: SqliteDatabases, provider: LocalProvider, claims_file: Path) -> Callable[..., Browser]:
    """Makes one: `browser(oidc_audience="rice-api")`."""
    url = sqlite.migrated()

    def make(*, now_us: Callable[[], int] | None = None, oidc: bool = True, **changes: object) -> Browser:
        single = {
            "oidc_issuer": provider.issuer,
            "oidc_audience": "rice-api",
            "oidc_client_id": "rice",
            "oidc_client_secret": "client-s3cret",
            "oidc_claims_file": str(claims_file),
        }
        settings = Settings.model_validate({"database_url": url, **(single if oidc else {}), **changes})
        product, publisher = Product(settings), FakePublisher()
        options = {} if now_us is None else {"clock_us": now_us}
        sign_on = make_sign_on(settings, product.engine, **options)
        app = create_app(settings, publisher, product=product, sign_on=sign_on)  # type: ignore[arg-type]
        return Browser(app, sign_on, product, publisher)

    return make


class TestSigningInByProvider:
    """The code flow with PKCE."""

    def test_a_browser_that_comes_back_is_signed_in(
        self, browser: Callable[..., Browser], provider: LocalProvider
    ) -> None:
        made = browser()
        assert made.ask("GET", "/v1/totals").status == 401
        address, told = made.sign_in("/explore?by=team")
        assert address == f"{provider.issuer}/authorize"
        assert (told["response_type"], told["client_id"], told["realm"]) == ("code", "rice", "x")
        assert told["scope"] == "openid profile email"
        assert told["redirect_uri"] == f"http://{LOOPBACK_HOST}/auth/callback"
        answer = made.come_back(told)
        assert (answer.status, answer.headers["location"]) == (303, "/explore?by=team")
        assert set(made.cookies) == {"rice"}
        assert made.ask("GET", "/v1/totals?tenant=acme").status == 200
        assert made.ask("POST", "/v1/events", event()).status == 403, "a reader"

    def test_the_code_is_shown_with_the_verifier_of_the_challenge(
        self, browser: Callable[..., Browser], provider: LocalProvider
    ) -> None:
        made = browser()
        _, told = made.sign_in()
        made.come_back(told)
        [form] = provider.forms
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        assert told["code_challenge"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        assert told["code_challenge_method"] == "S256"
        assert form["redirect_uri"] == told["redirect_uri"]
        assert base64.b64decode(provider.authorizations[0].removeprefix("Basic ")) == b"rice:client-s3cret"

    @pytest.mark.parametrize("elsewhere", ["//attacker.example", "https://attacker.example", "/%5Cattacker.example"])
    def test_it_leads_to_no_other_host(self, browser: Callable[..., Browser], elsewhere: str) -> None:
        made = browser()
        _, told = made.sign_in(elsewhere)
        assert made.come_back(told).headers["location"] == "/"

    def test_an_answer_to_another_browsers_sign_in_is_refused(self, browser: Callable[..., Browser]) -> None:
        """Somebody else's code in one's own browser would sign one in as somebody else (login CSRF)."""
        made = browser()
        _, told = made.sign_in()
        for changes in ({"state": "x" * 43}, {"state": ""}):
            assert made.come_back(told, **changes).status == 400
        made.cookies = {}
        refused = made.come_back(told)
        assert (refused.status, refused.document["type"]) == (400, "/problems/sign-in-failed")
        assert made.cookies == {}

    def test_a_token_that_was_made_for_another_sign_in_is_refused(
        self, browser: Callable[..., Browser], provider: LocalProvider
    ) -> None:
        made = browser()
        _, told = made.sign_in()
        assert "nonce" in made.come_back(told, code="of-another").document["detail"]
        for forged in (
            provider.token(typ="JWT", aud="another", nonce=told["nonce"]),
            provider.token(typ="JWT", aud=["rice", "another"], nonce=told["nonce"]),
            provider.token(typ="at+jwt", aud="rice", nonce=told["nonce"]),
            provider.token(typ="JWT", aud="rice", nonce=told["nonce"], iss="https://attacker.example"),
        ):
            provider.id_token = lambda _code, token=forged: token  # type: ignore[misc]
            answer = made.come_back(told)
            assert (answer.status, answer.document["type"]) == (400, "/problems/sign-in-failed")
        assert "rice" not in made.cookies

    def test_who_is_in_no_group_of_the_file_learns_which_claim_was_looked_at(
        self, browser: Callable[..., Browser], provider: LocalProvider
    ) -> None:
        made = browser()
        provider.id_token = lambda code: provider.token(typ="JWT", aud="rice", nonce=code, groups=["secret-group"])
        _, told = made.sign_in()
        answer = made.come_back(told)
        assert answer.status == 403
        assert "claim `groups`" in answer.document["detail"]
        assert "secret-group" not in answer.body.decode()
        assert "rice" not in made.cookies

    def test_a_provider_that_is_away_or_refuses_is_said_to_be(
        self, browser: Callable[..., Browser], provider: LocalProvider
    ) -> None:
        made = browser()
        provider.away = True
        answer = made.ask("GET", "/auth/sign-in")
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        provider.away = False
        _, told = made.sign_in()
        provider.refusal = {"error": "invalid_grant"}
        assert made.come_back(told).status == 400
        assert made.come_back(told, code="", error="access_denied").status == 400
        assert made.come_back(told, iss="https://attacker.example").status == 400

    def test_signing_in_ends_the_session_before(self, browser: Callable[..., Browser]) -> None:
        made = browser()
        _, told = made.sign_in()
        made.come_back(told)
        planted = made.cookies["rice"]
        _, told = made.sign_in()
        made.come_back(told)
        assert made.cookies["rice"] != planted
        made.cookies["rice"] = planted
        assert made.ask("GET", "/v1/totals").status == 401

    def test_signing_out_ends_the_session_on_the_server(self, browser: Callable[..., Browser]) -> None:
        made = browser()
        _, told = made.sign_in()
        made.come_back(told)
        kept = dict(made.cookies)
        assert made.ask("GET", "/auth/sign-out").status == 405
        assert made.ask("POST", "/auth/sign-out", sec_fetch_site="cross-site").status == 403
        assert made.ask("GET", "/v1/totals").status == 200
        answer = made.ask("POST", "/auth/sign-out")
        assert (answer.status, made.cookies) == (200, {})
        made.cookies = kept
        assert made.ask("GET", "/v1/totals").status == 401

    def test_what_a_group_may_do_is_what_the_file_says_now(
        self, browser: Callable[..., Browser], claims_file: Path
    ) -> None:
        """A group that was taken out ends what its sessions may do with the server's next start."""
        made = browser()
        _, told = made.sign_in()
        made.come_back(told)
        claims_file.write_text("groups: {editors: {role: editor, tenants: [acme]}}")
        again = browser()
        again.cookies = made.cookies
        answer = again.ask("GET", "/v1/totals")
        assert answer.status == 403
        assert "claim `groups`" in answer.document["detail"]


def trail(made: Browser) -> list[tuple[str, str]]:
    """What the audit trail has of it, oldest first: the action and who."""
    rows = audit_entries(made.product.engine(), EVERYTHING)["rows"]
    return [(row["action"], row["actor"]["name"]) for row in reversed(rows)]


class TestTrail:
    """Signing in and out is kept, and that somebody could not."""

    def test_who_signs_in_and_out_by_the_provider(self, browser: Callable[..., Browser]) -> None:
        made = browser()
        _, told = made.sign_in()
        assert made.come_back(told).status == 303
        assert made.ask("POST", "/auth/sign-out").status == 200
        assert made.ask("POST", "/auth/sign-out").status == 200, "there is no session any more"
        name = "ada@x.example (248289761001)"
        assert trail(made) == [("session.begin", name), ("session.end", name)]

    def test_who_signs_in_by_the_link(self, browser: Callable[..., Browser]) -> None:
        made = browser(oidc=False)
        link = made.sign_on.link.url("")
        assert made.ask("GET", link).status == 303
        assert made.ask("GET", link).status == 403
        wait_until(lambda: len(trail(made)) == 2, 10, "the refusal")
        assert trail(made) == [
            ("session.begin", "admin by sign-in link"),
            ("session.refused", "somebody unknown"),
        ]

    def test_who_is_in_no_group_is_named(self, browser: Callable[..., Browser], provider: LocalProvider) -> None:
        made = browser()
        provider.id_token = lambda code: provider.token(typ="JWT", aud="rice", nonce=code, email="eve@x.example")
        _, told = made.sign_in()
        assert made.come_back(told).status == 403
        wait_until(lambda: trail(made), 10, "the refusal")
        assert trail(made) == [("session.refused", "eve@x.example (248289761001)")]

    @pytest.mark.parametrize(
        "changes", [{"state": "another"}, {"code": "of-another"}, {"iss": "https://other.example"}]
    )
    def test_an_answer_that_is_not_this_sign_ins(
        self, browser: Callable[..., Browser], changes: dict[str, str]
    ) -> None:
        made = browser()
        _, told = made.sign_in()
        assert made.come_back(told, **changes).status == 400
        wait_until(lambda: trail(made), 10, "the refusal")
        assert trail(made) == [("session.refused", "somebody unknown")]

    def test_a_sign_out_that_another_site_asks_for(self, browser: Callable[..., Browser]) -> None:
        made = browser()
        assert made.ask("POST", "/auth/sign-out", sec_fetch_site="cross-site").status == 403
        wait_until(lambda: trail(made), 10, "the refusal")
        assert trail(made) == [("session.end_refused", "somebody unknown")]

    def test_a_provider_that_is_away_is_nobodys_refusal(
        self, browser: Callable[..., Browser], provider: LocalProvider
    ) -> None:
        made = browser()
        _, told = made.sign_in()
        provider.away = True
        assert made.come_back(told).status == 503
        assert trail(made) == []


class TestSessions:
    """How long they last, and how their cookie is kept."""

    def test_they_end_by_disuse_and_by_age(self, browser: Callable[..., Browser]) -> None:
        now = [1_795_348_800_000_000]
        made = browser(now_us=lambda: now[0])
        _, told = made.sign_in()
        made.come_back(told)
        for _ in range(23):
            now[0] += 3_600_000_000
            assert made.ask("GET", "/v1/totals").status == 200
        now[0] += 3_600_000_000
        assert made.ask("GET", "/v1/totals").status == 401
        _, told = made.sign_in()
        made.come_back(told)
        now[0] += 8 * 3_600_000_000
        assert made.ask("GET", "/v1/totals").status == 401

    def test_on_loopback_the_cookie_needs_no_tls(self, browser: Callable[..., Browser]) -> None:
        made = browser()
        _, told = made.sign_in()
        answer = made.come_back(told)
        [line] = [each for each in answer.headers["set-cookie"].split("\n") if each.startswith("rice=")]
        assert [part.strip().lower() for part in line.split(";")[1:]] == ["httponly", "path=/", "samesite=lax"]

    def test_elsewhere_it_is_bound_to_tls_and_to_this_host(self, browser: Callable[..., Browser]) -> None:
        made = browser(
            http_host="0.0.0.0",  # noqa: S104 - not listened at
            http_public_url="https://carbon.example",
            http_trusted_proxies="127.0.0.1",
        )
        made.host = "internal-name:8080"
        _, told = made.sign_in()
        assert told["redirect_uri"] == "https://carbon.example/auth/callback"
        assert set(made.cookies) == {"__Host-rice-sign-in"}
        answer = made.come_back(told)
        [line] = [each for each in answer.headers["set-cookie"].split("\n") if each.startswith("__Host-rice=")]
        parts = {part.strip().lower() for part in line.split(";")[1:]}
        assert parts == {"secure", "httponly", "path=/", "samesite=lax"}, "no Domain: no other host has it"
        assert made.ask("GET", "/v1/totals").status == 200
        made.cookies = {"rice": made.cookies["__Host-rice"]}
        assert made.ask("GET", "/v1/totals").status == 401

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"sec_fetch_site": "same-origin"}, 202),
            ({"sec_fetch_site": "none"}, 202),
            ({"sec_fetch_site": "same-site"}, 403),
            ({"sec_fetch_site": "cross-site"}, 403),
            ({"sec_fetch_site": "cross-site", "origin": f"http://{LOOPBACK_HOST}"}, 403),
            ({"sec_fetch_site": "", "origin": f"http://{LOOPBACK_HOST}"}, 202),
            ({"sec_fetch_site": "", "origin": "http://127.0.0.1:9999"}, 403),
            ({"sec_fetch_site": "", "origin": "null"}, 403),
            ({"sec_fetch_site": ""}, 403),
        ],
    )
    def test_pages_of_other_sites_change_nothing_with_it(
        self, browser: Callable[..., Browser], provider: LocalProvider, headers: dict[str, str], status: int
    ) -> None:
        made = browser()
        provider.id_token = lambda code: provider.token(typ="JWT", aud="rice", nonce=code, groups=["editors"])
        _, told = made.sign_in()
        made.come_back(told)
        assert made.ask("POST", "/v1/events", event(), **headers).status == status
        assert len(made.publisher.events) == (1 if status == 202 else 0)

    def test_a_token_beside_a_session_is_what_counts(
        self, browser: Callable[..., Browser], provider: LocalProvider
    ) -> None:
        """Also where it is none: a program that shows a token means the token."""
        made = browser()
        _, told = made.sign_in()
        made.come_back(told)
        assert made.bearer("a.b.c").status == 401
        assert made.bearer("nonsense").status == 401
        writer = provider.token(aud="rice-api", groups=["editors"])
        assert made.bearer(writer, "POST", "/v1/events", event()).status == 202, "and needs to come from nowhere"


class TestTokensOfTheProvider:
    """As bearers, without a browser."""

    def test_its_groups_say_what_a_bearer_may_do(
        self, browser: Callable[..., Browser], provider: LocalProvider
    ) -> None:
        made = browser()
        reader, both = (
            provider.token(aud="rice-api", groups=groups) for groups in (["finance"], ["finance", "editors"])
        )
        assert made.bearer(reader).status == 200
        assert made.bearer(reader, "POST", "/v1/events", event()).status == 403
        assert made.bearer(both, "POST", "/v1/events", event()).status == 202
        refused = made.bearer(both, "POST", "/v1/events", event(tenant_id="globex"))
        assert refused.status == 403
        nobody = made.bearer(provider.token(aud="rice-api", groups=["strangers"]))
        assert (nobody.status, "claim `groups`" in nobody.document["detail"]) == (403, True)

    def test_forged_tokens_open_nothing(self, browser: Callable[..., Browser], provider: LocalProvider) -> None:
        made = browser()
        key, attacker = provider_key(), provider_key("RS256", "attacker")
        good = json.loads(base64.urlsafe_b64decode(provider.token(aud="rice-api").split(".")[1] + "=="))
        forged = {
            "alg none": unsigned(good, kid="k-1"),
            "HS256 with the public key": signed_with_secret(good, key.as_pem(private=False), kid="k-1"),
            "another's key": signed(good, attacker),
            "another's key under a known name": signed(good, attacker, kid="k-1"),
            "a key that it brings along": signed(good, attacker, jwk=public(attacker)),
            "the address of a key": signed(good, attacker, kid="k-1", jku=f"{provider.issuer}/jwks"),
            "another audience": provider.token(aud="another"),
            "no audience": provider.token(aud=...),
            "another issuer": provider.token(aud="rice-api", iss="https://attacker.example"),
            "from the future": provider.token(aud="rice-api", nbf=good["iat"] + 3_600),
            "expired": provider.token(aud="rice-api", exp=good["iat"] - 3_600),
            "a long header": signed(good, padding="x" * 10_000),
            "an ID token": provider.token(typ="logout+jwt", aud="rice-api"),
        }
        assert made.bearer(provider.token(aud="rice-api", groups=["finance"])).status == 200
        for name, token in forged.items():
            answer = made.bearer(token)
            assert answer.status == 401, name
            assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"', name
            assert token not in answer.body.decode()
        assert "/jwks" not in [form.get("jku") for form in provider.forms]

    def test_a_new_key_is_found_and_strangers_do_not_make_it_asked_for_each_time(
        self, browser: Callable[..., Browser], provider: LocalProvider
    ) -> None:
        made = browser()
        assert made.bearer(provider.token(aud="rice-api", groups=["finance"])).status == 200
        for number in range(5):
            stranger = provider_key("RS256", "attacker")
            assert made.bearer(signed({}, stranger, kid=f"k-{number + 7}")).status == 401
        assert provider.asked["/jwks"] == 1, "it was asked just now"

    def test_the_provider_may_be_away_once_its_keys_are_known(
        self, browser: Callable[..., Browser], provider: LocalProvider
    ) -> None:
        made = browser()
        token = provider.token(aud="rice-api", groups=["finance"])
        assert made.bearer(token).status == 200
        provider.away = True
        assert made.bearer(token).status == 200
        cold = browser()
        answer = cold.bearer(token)
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")

    def test_with_a_provider_loopback_is_not_open_any_more(self, browser: Callable[..., Browser]) -> None:
        made = browser()
        assert made.ask("POST", "/v1/events", event(), sec_fetch_site="").status == 401

    def test_without_an_audience_no_token_is_taken(
        self, browser: Callable[..., Browser], provider: LocalProvider
    ) -> None:
        made = browser(oidc_audience=None)
        assert made.bearer(provider.token(aud="rice", groups=["finance"])).status == 401


class TestSigningInByLink:
    """On loopback, where there is no provider."""

    def link_of(self, made: Browser) -> str:
        found: str = made.sign_on.link.url("")
        return found

    def test_the_link_makes_one_browser_admin(self, browser: Callable[..., Browser]) -> None:
        made = browser(oidc=False)
        link = self.link_of(made)
        answer = made.ask("GET", link)
        assert (answer.status, answer.headers["location"]) == (303, "/")
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert made.ask("GET", "/v1/totals").status == 200
        made.cookies = {}
        again = made.ask("GET", link)
        assert (again.status, made.cookies) == (403, {})

    def test_a_wrong_key_opens_nothing_and_does_not_use_it_up(self, browser: Callable[..., Browser]) -> None:
        made = browser(oidc=False)
        for path in ("/auth/link?key=wrong", "/auth/link?key="):
            assert made.ask("GET", path).status == 403
        assert made.ask("GET", "/auth/link").status == 422
        assert made.ask("GET", self.link_of(made), host="attacker.example").status == 421, "a name that leads here"
        assert made.ask("GET", self.link_of(made)).status == 303

    def test_there_is_none_with_a_provider_or_for_other_machines(self, browser: Callable[..., Browser]) -> None:
        assert browser().sign_on.link is None
        away = browser(oidc=False, http_host="0.0.0.0", http_trusted_proxies="127.0.0.1", http_token="t")  # noqa: S104
        assert away.sign_on.link is None
        assert away.ask("GET", "/auth/link?key=x").status == 404
        assert away.ask("GET", "/auth/sign-in").status == 404

    def test_its_session_ends_where_the_server_is_opened_to_others(self, browser: Callable[..., Browser]) -> None:
        made = browser(oidc=False)
        made.ask("GET", self.link_of(made))
        away = browser(oidc=False, http_host="0.0.0.0", http_trusted_proxies="127.0.0.1", http_token="t")  # noqa: S104
        away.cookies = {"rice": made.cookies["rice"], "__Host-rice": made.cookies["rice"]}
        assert away.ask("GET", "/v1/totals").status == 401
        with_provider = browser()
        with_provider.cookies = made.cookies
        assert with_provider.ask("GET", "/v1/totals").status == 401


def test_nothing_secret_is_logged_or_stored(
    browser: Callable[..., Browser], provider: LocalProvider, caplog: pytest.LogCaptureFixture
) -> None:
    """Keys, codes, cookies, verifiers, tokens and the client's secret: searched for in every line and in the database."""
    caplog.set_level(logging.DEBUG)
    made, by_link = browser(), browser(oidc=False)
    address_of_link = by_link.sign_on.link.url("")
    by_link.ask("GET", address_of_link)
    _, told = made.sign_in()
    under_way = made.cookies["rice-sign-in"]
    made.come_back(told, code="a-code-of-the-test")
    made.come_back(told)
    bad = provider.token(aud="another")
    made.bearer(bad)
    provider.refusal = {"error": "invalid_grant", "error_description": told["nonce"]}
    made.come_back(told)
    with scoped_reading(made.product.engine(), EVERYTHING) as connection:
        stored = repr(connection.exec_driver_sql("SELECT * FROM http_session").all())
    secrets = [
        address_of_link.rpartition("=")[2],
        by_link.cookies["rice"],
        made.cookies["rice"],
        under_way,
        provider.forms[0]["code_verifier"],
        "a-code-of-the-test",
        told["nonce"],
        told["state"],
        bad,
        "client-s3cret",
    ]
    logged = "\n".join(record.getMessage() for record in caplog.records)
    assert "signed in: " in logged
    for secret in secrets:
        assert secret not in logged
        assert secret not in stored


def test_settings_that_cannot_work_are_refused_at_the_start(browser: Callable[..., Browser], claims_file: Path) -> None:
    with pytest.raises(UsageError, match="RICE_OIDC_ISSUER: must be https"):
        browser(oidc_issuer="http://id.example")
    claims_file.write_text("groups: {finance: {role: owner, tenants: [acme]}}")
    with pytest.raises(UsageError, match=r"groups\.finance\.role"):
        browser()
