"""`check --deep` without a broker: the event it sends costs nothing and is counted, and each leg that fails says so in time."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rice_stream.alerting.channels import set_channel
from rice_stream.channels.parsing import parse_channel
from rice_stream.errors import ServiceUnavailableError
from rice_stream.events.canonical import CanonicalEvent
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.runtime import deep_check as module
from rice_stream.runtime.deep_check import TENANT, deep_check, marked_event
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.store.scope import EVERYTHING
from tests.support.databases import Databases
from tests.support.fakes import OPERATOR
from tests.support.plain_box import PlainBox
from tests.support.reports_store import NOON, Store, at, open_store
from tests.support.waiting import wait_until

Receive = Callable[[dict[str, Any]], object]


@pytest.fixture
def store(sqlite: Databases) -> Iterator[Store]:
    """On SQLite alone: nothing here depends on the database."""
    with open_store(sqlite.migrated()) as store:
        yield store


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A broker that confirms, and whose records `receive` gets; or one that says `problem`, of the topic or of the record."""

    def install(receive: Receive, *, topic_problem: str | None = None, problem: str | None = None) -> None:
        class Producer:
            def __init__(self, *_: object, **__: object) -> None: ...

            def topic_problem(self, _topic: str, _timeout_s: float) -> str | None:
                if topic_problem == "nobody answers":
                    raise ServiceUnavailableError("no broker answers")
                return topic_problem

            def send(self, _topic: str, value: bytes, key: str, on_delivery: Callable[[str | None], None]) -> None:
                assert key == TENANT
                on_delivery(problem)
                if problem is None:
                    receive(json.loads(value))

            def flush(self, _timeout_s: float) -> int:
                return 0

        monkeypatch.setattr(module, "EventProducer", Producer)

    return install


def checked(store: Store, **more: Any) -> dict[str, Any]:
    settings = load_settings(environment={"RICE_DATABASE_URL": str(store.engine.url)})
    return deep_check(settings, OPERATOR, **{"timeout_s": 0.3, **more})


def test_the_event_is_recorded_and_counted_and_changes_nobodys_amounts(store: Store, broker: Any) -> None:
    """It passes the real decoder and pipeline; the sums over all tenants have one prompt more, and not one token or gram."""
    CanonicalEvent.model_validate(marked_event("check-1", NOON))
    store.add(at("2026-11-22T11:00:00Z"))
    before = totals(store.engine, EVERYTHING, TotalsQuery(), NOON)["total"]
    broker(lambda event: store.add(event, received_at_us=time.time_ns() // 1000))
    for _ in range(2):
        answer = checked(store, timeout_s=10)
        assert (answer["ok"], answer["reachable"], answer["tenant_id"]) == (True, True, TENANT)
        assert [(leg["name"], leg["ok"]) for leg in answer["legs"]] == [
            ("produce", True),
            ("worker", True),
            ("total", True),
        ]
        assert all(0 <= leg["seconds"] < 10 for leg in answer["legs"])
    after = totals(store.engine, EVERYTHING, TotalsQuery(), NOON)
    assert after["total"] == {**before, "prompts": before["prompts"] + 2}
    [own] = [row for row in after["rows"] if row["tenant"] == TENANT]
    assert (own["prompts"], own["carbon_gco2e"]) == (2, {"low": 0.0, "mid": 0.0, "high": 0.0})


@pytest.mark.parametrize(
    ("said", "reachable", "expected"),
    [
        ({"topic_problem": "nobody answers"}, False, "no broker answers"),
        ({"topic_problem": "unknown topic"}, True, "llm-requests: unknown topic"),
        ({"problem": "topic authorization failed"}, True, "llm-requests: topic authorization failed"),
    ],
)
def test_what_the_broker_does_not_take_ends_there(
    store: Store, broker: Any, said: dict[str, str], reachable: bool, expected: str
) -> None:
    broker(store.add, **said)
    answer = checked(store)
    assert (answer["ok"], answer["reachable"]) == (False, reachable)
    [leg] = answer["legs"]
    assert (leg["name"], leg["ok"], leg["seconds"], leg["detail"]) == ("produce", False, None, expected)
    assert leg["what_to_do"]


def test_without_a_worker_it_says_so_within_its_time(store: Store, broker: Any) -> None:
    broker(lambda _event: None)
    begun_s = time.monotonic()
    answer = checked(store)
    assert time.monotonic() - begun_s < 5
    worker = answer["legs"][-1]
    assert (worker["name"], worker["ok"]) == ("worker", False)
    assert worker["detail"] == "no worker has recorded it within 0.3 s"
    assert "is a worker running (group rice-stream)" in worker["what_to_do"]


def test_an_event_that_was_refused_is_found_in_quarantine(store: Store, broker: Any) -> None:
    broker(lambda event: store.add({**event, "input_tokens": -1}))
    worker = checked(store)["legs"][-1]
    assert "it is in quarantine (held: " in worker["detail"]
    assert "rice-stream quarantine show" in worker["detail"]


class TestChannels:
    """A trial on each channel that is named, whatever became of the event."""

    @pytest.fixture(autouse=True)
    def channel(self, store: Store, broker: Any) -> None:
        broker(lambda _event: None, problem="no room")
        hook = parse_channel({"name": "ops", "type": "webhook", "url": "https://example.com/hook"})
        set_channel(store.engine, EVERYTHING, PlainBox(), hook, OPERATOR)

    def outcome(self, store: Store, state: str, **columns: object) -> dict[str, Any]:
        """The leg, where a server marks the delivery so meanwhile."""
        changes = ", ".join(f"{name} = :{name}" for name in ("state", *columns))

        def serve() -> None:
            statement = f"UPDATE delivery SET {changes} WHERE state = 'due'"
            wait_until(lambda: store.execute(statement, state=state, **columns), 20, "a delivery that is due")

        server = threading.Thread(target=serve)
        server.start()
        leg: dict[str, Any] = checked(store, channels=["ops"], timeout_s=20)["legs"][-1]
        server.join()
        return leg

    def test_one_that_arrives_is_timed(self, store: Store) -> None:
        leg = self.outcome(store, "done", answered_status=204)
        assert (leg["name"], leg["ok"], leg["detail"]) == ("channel ops", True, "arrived; answered 204")

    def test_one_that_does_not_says_what_was_answered(self, store: Store) -> None:
        leg = self.outcome(store, "failed", problem="answered 500")
        assert (leg["ok"], leg["seconds"], leg["detail"]) == (False, None, "answered 500")

    def test_without_a_server_it_says_so(self, store: Store) -> None:
        answer = checked(store, channels=["ops", "nobody"])
        produce, waiting, unknown = answer["legs"]
        assert not produce["ok"]
        assert waiting["detail"] == "no server has sent it within 0.3 s"
        assert "rice-stream serve" in waiting["what_to_do"]
        assert unknown["detail"].startswith("there is no channel 'nobody'")
