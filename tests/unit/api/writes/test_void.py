"""Voiding over HTTP: who may, what is answered, and that totals, bridge and record say the same as the command line."""

from pathlib import Path

from tests.support.api_running import Api
from tests.support.cli_running import Shell

WRONG = {"event_id": "e-1", "tenant": "acme", "reason": "sent by a load test"}


def test_a_voided_event_leaves_totals_and_stays_in_what_was_reported(api: Api, ledger: Shell) -> None:
    """The second time nothing is posted, and it is answered what the first one took away."""
    before = api.get("/v1/totals?tenant=acme").document["total"]
    first = api.send("POST", "/v1/void", WRONG)
    assert (first.status, first.document["posted"], first.document["amounts"]["prompts"]) == (201, True, -1)
    again = api.send("POST", "/v1/void", {**WRONG, "reason": "another"})
    assert {**again.document, "posted": True} == first.document
    total = api.get("/v1/totals?tenant=acme").document["total"]
    assert total["prompts"] == before["prompts"] - 1
    reported = api.get("/v1/totals?tenant=acme&as=reported").document
    assert (reported["as"], reported["total"]) == ("reported", before)
    assert api.get("/v1/totals?tenant=acme&as_of=2020-01-01").document["total"]["prompts"] == 0
    bridge = api.get("/v1/bridge?tenant=acme").document
    said = ledger.json("bridge", "--tenant=acme")
    assert {name: bridge[name] for name in said} == said
    assert bridge["material"] is True
    assert [step["prompts"] for step in bridge["steps"] if step["cause"] == "void"] == [-1]
    rows = api.get("/v1/prompts/e-1/adjustments").document["rows"]
    assert [(row["cause"], row["reason"], row["author_kind"]) for row in rows] == [("void", WRONG["reason"], "token")]
    assert api.get("/v1/prompts/e-2/adjustments").document["rows"] == []


def test_a_kept_answer_of_a_stretch_that_is_over_is_told_anew_after_a_correction(api: Api, ledger: Shell) -> None:
    """Its tag changes, too."""
    ledger.run("ingest", str(_old_event(ledger)))
    path = "/v1/totals?tenant=acme&from=2026-01-01&to=2026-01-03"
    before = api.get(path)
    assert api.send("POST", "/v1/void", {"event_id": "old", "reason": "wrong"}).status == 201
    after = api.get(path)
    assert (before.document["total"]["prompts"], after.document["total"]["prompts"]) == (1, 0)
    assert before.headers["etag"] != after.headers["etag"]


def test_only_who_may_change_the_record_voids_it(api: Api, ledger: Shell) -> None:
    """What is another's is as if it were not there."""
    for role in ("reader", "auditor", "ingest"):
        assert api.send("POST", "/v1/void", WRONG, role=role).status == 403
    assert api.send("POST", "/v1/void", {**WRONG, "tenant": "globex"}).status == 404
    assert api.send("POST", "/v1/void", {"event_id": "e-1", "reason": "r"}, tenants={"globex"}).status == 404
    assert api.send("POST", "/v1/void", {"event_id": "e-1", "reason": "r"}, teams=frozenset({"ads"})).status == 404
    for wrong in ({"reason": ""}, {"reason": " "}, {"event_id": ""}, {"ended_at": "tomorrow"}, {"colour": "red"}):
        assert api.send("POST", "/v1/void", {**WRONG, **wrong}).status in (400, 422)
    assert ledger.json("totals", "--tenant=acme")["total"]["prompts"] == 2
    assert api.send("POST", "/v1/void", WRONG, tenants={"acme"}, teams=frozenset({"search"})).status == 201
    assert api.get("/v1/bridge", tenants={"acme"}, teams=frozenset({"search"})).status == 400


def test_a_request_that_is_sent_again_with_its_key_is_answered_as_the_first_time(api: Api) -> None:
    """Word by word."""
    first, second = (api.send("POST", "/v1/void", WRONG, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status, first.document) == (second.status, second.document)
    assert first.document["posted"]


def _old_event(ledger: Shell) -> Path:
    path = ledger.directory / "old.jsonl"
    path.write_text(
        '{"event_id": "old", "tenant_id": "acme", "request_model": "gpt-4o", "ended_at": "2026-01-02T00:00:00Z",'
        ' "input_tokens": 1, "output_tokens": 1}\n'
    )
    return path
