"""Channels over HTTP, as by command line: changed only by who has seen their state, only one's own, and no secret is anywhere."""

import base64
import json
import logging
from typing import Any

import pytest

from tests.support.api_running import SECRETS_KEY, Api
from tests.support.cli_running import Shell

NEW: dict[str, Any] = {"name": "ops", "type": "webhook", "url": "https://example.com/hook", "tenants": ["acme"]}
CHANGED = {"type": "webhook", "tenants": ["acme"], "min_severity": "critical", "remind_every": "4h"}
PATH = "/v1/channels/ops"
ACME = frozenset({"acme"})
GLOBEX = frozenset({"globex"})
PLANTED = "hunter2" * 6 + "A="
"""What must be found nowhere: base64, and a part of all secrets below."""


@pytest.fixture
def own(ledger: Shell) -> Shell:
    """A ledger whose secrets can be kept."""
    ledger.environment["RICE_SECRETS_KEY"] = SECRETS_KEY
    return ledger


@pytest.fixture
def api(own: Shell) -> Api:
    """A server in front of it."""
    return Api(own)


def listed(shell: Shell) -> list[dict[str, Any]]:
    """Channels as the command line lists them."""
    rows: list[dict[str, Any]] = shell.json("channel", "list")["channels"]
    return rows


def test_a_channel_is_made_changed_tried_and_removed_as_by_command_line(api: Api, own: Shell) -> None:
    """Each with the state that it leaves, and an entry in the audit trail; the key that was made is in one answer only."""
    made = api.send("POST", "/v1/channels", NEW)
    assert made.status == 201, made.body
    assert made.document.pop("secret", "").startswith("whsec_")
    assert made.headers["cache-control"] == "no-store"
    assert api.get("/v1/channels").document["rows"] == listed(own)
    seen = api.get(PATH)
    assert seen.document == listed(own)[1]
    changed = api.send("PUT", PATH, CHANGED, headers={"If-Match": seen.headers["etag"]})
    assert changed.status == 200, changed.body
    assert changed.document == listed(own)[1]
    assert (changed.document["min_severity"], changed.document["remind_every_s"]) == ("critical", 14_400)
    assert changed.document["target"] == "https://example.com/hook"
    assert changed.headers["etag"] == api.get(PATH).headers["etag"] != seen.headers["etag"]
    trial = api.send("POST", f"{PATH}/test")
    assert (trial.status, trial.document["kind"], trial.document["state"]) == (201, "test", "due")
    assert api.get("/v1/deliveries").document["rows"] == own.json("delivery", "list")["deliveries"] == [trial.document]
    assert api.get(f"/v1/deliveries/{trial.document['id']}").document == trial.document
    removed = api.send("DELETE", PATH, headers={"If-Match": changed.headers["etag"]})
    assert (removed.status, removed.body) == (204, b"")
    assert [row["name"] for row in listed(own)] == ["kafka"]
    trail = [row for row in own.json("audit", "list")["rows"] if row["subject"]["kind"] == "channel"]
    assert [row["action"] for row in trail] == ["channel.remove", "channel.test", "channel.set", "channel.set"]
    assert {row["actor"]["name"] for row in trail} == {"token 1 (editor-0)"}


def test_a_change_needs_the_state_that_was_seen(api: Api, own: Shell) -> None:
    """428 without If-Match; 412 with the state of now where somebody else has changed it, be it the secret alone."""
    api.send("POST", "/v1/channels", NEW)
    seen = api.get(PATH).headers["etag"]
    assert api.send("PUT", PATH, CHANGED).status == 428
    assert api.send("DELETE", PATH).status == 428
    assert own.run("channel", "set", "ops", "--type=webhook", "--tenant=acme", "--new-secret").exit_code == 0
    before = listed(own)
    for method, body in (("PUT", CHANGED), ("DELETE", None)):
        refused = api.send(method, PATH, body, headers={"If-Match": seen})
        assert refused.status == 412
        assert refused.document["current"]["updated_at"] == before[1]["updated_at"]
    assert listed(own) == before


