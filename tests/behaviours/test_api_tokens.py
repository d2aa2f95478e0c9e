"""Tokens and the audit trail through the API, on every database: made, rotated and ended by those who may, and by nobody else."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from rice_stream.api.access.issuing import AskedToken, issue
from rice_stream.api.access.rights import RIGHTS, Right
from rice_stream.api.access.secrets import may_be_token, new_token
from rice_stream.api.access.stored_tokens import StoredTokens
from rice_stream.reports.audit import audit_entries
from rice_stream.reports.tokens import tokens
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.audit import Actor
from rice_stream.store.engine import open_engine
from rice_stream.store.http_tokens import TokenConflictError
from rice_stream.store.scope import EVERYTHING, Scope
from tests.support.asgi import Answer
from tests.support.databases import Databases
from tests.support.fakes import OPERATOR
from tests.support.waiting import wait_until
from tests.unit.api.conftest import Door

ACME, GLOBEX, RED = frozenset({"acme"}), frozenset({"globex"}), frozenset({"red"})


class Api:
    """A server in front of a database of its own, and tokens that the operator made."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        self.door = Door(tokens=StoredTokens(Settings.model_validate({"database_url": url})), database_url=url)
        self._made: dict[str, str] = {}

    def close(self) -> None:
        """Let go of the database."""
        self.door.product.close()
        self.engine.dispose()

    def make(self, name: str, role: str, scope: Scope = EVERYTHING) -> str:
        """A token made on the command line; asked for again, the same."""
        if name not in self._made:
            asked = AskedToken(name, role, scope.tenants, scope.teams)
            self._made[name] = issue(self.engine, asked, EVERYTHING, OPERATOR).secret
        return self._made[name]

    def ask(self, method: str, path: str, secret: str, body: object = None, **headers: str) -> Answer:
        """The answer to the bearer of a token; what the server knows of tokens is up to date."""
        self.door.admission._book._looked_at_s = None  # type: ignore[union-attr]
        given = {"authorization": f"Bearer {secret}", **headers}
        return self.door.post(path, body, **given) if method == "POST" else self.door.ask(method, path, **given)

    def create(self, secret: str, **body: Any) -> Answer:
        """The answer to POST /v1/tokens."""
        return self.ask("POST", "/v1/tokens", secret, {"name": "new", "role": "reader", **body})

    def rows(self) -> list[dict[str, Any]]:
        """All tokens, as the command line lists them."""
        return tokens(self.engine, EVERYTHING)

    def trail(self) -> list[str]:
        """What was done, oldest first."""
        return [row["action"] for row in reversed(audit_entries(self.engine, EVERYTHING)["rows"])]


@pytest.fixture
def api(database: Databases) -> Iterator[Api]:
    """A server in front of an empty database of every kind."""
    made = Api(database.emptied())
    yield made
    made.close()


