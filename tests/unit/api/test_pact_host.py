"""The host of PACT 3 by the published conformance cases that apply to one that is read only, by their numbers, and its scope.

The cases are those of wbcsd/pact-conformance-service for version 3; what they send and ask of an answer is written here anew.
"""

import asyncio
import base64
import json
import re
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.support.asgi import Answer, ask
from tests.support.closing import close
from tests.support.databases import Databases
from tests.support.reports_store import Store, at, open_store
from tests.unit.api.access.conftest import Database
from tests.unit.api.conftest import Door

_PATH = "/pact/3/footprints"
_FORM = {"content-type": "application/x-www-form-urlencoded"}
_GRANT = b"grant_type=client_credentials"
BOGUS = "urn:bogus:x:Zk3"
VALID = (datetime(2026, 11, 1, tzinfo=UTC), datetime(2029, 11, 1, tzinfo=UTC))
"""Of October's footprints: from the end of the month on, for three years."""


class Host:
    """The server in front of a ledger with closed months, and its clients."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.tokens = Database()
        given = {"pact_company_domain": "acme.example", "http_public_url": "https://carbon.example", **settings}
        self.door = Door(tokens=self.tokens, database_url=url, **given)
        self.token = self.tokens.make("reader")
        self.app: ASGIApp = self.door.app

    def make(self, role: str, **scope: Any) -> str:
        """A token, which the server looks for with the next request."""
        secret = self.tokens.make(role, **scope)
        assert self.door.admission is not None
        self.door.admission._book._looked_at_s = None
        return secret

    def seen_from(self, address: str) -> None:
        """Whoever asks is there from now on."""
        app = self.door.app

        async def asked(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "client": (address, 1)}, receive, send)

        self.app = asked

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return asyncio.run(ask(self.app, method, path, [body] if body else [], given.items()))

    def get(self, path: str = _PATH, token: str | None = None, **filters: Any) -> Answer:
        query = f"?{urlencode(filters, doseq=True)}" if filters else ""
        return self.send("GET", f"{path}{query}", authorization=f"Bearer {token or self.token}")

    def ids(self, **filters: Any) -> list[str]:
        """Those of the footprints that fit."""
        answer = self.get(**filters)
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json"), answer.body
        return [each["id"] for each in answer.document["data"]]

    def grant(self, client_id: str, secret: str, body: bytes = _GRANT) -> Answer:
        basic = base64.b64encode(f"{quote(client_id)}:{quote(secret)}".encode()).decode()
        return self.send("POST", "/pact/auth/token", body, authorization=f"Basic {basic}", **_FORM)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def ledger(
    request: pytest.FixtureRequest, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """October of two tenants is closed, of two models and one; November is not; a prompt came late. On every database."""
    if request.param == "sqlite":
        file = tmp_path_factory.mktemp("pact") / "rice.db"
        shutil.copyfile(sqlite_template, file)
        url = f"sqlite:///{file}"
    else:
        databases: Databases = request.getfixturevalue("postgres_of_module")
        url = databases.migrated()
    with open_store(url) as store:
        for tenant, models in (("acme", ("dense", "big")), ("globex", ("dense",))):
            for day in (*("2026-10-05", "2026-10-06"), "2026-11-02"):
                store.add(
                    *(at(f"{day}T08:00:00Z", tenant_id=tenant, event_id=f"{m}-{day}", request_model=m) for m in models)
                )
            close(store.engine, "2026-10", tenant, soft=tenant == "globex")
        store.add(at("2026-10-07T08:00:00Z", tenant_id="acme", request_model="dense", output_tokens=99))
        yield store


@pytest.fixture
def host(ledger: Store) -> Host:
    return Host(ledger.engine.url.render_as_string(hide_password=False))


class TestCases:
    """By number."""

    def test_0_1_18_a_token_is_given_for_client_credentials(self, host: Host) -> None:
        """And opens the list of at least two footprints; it is not to be kept anywhere."""
        answer = host.grant("1", host.token)
        assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
        document = answer.document
        assert (document["token_type"], document["expires_in"]) == ("Bearer", 3600)
        assert len(host.get(token=document["access_token"]).document["data"]) == 3

    def test_2_19_invalid_credentials_are_refused(self, host: Host) -> None:
        """Also a token under another's id, and one that may not read."""
        sender = host.make("ingest")
        for client_id, secret in (
            ("1", "no-token"),
            ("2", host.token),
            ("2", sender),
            ("", ""),
            ("x", host.token[:-1]),
        ):
            answer = host.grant(client_id, secret)
            assert (answer.status, answer.document["error"]) == (401, "invalid_client")
        for body in (b"grant_type=password", b"", b"\xff", b"a=" + b"x" * 5_000):
            answer = host.grant("1", host.token, body)
            assert (answer.status, answer.document["error"]) == (400, "unsupported_grant_type")

    def test_3_a_footprint_is_found_by_its_id(self, host: Host) -> None:
        """The same as in the list."""
        for footprint in host.get().document["data"]:
            assert host.get(f"{_PATH}/{footprint['id']}").document == {"data": footprint}
            assert str(uuid.UUID(footprint["id"])) == footprint["id"]

    def test_4_all_footprints_are_listed(self, host: Host, ledger: Store) -> None:
        """Of closed months alone, as they were reported: what came late changes none."""
        found = host.get().document["data"]
        assert [each["companyIds"] for each in found] == [
            ["urn:pact:acme.example:company-id:acme"],
            ["urn:pact:acme.example:company-id:acme"],
            ["urn:pact:acme.example:company-id:globex"],
        ]
        assert {each["pcf"]["referencePeriodEnd"] for each in found} == {"2026-11-01T00:00:00Z"}
        kilograms = [each["pcf"]["pcfExcludingBiogenicUptake"] for each in found]
        assert kilograms == ["7.500000000000", "2.500000000000", "2.500000000000"]
        closed = ledger.rows("SELECT closed_us FROM period WHERE closed_us IS NOT NULL")
        assert len(closed) == 1
        assert host.ids() == [each["id"] for each in found]

    def test_5_a_page_links_to_the_next(self, host: Host) -> None:
        """With its filters; the last one has no link. Each footprint is on one page."""
        seen, path = [], f"{_PATH}?limit=1&status=Active"
        while path:
            answer = host.get(path)
            [footprint] = answer.document["data"]
            seen.append(footprint["id"])
            link = re.fullmatch(r'<https://carbon\.example(/pact[^>]+)>; rel="next"', answer.headers.get("link", ""))
            path = link[1] if link else ""
        assert seen == host.ids()
        for wrong in ("limit=0", "limit=x", "after=x", "colour=red", "validOn=yesterday", "validOn=2026-01-01"):
            answer = host.get(f"{_PATH}?{wrong}")
            assert (answer.status, answer.document["code"]) == (400, "BadRequest"), wrong

    def test_6_7_16_an_invalid_token_is_a_bad_request(self, host: Host) -> None:
        known = host.ids()[0]
        for method, path in (("GET", _PATH), ("GET", f"{_PATH}/{known}"), ("POST", "/pact/3/events")):
            answer = host.send(method, path, authorization="Bearer very-invalid-access-token")
            assert (answer.status, answer.document["code"]) == (400, "BadRequest")
            assert set(answer.document) == {"code", "message"}

    def test_8_an_id_that_there_is_not(self, host: Host) -> None:
        known = host.ids()[0]
        for unknown in (str(uuid.UUID(int=0)), "no-id", f"{known[:-4]}0000"):
            answer = host.get(f"{_PATH}/{unknown}")
            assert (answer.status, answer.document["code"]) == (404, "NotFound")

    def test_9_10_11_nothing_is_answered_without_tls(self, ledger: Store) -> None:
        """Beyond loopback: neither a token nor a footprint."""
        url = ledger.engine.url.render_as_string(hide_password=False)
        open_to_others = Host(url, http_host="0.0.0.0", http_trusted_proxies=["10.9.9.9"])  # noqa: S104
        open_to_others.seen_from("192.0.2.7")
        known = Host(url).ids()[0]
        for answer in (
            open_to_others.grant("1", open_to_others.token),
            open_to_others.get(),
            open_to_others.get(f"{_PATH}/{known}"),
        ):
            assert answer.status == 403
            assert not {"access_token", "data"} & set(answer.document)

    def test_20_to_23_28_29_filters_of_one_value_and_of_several(self, host: Host) -> None:
        """Several of one field: any; of several fields: all. An empty one is none."""
        first = host.get().document["data"][0]
        product, company = first["productIds"][0], first["companyIds"][0]
        of_product = host.get(productId=product).document["data"]
        assert {each["productIds"][0] for each in of_product} == {product}
        assert len(host.ids(companyId=company)) == 2
        assert host.ids(geography="") == host.ids(classification="") == host.ids()
        assert host.ids(status="Active", productId=product) == [each["id"] for each in of_product]
        assert len(host.ids(companyId=[company, BOGUS, "x"])) == 2
        assert host.ids(companyId=company, productId=product) == [first["id"]]

    def test_24_25_26_filters_of_validity(self, host: Host) -> None:
        """On an edge it is valid; after and before are beyond it."""
        begins, ends = VALID
        day = timedelta(days=1)

        def count(**moments: datetime) -> int:
            return len(
                host.ids(**{name: moment.isoformat().replace("+00:00", "Z") for name, moment in moments.items()})
            )

        assert [count(validOn=moment) for moment in (begins - day, begins, ends, ends + day)] == [0, 3, 3, 0]
        assert [count(validAfter=moment) for moment in (begins - day, begins)] == [3, 0]
        assert [count(validBefore=moment) for moment in (ends + day, ends)] == [3, 0]

    @pytest.mark.parametrize(
        "query",
        [
            f"productId={BOGUS}",
            f"companyId={BOGUS}",
            "geography=XX",
            f"classification={BOGUS}",
            "validOn=1900-01-01T00:00:00Z",
            "validAfter=2099-12-31T23:59:59Z",
            "validBefore=1900-01-01T00:00:00Z",
            "status=BogusStatus",
            f"companyId={BOGUS}&productId={BOGUS}",
            f"companyId={BOGUS}&companyId={BOGUS}1&companyId={BOGUS}2",
        ],
    )
    def test_27_30_to_39_what_fits_nothing_is_an_empty_list(self, host: Host, query: str) -> None:
        answer = host.get(f"{_PATH}?{query}")
        assert (answer.status, answer.document) == (200, {"data": []})
        assert len(host.ids(status="Active")) == 3