def test_a_lost_answer_is_given_again_without_the_key(api: Api) -> None:
    """Under one Idempotency-Key a channel is made, and tried, once."""
    first, again = (api.send("POST", "/v1/channels", NEW, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status, again.status) == (201, 201)
    assert "secret" in first.document
    assert {name: value for name, value in first.document.items() if name != "secret"} == again.document
    assert api.send("POST", "/v1/channels", NEW).status == 409
    tried = [api.send("POST", f"{PATH}/test", headers={"Idempotency-Key": "t"}).document["id"] for _ in range(2)]
    assert tried[0] == tried[1]


BAD = (
    ({"type": "teams"}, 422, "type: "),
    ({"url": "gopher://example.com"}, 422, "url: "),
    ({"secret": PLANTED}, 422, "secret: "),
    ({"secret_env": "PATH"}, 422, "secret_env: "),
    ({"tenants": "acme"}, 422, "tenants"),
    ({"quiet_hours": {"start": "22:00", "end": "22:00"}}, 422, "quiet_hours.end: "),
    ({"quiet_hours": {"start": "22:00", "end": "7:00"}}, 422, "quiet_hours.end: "),
    ({"quiet_hours": {"start": "22:00"}}, 422, "quiet_hours.end: "),
    ({"remind_every": "5s"}, 422, "remind_every: "),
    ({"min_severity": "high"}, 422, "min_severity: "),
    ({"name": "a/b"}, 422, "name: "),
    ({"name": "kafka"}, 422, "name: "),
    ({"type": "pagerduty"}, 400, "secret: "),
    ({"url": None}, 400, "url: "),
)


def test_a_bad_field_is_named_and_nothing_is_made(api: Api, own: Shell) -> None:
    for change, status, field in BAD:
        answer = api.send("POST", "/v1/channels", {**NEW, **change})
        assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json"), change
        assert field in answer.document["detail"]
        assert PLANTED not in answer.body.decode()
    assert len(listed(own)) == 1


def test_what_is_anothers_is_not_there(api: Api, own: Shell) -> None:
    """404 for the channel of another tenant, or of several of whom one is another's, as for none; and its name may be used."""
    assert api.send("POST", "/v1/channels", {**NEW, "tenants": ["acme", "globex"]}, tenants=ACME).status == 404
    assert api.send("POST", "/v1/channels", {**NEW, "tenants": "*"}, tenants=ACME).status == 404
    api.send("POST", "/v1/channels", NEW)
    trial = api.send("POST", f"{PATH}/test").document["id"]
    before = listed(own)
    tag = {"If-Match": "*"}
    scopes: list[dict[str, Any]] = [{"tenants": GLOBEX}, {"tenants": ACME, "teams": frozenset({"search"})}]
    for scope in scopes:
        for method, path, body, headers in (
            ("GET", PATH, None, {}),
            ("PUT", PATH, CHANGED, tag),
            ("DELETE", PATH, None, tag),
            ("POST", f"{PATH}/test", None, {}),
            ("GET", f"/v1/deliveries/{trial}", None, {}),
            ("POST", "/v1/deliveries/resend", {"ids": [trial]}, {}),
            ("POST", "/v1/deliveries/resend", {"since": "2020-01-01", "channel": "ops"}, {}),
        ):
            answer = api.send(method, path, body, headers=headers, **scope)
            nowhere = api.send(
                method,
                path.replace("ops", "none").replace(f"/{trial}", "/999"),
                body if not isinstance(body, dict) else {**body, **({"ids": [999]} if "ids" in body else {})},
                headers=headers,
                **scope,
            )
            assert (answer.status, nowhere.status) == (404, 404), (method, path)
        assert [row["name"] for row in api.get("/v1/channels", **scope).document["rows"]] == ["kafka"]
        assert api.get("/v1/deliveries", **scope).document["rows"] == []
    assert listed(own) == before
    ours = api.send(
        "POST", "/v1/channels", {"name": "ops", "type": "webhook", "url": "https://g.example"}, tenants=GLOBEX
    )
    assert (ours.status, ours.document["tenants"]) == (201, ["globex"])
    assert api.get(PATH).status == 400
    assert api.get(f"{PATH}?tenant=globex").document["id"] == ours.document["id"]


@pytest.mark.parametrize("role", ["reader", "auditor", "ingest"])
def test_only_admins_and_editors_set_try_and_resend(api: Api, role: str) -> None:
    """Readers and auditors see channels and deliveries; whoever sends events sees nothing."""
    api.send("POST", "/v1/channels", NEW)
    for method, path, body in (
        ("POST", "/v1/channels", NEW),
        ("PUT", PATH, CHANGED),
        ("DELETE", PATH, None),
        ("POST", f"{PATH}/test", None),
        ("POST", "/v1/deliveries/resend", {"since": "2020-01-01"}),
    ):
        assert api.send(method, path, body, role=role).status == 403, path
    for path in ("/v1/channels", PATH, "/v1/deliveries"):
        assert api.get(path, role=role).status == (403 if role == "ingest" else 200)
    assert api.send("PUT", PATH, CHANGED, role="admin", headers={"If-Match": "*"}).status == 200


def test_deliveries_come_in_pages_and_are_sent_again(api: Api) -> None:
    api.send("POST", "/v1/channels", NEW)
    ids = [api.send("POST", f"{PATH}/test").document["id"] for _ in range(3)]
    first = api.get("/v1/deliveries?limit=2&channel=ops&state=due").document
    assert [row["id"] for row in first["rows"]] == ids[:0:-1]
    rest = api.get(f"/v1/deliveries?limit=2&channel=ops&state=due&after={first['next']}").document
    assert ([row["id"] for row in rest["rows"]], rest["next"]) == (ids[:1], None)
    assert api.get(f"/v1/deliveries?after={first['next']}").status == 400
    assert api.get("/v1/deliveries?state=lost").status == 422
    assert api.get("/v1/deliveries?tenant=nobody", tenants=ACME).status == 404
    api.send("PUT", PATH, {**CHANGED, "url": "https://elsewhere.example"}, headers={"If-Match": "*"})
    again = api.send("POST", "/v1/deliveries/resend", {"since": "2020-01-01T00:00:00Z", "channel": "ops"})
    assert (again.status, again.document) == (200, {"rows": [], "resent": 0, "left": 0})
    for wrong in ({}, {"ids": ids, "since": "2020-01-01"}, {"since": "yesterday"}):
        assert api.send("POST", "/v1/deliveries/resend", wrong).status == 400, wrong


def test_planted_secrets_are_found_nowhere(api: Api, own: Shell, caplog: pytest.LogCaptureFixture) -> None:
    """Not in answers, the audit trail, logs, or the database; but for the key that was made, in the one answer."""
    caplog.set_level(logging.DEBUG)
    secret, address = f"whsec_{PLANTED}", f"https://me:{PLANTED}@example.com/?key={PLANTED}"
    bodies: list[dict[str, Any]] = [
        {**NEW, "url": address, "secret": secret},
        {**NEW, "name": "slack", "type": "slack", "url": f"https://hooks.slack.com/services/{PLANTED}"},
        {**NEW, "name": "pager", "type": "pagerduty", "secret": PLANTED},
        {**NEW, "name": "am", "type": "alertmanager", "url": "http://am.example:9093", "secret": PLANTED},
        {**NEW, "name": "mail", "type": "email", "url": "smtp://u@m.example?from=a@b.c&to=d@e.f", "secret": PLANTED},
    ]
    answers = [api.send("POST", "/v1/channels", body, headers={"Idempotency-Key": body["name"]}) for body in bodies]
    assert [answer.status for answer in answers] == [201] * 5
    made = api.send("POST", "/v1/channels", {**NEW, "name": "made"}, headers={"Idempotency-Key": "made"}).document[
        "secret"
    ]
    own.run("channel", "set", "cli", "--type=webhook", f"--url={address}", "--secret-env=S", S=secret)
    answers += [
        api.send(
            "PUT", "/v1/channels/pager", {"type": "slack", "url": f"gopher://{PLANTED}"}, headers={"If-Match": "*"}
        ),
        api.send("POST", "/v1/channels", {**bodies[0], "name": "made", "typ": secret}),
        api.send("POST", "/v1/channels", {**bodies[0], "secret": [secret]}),
        *(api.send("POST", f"/v1/channels/{body['name']}/test") for body in bodies),
        *(api.get(f"/v1/channels/{body['name']}") for body in bodies),
        *(
            api.get(path, role="admin")
            for path in ("/v1/channels", "/v1/deliveries", "/v1/audit", "/admin", "/budgets")
        ),
    ]
    said = b"".join(answer.body for answer in answers).decode()
    for words in (("channel", "list"), ("delivery", "list"), ("audit", "list"), ("alerts",)):
        result = own.run(*words, "--json")
        said += result.stdout + result.stderr
    files = b"".join(path.read_bytes() for path in own.directory.glob("rice.db*"))
    for planted in (PLANTED, made):
        assert planted not in said + caplog.text
        assert planted.encode() not in files
        assert base64.b64encode(planted.encode())[:40] not in files
    assert json.dumps(NEW["url"]) in said