class TestTokens:
    """POST, GET, DELETE /v1/tokens and rotation."""

    def test_a_token_is_made_works_is_listed_and_ends(self, api: Api) -> None:
        """Its secret is in one answer only; who made it is told, in the list as in the trail."""
        admin = api.make("admin", "admin")
        answer = api.create(admin, tenants=["acme"], expires_days=3, idempotency_key="k")
        assert answer.status == 422, "a field that there is not"
        answer = api.ask(
            "POST",
            "/v1/tokens",
            admin,
            {"name": "new", "role": "reader", "tenants": ["acme"], "expires_days": 3},
            idempotency_key="k-1",
        )
        assert (answer.status, answer.headers["cache-control"]) == (201, "no-store")
        made = answer.document
        assert may_be_token(made["token"])
        assert (made["role"], made["tenants"], made["created_by"]) == ("reader", ["acme"], "token 1 (admin)")
        assert api.ask("GET", "/v1/totals?tenant=acme&window=24h", made["token"]).status == 200
        listed = api.ask("GET", "/v1/tokens", admin).document
        assert listed["next"] is None
        assert {name: value for name, value in made.items() if name != "token"} == listed["rows"][1] | {
            "last_used_at": None
        }
        ended = api.ask("DELETE", f"/v1/tokens/{made['id']}", admin)
        assert (ended.status, ended.document["state"]) == (200, "revoked")
        assert api.ask("GET", "/v1/totals?tenant=acme&window=24h", made["token"]).status == 401
        [entry] = audit_entries(api.engine, EVERYTHING, action="token.revoke")["rows"]
        assert (entry["actor"], entry["tenant_id"]) == (
            {"kind": "token", "name": "token 1 (admin)", "token_id": 1},
            "acme",
        )
        [made_entry] = audit_entries(api.engine, EVERYTHING, tenant="acme", action="token.create")["rows"]
        assert made_entry["request_id"] == "k-1"

    def test_a_request_that_is_sent_again_makes_nothing_and_shows_no_secret(self, api: Api) -> None:
        """Under the same Idempotency-Key; whoever lost the answer rotates the token."""
        admin = api.make("admin", "admin")
        body = {"name": "new", "role": "reader"}
        first, second = (api.ask("POST", "/v1/tokens", admin, body, idempotency_key="k-1") for _ in range(2))
        assert {name: value for name, value in first.document.items() if name != "token"} == second.document
        assert (second.status, second.headers["cache-control"]) == (201, "no-store")
        rotations = [
            api.ask("POST", "/v1/tokens/2/rotate", admin, {"overlap_hours": 1}, idempotency_key="k-2") for _ in range(2)
        ]
        assert [("token" in answer.document, answer.document["id"]) for answer in rotations] == [(True, 3), (False, 3)]
        assert len(api.rows()) == 3
        with api.engine.connect() as connection:
            kept = repr(connection.execute(text("SELECT * FROM idempotency_key")).all())
        for answer in (first, rotations[0]):
            assert answer.document["token"].rpartition("_")[2][6:] not in kept

    def test_the_use_of_an_ended_token_is_in_the_trail(self, api: Api) -> None:
        admin, reader = api.make("admin", "admin"), api.make("reader", "reader")
        assert api.ask("DELETE", "/v1/tokens/2", admin).status == 200
        for _ in range(3):
            assert api.ask("GET", "/v1/models", reader).status == 401
        wait_until(lambda: "token.use_refused" in api.trail(), 10, "the use to be noted")
        assert api.trail().count("token.use_refused") == 1

    def test_nothing_beyond_the_callers_rights_is_handed_on(self, api: Api) -> None:
        """Every role, tenants and teams: 403 with the field that goes beyond, and nothing is made."""
        acme = api.make("acme", "admin", Scope(ACME))
        red = api.make("red", "admin", Scope(ACME, RED))
        both = ["acme", "globex"]
        for secret, body, field in (
            (acme, {}, "tenants"),
            (acme, {"tenants": "*"}, "tenants"),
            (acme, {"tenants": both}, "tenants"),
            (acme, {"tenants": ["nobody"]}, "tenants"),
            (acme, {"role": "admin"}, "tenants"),
            (red, {"tenants": ["acme"]}, "teams"),
            (red, {"tenants": ["acme"], "teams": ["red", "blue"]}, "teams"),
        ):
            answer = api.create(secret, **body)
            assert (answer.status, answer.document["type"]) == (403, "/problems/beyond-your-rights"), body
            assert answer.document["detail"].startswith(f"{field}: ")
        assert len(api.rows()) == 2
        for role in RIGHTS:
            assert api.create(acme, name=role, role=role, tenants=["acme"]).status == 201
        assert api.create(red, name="mine", role="admin", tenants=["acme"], teams=["red"]).status == 201

    def test_a_right_that_was_handed_on_ends_where_its_own_ends(self, api: Api) -> None:
        """What an admin of one tenant makes cannot make more than that admin could."""
        first = api.make("acme", "admin", Scope(ACME))
        second = api.create(first, role="admin", tenants=["acme"]).document["token"]
        assert api.create(second, name="third", tenants=["globex"]).status == 403
        assert api.create(second, name="third", tenants=["acme"]).status == 201

    def test_tokens_of_others_are_not_there(self, api: Api) -> None:
        """The same answer, byte for byte, as for an id that nobody has; and nothing is changed."""
        secrets = {
            "all": api.make("all", "admin"),
            "acme": api.make("acme", "admin", Scope(ACME)),
            "globex": api.make("globex", "admin", Scope(GLOBEX)),
        }
        seen = {
            name: [row["name"] for row in api.ask("GET", "/v1/tokens", secret).document["rows"]]
            for name, secret in secrets.items()
        }
        assert seen == {"all": ["all", "acme", "globex"], "acme": ["acme"], "globex": ["globex"]}
        before = api.trail()
        for method, path, body in (("DELETE", "", None), ("POST", "/rotate", {"overlap_hours": 1})):
            foreign, missing = (api.ask(method, f"/v1/tokens/{one}{path}", secrets["acme"], body) for one in (3, 999))
            assert (foreign.status, missing.status) == (404, 404)
            assert foreign.body.replace(b"3", b"999") == missing.body
            assert api.ask(method, f"/v1/tokens/1{path}", secrets["acme"], body).status == 404
        assert {row["state"] for row in api.rows()} == {"active"}
        assert api.trail() == before

    def test_rotation_leaves_both_for_a_while(self, api: Api) -> None:
        """Also of the token with which one asks."""
        admin = api.make("admin", "admin")
        answer = api.ask("POST", "/v1/tokens/1/rotate", admin, {"overlap_hours": 1})
        assert (answer.status, answer.document["replaces"]) == (201, 1)
        new = answer.document["token"]
        assert [api.ask("GET", "/v1/tokens", secret).status for secret in (admin, new)] == [200, 200]
        again = api.ask("POST", "/v1/tokens/1/rotate", new, {})
        assert (again.status, again.document["type"]) == (409, "/problems/conflict")
        assert api.ask("POST", "/v1/tokens/2/rotate", new, {"overlap_hours": 0}).status == 201
        assert api.ask("GET", "/v1/tokens", new).status == 401

    def test_what_makes_no_sense_is_refused_and_names_its_field(self, api: Api) -> None:
        admin = api.make("admin", "admin")
        for body, field in (
            ({"role": "owner"}, "role"),
            ({"name": ""}, "name"),
            ({"name": 7}, "name"),
            ({"tenants": [""]}, "tenants"),
            ({"tenants": ["x" * 300]}, "tenants"),
            ({"expires_days": 0}, "expires_days"),
            ({"expires_days": 1e9}, "expires_days"),
            ({"concurrency": 0}, "concurrency"),
            ({"requests_per_s": -1}, "requests_per_s"),
            ({"created_by": "somebody"}, "created_by"),
            ({"digest": "00"}, "digest"),
            ({"id": 7}, "id"),
            ({"name": "x\0"}, "name"),
            ({"tenants": ["x\0y"]}, "tenants"),
        ):
            answer = api.create(admin, **body)
            assert answer.status == 422, body
            assert any(one["field"].startswith(field) for one in answer.document["invalid_parameters"]), body
        for wrong in ({"name": " "}, {"tenants": list[str]()}):
            answer = api.create(admin, **wrong)
            assert (answer.status, answer.document["type"]) == (400, "/problems/invalid-request"), wrong
        for path in ("0", "-1", "x", str(2**63), "1.5"):
            assert api.ask("DELETE", f"/v1/tokens/{path}", admin).status == 422
        assert api.ask("GET", "/v1/tokens?colour=red", admin).status == 422
        taken = api.create(admin, name="admin")
        assert (taken.status, taken.document["type"]) == (409, "/problems/conflict")
        assert len(api.rows()) == 1

    def test_a_token_makes_none_without_an_end(self, api: Api) -> None:
        """It has one itself; what is without one, and so warned of, comes from the command line or somebody signed in."""
        made = api.create(api.make("admin", "admin"), role="ingest").document
        assert made["expires_at"] is not None
        assert "warning" not in made
        assert issue(api.engine, AskedToken("endless", "ingest"), EVERYTHING, OPERATOR).warning is not None

    def test_pages_hold_every_token_once(self, api: Api) -> None:
        admin = api.make("admin", "admin")
        for number in range(4):
            api.make(f"t{number}", "reader")
        seen, after = [], ""
        while True:
            page = api.ask("GET", f"/v1/tokens?limit=2{after}", admin).document
            seen += [row["id"] for row in page["rows"]]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        assert seen == [1, 2, 3, 4, 5]

    def test_no_answer_and_no_log_has_a_secret(self, api: Api, caplog: pytest.LogCaptureFixture) -> None:
        """But the one that shows it."""
        caplog.set_level("DEBUG")
        admin = api.make("admin", "admin")
        secret = api.create(admin).document["token"]
        shown = [
            api.ask("GET", "/v1/tokens", admin).body,
            api.ask("GET", "/v1/audit", admin).body,
            api.ask("GET", f"/v1/{secret}", admin).body,
            api.ask("DELETE", "/v1/tokens/2", admin).body,
            api.ask("GET", "/v1/tokens", secret).body,
            caplog.text.encode(),
        ]
        random = secret.rpartition("_")[2].encode()
        assert not [text for text in shown if random in text]