def test_each_token_sees_its_tenants_months_and_no_others(host: Host) -> None:
    """A month is the whole tenant's; another's id is as one that there is not."""
    every = host.get().document["data"]
    own = host.make("reader", tenants={"globex"})
    assert [each["id"] for each in host.get(token=own).document["data"]] == [every[2]["id"]]
    assert host.get(f"{_PATH}/{every[2]['id']}", token=own).status == 200
    assert host.get(f"{_PATH}/{every[0]['id']}", token=own).document["code"] == "NotFound"
    for scope in ({"tenants": {"nobody"}}, {"tenants": {"acme"}, "teams": frozenset({"search"})}):
        token = host.make("reader", **scope)
        assert host.get(token=token).document == {"data": []}
        assert host.get(f"{_PATH}/{every[0]['id']}", token=token).status == 404
    sender = host.get(token=host.make("ingest"))
    assert (sender.status, sender.document["code"]) == (403, "AccessDenied")
    events = host.send("POST", "/pact/3/events", json.dumps({}).encode(), authorization=f"Bearer {host.token}")
    assert (events.status, events.document["code"]) == (400, "NotImplemented")


def test_without_a_company_there_is_no_host(ledger: Store) -> None:
    host = Host(ledger.engine.url.render_as_string(hide_password=False), pact_company_domain=None)
    assert host.get().status == 404
    assert host.grant("1", host.token).status == 404
