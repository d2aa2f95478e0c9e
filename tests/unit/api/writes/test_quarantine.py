"""Settling refused items over HTTP."""

from tests.support.api_running import Api
from tests.support.cli_running import Shell


def test_items_are_dropped_once(api: Api, ledger: Shell) -> None:
    answer = api.send("POST", "/v1/quarantine/drop", {"ids": [1]})
    assert (answer.status, answer.document["dropped"]) == (200, 1)
    assert ledger.json("quarantine", "list")["rows"] == []
    assert api.send("POST", "/v1/quarantine/drop", {"ids": [1]}).status == 400
    assert api.send("POST", "/v1/quarantine/drop", {"ids": [99]}).status in (400, 404)
    assert api.send("POST", "/v1/quarantine/drop", {"ids": []}).status == 422


def test_what_was_refused_is_no_tenants(api: Api, ledger: Shell) -> None:
    for path in ("/v1/quarantine/drop", "/v1/quarantine/replay"):
        assert api.send("POST", path, {"ids": [1]}, tenants={"acme"}).status == 403
        assert api.send("POST", path, {"ids": [1]}, role="auditor").status == 403
    assert len(ledger.json("quarantine", "list")["rows"]) == 1


def test_an_item_is_replayed_with_what_was_missing(api: Api, ledger: Shell) -> None:
    """From what is stored of it, where no broker answers; counted once."""
    fields = {"ended_at": "2026-11-20T12:00:00Z", "input_tokens": "10", "request_model": "gpt-4o"}
    answer = api.send("POST", "/v1/quarantine/replay", {"ids": [1], "set": fields})
    assert answer.status == 200, answer.body
    assert (answer.document["replayed"], answer.document["recorded"]) == (1, 1)
    assert ledger.json("explain", "e-4")["record"]["input_tokens"] == 10
    assert api.send("POST", "/v1/quarantine/replay", {"ids": [1], "set": {"colour": "red"}}).status == 400