class TestAudit:
    """GET /v1/audit."""

    def test_admins_and_auditors_read_what_is_theirs(self, api: Api) -> None:
        """Of one tenant: what is that tenant's alone. Others get 403, and nobody changes anything by reading."""
        callers = {
            "all": api.make("all", "auditor"),
            "acme": api.make("acme", "auditor", Scope(ACME)),
            "red": api.make("red", "admin", Scope(ACME, RED)),
            "globex": api.make("globex", "admin", Scope(GLOBEX)),
        }
        seen = {
            name: [row["subject"]["id"] for row in api.ask("GET", "/v1/audit", secret).document["rows"]]
            for name, secret in callers.items()
        }
        assert seen == {"all": ["4", "3", "2", "1"], "acme": ["3", "2"], "red": [], "globex": ["4"]}
        for role in ("reader", "editor", "ingest"):
            assert api.ask("GET", "/v1/audit", api.make(role, role)).status == 403
        for tenant in ("globex", "nobody"):
            answer = api.ask("GET", f"/v1/audit?tenant={tenant}", callers["acme"])
            assert answer.status == 404
            assert answer.body.replace(tenant.encode(), b"") == api.ask(
                "GET", "/v1/audit?tenant=other", callers["acme"]
            ).body.replace(b"other", b"")

    def test_the_same_entries_as_on_the_command_line_in_pages(self, api: Api) -> None:
        auditor = api.make("auditor", "auditor")
        for number in range(4):
            api.make(f"t{number}", "reader", Scope(ACME))
        rows, after = [], ""
        while True:
            page = api.ask("GET", f"/v1/audit?limit=2{after}", auditor).document
            rows += page["rows"]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        assert rows == json.loads(json.dumps(audit_entries(api.engine, EVERYTHING)["rows"]))
        assert len(rows) == 5
        foreign = api.ask("GET", f"/v1/audit?limit=2{after}", api.make("other", "auditor"))
        assert (foreign.status, foreign.document["type"]) == (400, "/problems/cursor-mismatch")


