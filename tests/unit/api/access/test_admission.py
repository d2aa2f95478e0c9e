"""Who may send what, as the sender sees it: by its token, and by what of the server it takes up."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from rice_stream.api.access.admission import Admission
from rice_stream.api.access.callers import Caller, caller_of_token
from rice_stream.api.access.secrets import new_token
from rice_stream.api.access.token_book import TokenBook, TokensUnknownError
from rice_stream.api.ingestion.publishing import QUEUE_EVENTS_MAX
from rice_stream.errors import UsageError
from rice_stream.events.door_refusals import read_refusals
from rice_stream.events.records import RawRecord
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import StoreUnavailableError
from tests.support.asgi import Answer, ask
from tests.support.fakes import event
from tests.unit.api.access.conftest import Database
from tests.unit.api.conftest import Door

AWAY = StoreUnavailableError("the database did not answer: db-internal-7 is gone")


def post(door: Door, body: object, secret: str, path: str = "/v1/events", **headers: str) -> Answer:
    return door.post(path, body, authorization=f"Bearer {secret}", **headers)


def spans(*tenants: str | None) -> dict[str, Any]:
    """A span of each tenant."""

    def value(of: object) -> dict[str, Any]:
        return {"intValue": of} if isinstance(of, int) else {"stringValue": of}

    def span(number: int, tenant: str | None) -> dict[str, Any]:
        attributes: dict[str, object] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.output_tokens": 5,
        }
        if tenant is not None:
            attributes["tenant.id"] = tenant
        return {
            "traceId": f"{number + 1:032x}",
            "spanId": f"{number + 1:016x}",
            "endTimeUnixNano": "1795348800000000000",
            "attributes": [{"key": name, "value": value(of)} for name, of in attributes.items()],
        }

    return {
        "resourceSpans": [{"scopeSpans": [{"spans": [span(number, tenant) for number, tenant in enumerate(tenants)]}]}]
    }


def tenants_of(door: Door) -> list[str]:
    """Of what was put on Kafka, as the worker will charge it; keys are the same."""
    charged = [json.loads(sent.value)["tenant_id"] for sent in door.publisher.events]
    assert charged == [sent.key for sent in door.publisher.events]
    return charged


@pytest.mark.parametrize(
    ("role", "status"), [("ingest", 202), ("editor", 202), ("admin", 202), ("reader", 403), ("auditor", 403)]
)
def test_only_roles_that_write_may_send_events(
    door: Callable[..., Door], tokens: Database, role: str, status: int
) -> None:
    assert post(door(tokens=tokens), event(), tokens.make(role)).status == status


def test_with_a_token_in_the_database_loopback_needs_one_too(door: Callable[..., Door], tokens: Database) -> None:
    """Also where RICE_HTTP_TOKEN is not set; which Host it is said to be does not matter then."""
    secret = tokens.make()
    made = door(tokens=tokens)
    assert made.post("/v1/events", event()).status == 401
    assert post(made, event(), new_token("ingest")).status == 401
    assert post(made, event(), f"{secret} {secret}").status == 401
    assert post(made, event(), secret, host="rice.example").status == 202


def test_two_tokens_in_one_request_are_none(door: Callable[..., Door], tokens: Database) -> None:
    secret = tokens.make()
    headers = [("authorization", f"Bearer {secret}")] * 2 + [("content-type", "application/json")]
    answer = asyncio.run(ask(door(tokens=tokens).app, "POST", "/v1/events", [json.dumps(event()).encode()], headers))
    assert answer.status == 401


def test_the_setting_stays_a_token_for_every_tenant(door: Callable[..., Door], tokens: Database) -> None:
    """Beside those of the database, and while that does not answer."""
    tokens.make(tenants={"acme"})
    made = door(tokens=tokens, http_token="operator")
    assert post(made, event(tenant_id="anybody"), "operator").status == 202
    tokens.problem = AWAY
    assert post(made, event(tenant_id="anybody"), "operator").status == 202


def test_items_of_other_tenants_are_refused_one_by_one(door: Callable[..., Door], tokens: Database) -> None:
    """202 with what was refused; its neighbours are taken."""
    made = door(tokens=tokens)
    body = [event(event_id=f"e-{tenant}", tenant_id=tenant) for tenant in ("acme", "globex", "ACME", "acme ", "acme")]
    answer = post(made, body, tokens.make(tenants={"acme"}))
    assert answer.status == 202
    assert (answer.document["accepted"], answer.document["ignored"]) == (2, 0)
    assert [(item["index"], item["code"]) for item in answer.document["refused"]] == [
        (number, "tenant_not_allowed") for number in (1, 2, 3)
    ]
    assert "globex" not in answer.body.decode(), "what others are called is nobody's concern"
    assert tenants_of(made) == ["acme", "acme"]


@pytest.mark.parametrize("path", ["/v1/events", "/v1/traces"])
def test_where_all_items_are_of_other_tenants_it_is_403(door: Callable[..., Door], tokens: Database, path: str) -> None:
    made = door(tokens=tokens)
    answer = post(made, spans("globex", "initech"), tokens.make(tenants={"acme"}), path)
    assert (answer.status, answer.headers["content-type"]) == (403, "application/problem+json")
    assert [item["index"] for item in answer.document["refused"]] == [0, 1]
    assert made.publisher.events == []


def test_spans_of_other_tenants_are_a_partial_success(door: Callable[..., Door], tokens: Database) -> None:
    """OTLP's own answer; they are left out of what is published."""
    made = door(tokens=tokens)
    answer = post(made, spans("acme", "globex", "acme"), tokens.make(tenants={"acme"}), "/v1/traces")
    assert answer.status == 200
    assert answer.document["partialSuccess"]["rejectedSpans"] == "1"
    assert "tenant_not_allowed" in answer.document["partialSuccess"]["errorMessage"]
    assert tenants_of(made) == ["acme", "acme"]


