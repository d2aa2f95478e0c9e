"""GET /v1/stream: what is said, to whom, and when it ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from rice_stream.api.access import shares
from rice_stream.api.live import stream
from rice_stream.api.live.look_outs import LookOut
from rice_stream.reports.signs import Signs
from rice_stream.store.engine import open_engine
from tests.support.api_running import Api
from tests.support.asgi import Answer
from tests.support.channels_store import add_channel, add_delivery
from tests.support.cli_running import Shell
from tests.unit.api.live.test_look_outs import run

ACME = frozenset({"acme"})
_FIRST, _SECOND = Signs(("t1", "a", "b", "q", "d"), "2026-11-24T14:03:00Z"), Signs(("t2", "a", "b2", "q", "d"), None)


class Listener:
    """One who listens, and what it hears as (event, id, data); a comment is `("", None, None)`."""

    def __init__(self, watch: LookOut, after: str | None = None, limit: int | None = None) -> None:
        self.may = True
        self.stopped = asyncio.Event()
        self.now_s = 0.0
        self._pieces: AsyncIterator[bytes] = stream.events(
            watch, after=after, limit=limit, may_listen=self._may, stopped=self.stopped, clock=lambda: self.now_s
        )

    async def _may(self) -> bool:
        return self.may

    async def hears(self) -> tuple[str, str | None, Any]:
        """The next piece."""
        return parsed(await anext(self._pieces))

    async def has_ended(self) -> bool:
        """Whether there is no more."""
        return await anext(self._pieces, None) is None


def parsed(piece: bytes) -> tuple[str, str | None, Any]:
    """A piece of the stream."""
    fields = dict(line.partition(": ")[::2] for line in piece.decode().splitlines() if ": " in line and line[0] != ":")
    data = fields.get("data")
    return fields.get("event", ""), fields.get("id"), None if data is None else json.loads(data)


def heard(answer: Answer) -> list[tuple[str, str | None, Any]]:
    """All events of an answer."""
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    pieces = [parsed(piece) for piece in answer.body.split(b"\n\n") if piece]
    return [piece for piece in pieces if piece[0]]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "CHECKED_EVERY_S", 0.01)


def test_a_change_is_told_with_what_it_is_of_and_with_no_amount() -> None:
    async def test() -> None:
        watch = LookOut()
        listener = Listener(watch)
        assert (await listener.hears())[0] == "", "when to come back"
        watch.found(_FIRST)
        assert await listener.hears() == (
            "changed",
            _FIRST.id,
            {"changed": [], "watermark": "2026-11-24T14:03:00Z"},
        )
        watch.found(_SECOND)
        assert await listener.hears() == ("changed", _SECOND.id, {"changed": ["totals", "budgets"], "watermark": None})

    run(test())


def test_nothing_is_missed_and_nothing_said_twice_after_a_connection_was_lost() -> None:
    async def test() -> None:
        watch = LookOut()
        watch.found(_SECOND)
        late = Listener(watch, after=_FIRST.id)
        await late.hears()
        assert (await late.hears())[2]["changed"] == ["totals", "budgets"]
        up_to_date = Listener(watch, after=_SECOND.id)
        await up_to_date.hears()
        up_to_date.now_s = stream.HEARTBEAT_S
        assert await up_to_date.hears() == ("", None, None), "all that is said is that it is there"
        of_another_version = Listener(watch, after="what?")
        await of_another_version.hears()
        assert (await of_another_version.hears())[2]["changed"] == [
            "totals",
            "alerts",
            "budgets",
            "quarantine",
            "deliveries",
        ]

    run(test())


def test_a_database_that_is_away_keeps_the_connection_and_is_told_once() -> None:
    async def test() -> None:
        watch = LookOut()
        watch.found(_FIRST)
        listener = Listener(watch, after=_FIRST.id)
        await listener.hears()
        watch.failed()
        assert (await listener.hears())[0] == "stale"
        listener.now_s = stream.HEARTBEAT_S
        assert (await listener.hears())[0] == "", "the heart goes on"
        watch.found(_FIRST)
        assert await listener.hears() == ("changed", _FIRST.id, {"changed": [], "watermark": _FIRST.watermark})

    run(test())


def test_it_ends_when_the_right_does_when_the_server_stops_and_after_as_many_events_as_were_asked_for() -> None:
    async def test() -> None:
        watch = LookOut()
        watch.found(_FIRST)
        listener = Listener(watch, after=_FIRST.id)
        await listener.hears()
        listener.may = False
        assert (await listener.hears())[0] == "ended"
        assert await listener.has_ended()
        stopping = Listener(watch, after=_FIRST.id)
        await stopping.hears()
        stopping.stopped.set()
        assert await stopping.has_ended()
        one = Listener(watch, limit=1)
        await one.hears()
        await one.hears()
        assert await one.has_ended()

    run(test())


def test_ids_change_with_what_the_caller_sees_and_with_nothing_else(api: Api, ledger: Shell) -> None:
    scopes: tuple[dict[str, Any], ...] = ({}, {"tenants": ACME}, {"tenants": ACME, "teams": frozenset({"search"})})

    def ids() -> list[str | None]:
        return [heard(api.get("/v1/stream?limit=1", **scope))[0][1] for scope in scopes]

    before = ids()
    assert ids() == before
    ledger.json("budget", "set", "other", "--tenant", "globex", "--limit-gco2e", "1", "--period", "month")
    after = ids()
    assert [now == then for now, then in zip(after, before, strict=True)] == [False, True, True]
    ledger.json("budget", "set", "own", "--tenant", "acme", "--limit-gco2e", "1", "--period", "month")
    later = ids()
    assert [now == then for now, then in zip(later, after, strict=True)] == [False, False, True]
    event = {
        "event_id": "late",
        "tenant_id": "acme",
        "team_id": "search",
        "request_model": "gpt-4o",
        "ended_at": "2026-11-20T10:00:00Z",
        "input_tokens": 1,
        "output_tokens": 1,
    }
    (ledger.directory / "late.jsonl").write_text(json.dumps(event))
    ledger.json("ingest", str(ledger.directory / "late.jsonl"))
    [(_, _, data)] = heard(api.get(f"/v1/stream?limit=1&after={later[2]}", **scopes[2]))
    assert data["changed"] == ["totals"]
    last = ids()
    assert [now == then for now, then in zip(last, later, strict=True)] == [False] * 3
    engine = open_engine(str(ledger.environment["RICE_DATABASE_URL"]))
    add_delivery(engine, add_channel(engine, "own", ["acme"]), "x")
    engine.dispose()
    [(_, _, data)] = heard(api.get(f"/v1/stream?limit=1&after={last[1]}", **scopes[1]))
    assert data["changed"] == ["deliveries"]
    assert [now == then for now, then in zip(ids(), last, strict=True)] == [False, False, True], (
        "channels are of whole tenants"
    )


def test_last_event_id_is_what_a_browser_sends(api: Api) -> None:
    [(_, first, _)] = heard(api.get("/v1/stream?limit=1"))
    again = api.send("GET", "/v1/stream?limit=1&after=x", role="reader", headers={"last-event-id": f"0{first}"})
    assert heard(again)[0][2]["changed"] == ["totals"]


def test_another_tenants_stream_is_not_there(api: Api) -> None:
    assert api.get("/v1/stream?tenant=globex&limit=1", tenants=ACME).status == 404
    assert api.get("/v1/stream?limit=1", role="ingest").status == 403
    assert api.door.get("/v1/stream?limit=1").status == 401


def test_streams_are_counted_by_themselves(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller whose requests are all under way may listen, and there are only so many streams of one caller, and of all."""
    secret = api.secret("reader", concurrency=1)
    del secret
    assert heard(api.get("/v1/stream?limit=1", concurrency=1))
    assert shares.share_of_token(1.0).streams.most == shares.STREAMS_MAX
    monkeypatch.setattr(shares, "STREAMS_MAX", 0)
    refused = api.get("/v1/stream?limit=1", role="auditor")
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