def test_only_admins_manage_tokens(api: Api) -> None:
    """A token that nobody made is 401 whatever it asks for."""
    for role in RIGHTS:
        expected = 200 if Right.MANAGE_TOKENS in RIGHTS[role] else 403
        assert api.ask("GET", "/v1/tokens", api.make(role, role)).status == expected
    assert api.ask("GET", "/v1/tokens", new_token("admin")).status == 401


class TestMakers:
    """What was made with a token does not outlive what that token may do."""

    def made(self, api: Api, secret: str, name: str, **body: Any) -> dict[str, Any]:
        """A token made with another one."""
        answer = api.create(secret, name=name, **body)
        assert answer.status == 201, answer.body
        document: dict[str, Any] = answer.document
        return document

    def short(self, api: Api, days: float = 10) -> str:
        """An admin's token that ends soon."""
        return issue(api.engine, AskedToken("short", "admin", expires_days=days), EVERYTHING, OPERATOR).secret

    def end(self, api: Api, name: str) -> str | None:
        """When a token ends."""
        [row] = [row for row in api.rows() if row["name"] == name and row["state"] == "active"]
        end: str | None = row["expires_at"]
        return end

    def test_it_ends_with_its_maker_at_the_latest(self, api: Api) -> None:
        """Also one that sends events, which would have no end; a longer life that is asked for is refused."""
        admin = self.short(api)
        for name, role in (("reads", "reader"), ("sends", "ingest"), ("manages", "admin")):
            assert self.made(api, admin, name, role=role)["expires_at"] == self.end(api, "short")
        assert (self.made(api, admin, "sooner", expires_days=9)["expires_at"] or "") < (self.end(api, "short") or "")
        answer = api.create(admin, name="longer", expires_days=11)
        assert (answer.status, answer.document["type"]) == (403, "/problems/beyond-your-rights")
        assert answer.document["detail"].startswith("expires_days: ")

    def test_it_is_revoked_with_its_maker_and_what_it_made_is_too(self, api: Api) -> None:
        """And nothing else: neither what others made, nor what has a name like it."""
        operator, admin = api.make("operator", "admin"), self.short(api)
        child = self.made(api, admin, "child", role="admin")
        grandchild = self.made(api, child["token"], "grandchild")
        other = self.made(api, operator, f"token {child['id']} (", role="admin")
        kept = self.made(api, other["token"], "kept")
        [short] = [row["id"] for row in api.rows() if row["name"] == "short"]
        answer = api.ask("DELETE", f"/v1/tokens/{short}", operator)
        assert (answer.status, answer.document["also_revoked"]) == (200, [child["id"], grandchild["id"]])
        for secret in (admin, child["token"], grandchild["token"]):
            assert api.ask("GET", "/v1/tenants", secret).status == 401
        for secret in (other["token"], kept["token"]):
            assert api.ask("GET", "/v1/tenants", secret).status == 200
        revoked = audit_entries(api.engine, EVERYTHING, action="token.revoke")["rows"]
        assert sorted(int(row["subject"]["id"]) for row in revoked) == sorted([short, child["id"], grandchild["id"]])
        again = api.ask("DELETE", f"/v1/tokens/{short}", operator)
        assert (again.status, again.document["also_revoked"]) == (200, [])

    def test_a_rotation_gives_no_longer_life_than_its_maker_had(self, api: Api) -> None:
        """Neither by itself nor by another token; one that the operator made is renewed."""
        admin = self.short(api)
        child = self.made(api, admin, "child", role="admin", expires_days=8)
        itself = api.ask("POST", f"/v1/tokens/{child['id']}/rotate", child["token"], {})
        assert itself.document["expires_at"] == child["expires_at"]
        by_admin = api.ask("POST", f"/v1/tokens/{itself.document['id']}/rotate", admin, {})
        assert by_admin.document["expires_at"] <= (self.end(api, "short") or "")
        [short] = [row["id"] for row in api.rows() if row["name"] == "short"]
        before = self.end(api, "short")
        renewed = api.ask("POST", f"/v1/tokens/{short}/rotate", admin, {})
        assert renewed.document["expires_at"] > before
        assert renewed.document["created_by"] == "command line operator"

    def test_who_revokes_a_token_learns_of_the_one_in_its_place(self, api: Api) -> None:
        """It goes on: rotating a token and ending the old one must not end both."""
        operator = api.make("operator", "admin")
        old = self.made(api, operator, "gateway", role="ingest")
        new = api.ask("POST", f"/v1/tokens/{old['id']}/rotate", operator, {}).document
        answer = api.ask("DELETE", f"/v1/tokens/{old['id']}", operator)
        assert (answer.document["also_revoked"], answer.document["replaced_by"]) == ([], new["id"])
        assert api.ask("GET", "/v1/totals", new["token"]).status == 403, "it may send events, and is known"

    def test_a_token_that_has_ended_makes_none(self, api: Api) -> None:
        """Not even within the seconds in which a server still believes it."""
        admin = self.short(api)
        [row] = [row for row in api.rows() if row["name"] == "short"]
        by = Actor("token", f"token {row['id']} (short)", row["id"])
        assert api.ask("DELETE", f"/v1/tokens/{row['id']}", api.make("operator", "admin")).status == 200
        assert api.ask("GET", "/v1/tokens", admin).status == 401
        with pytest.raises(TokenConflictError, match="has ended"):
            issue(api.engine, AskedToken("late", "reader"), EVERYTHING, by)
        assert "late" not in [each["name"] for each in api.rows()]