def test_an_item_without_a_tenant_is_the_one_tenants_of_the_token(door: Callable[..., Door], tokens: Database) -> None:
    """With several it could be anybody's, and is refused; with all of them it is `unknown`, as on Kafka."""
    made = door(tokens=tokens)
    of_one, of_two, of_all = (tokens.make(tenants=names) for names in ({"acme"}, {"acme", "globex"}, None))
    assert post(made, spans(None), of_one, "/v1/traces").status == 200
    assert post(made, spans(None), of_two, "/v1/traces").status == 403
    assert post(made, spans(None), of_all, "/v1/traces").status == 200
    assert tenants_of(made) == ["acme", "unknown"]


def test_a_tenant_that_rules_find_is_checked_as_well(door: Callable[..., Door], tokens: Database) -> None:
    """A rule may look at a header, which the sender writes as it likes."""
    rules = '[{"attribute": "kafka.header.x-tenant"}]'
    made = door(tokens=tokens, attribution_rules=rules)
    secret = tokens.make(tenants={"acme"})
    assert post(made, spans("acme"), secret, "/v1/traces", x_tenant="globex").status == 403
    assert post(made, spans("globex"), secret, "/v1/traces", x_tenant="acme").status == 200
    assert tenants_of(made) == ["acme"]


@pytest.mark.parametrize("attribute", ["tenantid", "subject"])
def test_a_tenant_of_the_envelope_is_checked_as_well(
    door: Callable[..., Door], tokens: Database, attribute: str
) -> None:
    """Of a CloudEvent, as one object and in binary mode."""
    made = door(tokens=tokens)
    secret = tokens.make(tenants={"acme"})
    envelope = {"specversion": "1.0", "id": "c-1", "source": "s", "type": "t", attribute: "globex"}
    data = event(tenant_id=...)
    assert post(made, {**envelope, "data": data}, secret).status == 403
    assert post(made, data, secret, **{f"ce_{name}": value for name, value in envelope.items()}).status == 403
    assert made.publisher.events == []


def test_a_token_for_teams_is_for_these_alone(door: Callable[..., Door], tokens: Database) -> None:
    """An event without a team is the one team's of the token."""
    made = door(tokens=tokens)
    secret = tokens.make(tenants={"acme"}, teams=frozenset({"search"}))
    answer = post(made, [event(), event(team_id="ads"), event(team_id=None)], secret)
    assert (answer.status, [item["index"] for item in answer.document["refused"]]) == (202, [1])
    assert [json.loads(sent.value)["team_id"] for sent in made.publisher.events] == ["search", "search"]


def test_what_was_refused_for_its_tenant_can_be_looked_up_and_never_charged(
    door: Callable[..., Door], tokens: Database
) -> None:
    """Who sent it and for whom is for the operator to see; replaying what is kept needs a person who names the tenant."""
    made = door(tokens=tokens)
    post(made, event(tenant_id="globex"), tokens.make(tenants={"acme"}))
    assert made.publisher.events == []
    [record] = made.publisher.refusals
    [refused] = read_refusals(RawRecord("llm-requests", 0, 7, record)) or []
    assert refused.reason == "tenant_not_allowed"
    assert "token 1 (ingest-0)" in refused.detail
    assert "'globex'" in refused.detail
    assert json.loads(refused.payload)["tenant_id"] == "<removed>"


def test_while_the_database_is_away_unknown_tokens_are_told_to_come_back(
    door: Callable[..., Door], tokens: Database
) -> None:
    """503 with Retry-After, not 401; nothing about where the database is."""
    tokens.problem = AWAY
    made = door(tokens=tokens)
    for answer in (post(made, event(), new_token("ingest")), made.post("/v1/events", event())):
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert b"internal" not in answer.body


def test_one_sender_that_sends_too_much_is_told_so_and_no_other(door: Callable[..., Door], tokens: Database) -> None:
    """Each has a rate of its own."""
    made = door(tokens=tokens, http_requests_per_s=1000)
    fast, other = tokens.make(requests_per_s=0.5), tokens.make()
    assert [post(made, event(), fast).status for _ in range(3)] == [202, 429, 429]
    assert int(post(made, event(), fast).headers["retry-after"]) >= 1
    assert post(made, event(), other).status == 202


def test_one_senders_requests_at_once_are_bounded(door: Callable[..., Door], tokens: Database) -> None:
    """Those that stop within the body count: they are the sender's own."""
    made = door(tokens=tokens)
    slow, other = tokens.make(concurrency=2), tokens.make()

    async def all_at_once() -> tuple[Answer, Answer]:
        def asked(secret: str, *, complete: bool) -> Any:
            headers = [("authorization", f"Bearer {secret}"), ("content-type", "application/json")]
            return ask(made.app, "POST", "/v1/events", [json.dumps(event()).encode()], headers, complete=complete)

        silent = [asyncio.create_task(asked(slow, complete=False)) for _ in range(2)]
        while sum(sender.share.requests.now for sender in callers_of(made)) < 2:
            await asyncio.sleep(0)
        answers = await asked(slow, complete=True), await asked(other, complete=True)
        for task in silent:
            task.cancel()
        await asyncio.gather(*silent, return_exceptions=True)
        return answers

    refused, taken = asyncio.run(all_at_once())
    assert (refused.status, refused.headers["retry-after"], taken.status) == (429, "1", 202)


def callers_of(door: Door) -> list[Caller]:
    """All that have sent."""
    assert door.admission is not None
    return list(door.admission._callers.values())


def test_one_senders_events_on_their_way_leave_room_in_the_queue(tokens: Database) -> None:
    """A quarter of it; one body is always taken."""
    tokens.make()
    share = caller_of_token(tokens.tokens[0], 1000).share
    with share.events(QUEUE_EVENTS_MAX), pytest.raises(Exception, match="wait for the broker"), share.events(1):
        raise AssertionError


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::"])  # noqa: S104 - must be refused
def test_the_network_needs_a_token(tokens: Database, host: str) -> None:
    """Of the setting or of the database; where that does not answer, nothing is opened."""
    settings = Settings.model_validate({"http_host": host})

    def check(made: Settings = settings) -> None:
        asyncio.run(Admission(made, TokenBook(tokens)).check_start())

    with pytest.raises(UsageError, match="RICE_HTTP_TOKEN"):
        check()
    tokens.problem = AWAY
    with pytest.raises(TokensUnknownError):
        check()
    check(Settings.model_validate({"http_host": host, "http_token": "secret"}))
    tokens.problem = None
    tokens.make()
    check()


def test_without_a_token_the_network_gets_nothing_even_when_all_are_revoked(
    door: Callable[..., Door], tokens: Database
) -> None:
    """What was started with a token never becomes open to others than this machine."""
    made = door(tokens=tokens, http_host="192.0.2.7")
    assert made.post("/v1/events", event()).status == 401
