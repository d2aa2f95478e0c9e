"""The LiteLLM callback without LiteLLM and without a broker: what it hands to Kafka, and what it does not."""

import importlib
import json
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from rice_stream.events.door_refusals import read_refusals
from rice_stream.events.records import DOOR_REFUSALS_START, RawRecord
from tests.support.format_payloads import FILES, MARKER

SUCCESS = json.loads(FILES["litellm_success.json"])


class Broker:
    """Stands for the producer; keeps what it is given."""

    def __init__(self, *_: object, **__: object) -> None:
        self.values: list[dict[str, Any]] = []
        self.refusals: list[bytes] = []

    def send(self, _topic: str, value: bytes, *_: object) -> None:
        if value.startswith(DOOR_REFUSALS_START):
            self.refusals.append(value)
        else:
            self.values.append(json.loads(value))

    def poll(self, _timeout_s: float) -> int:
        return 0

    def flush(self, _timeout_s: float) -> int:
        return 0


@pytest.fixture
def callback(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module, with LiteLLM's one class that it needs; importing all of LiteLLM takes seconds."""
    base = ModuleType("litellm.integrations.custom_logger")
    monkeypatch.setattr(base, "CustomLogger", type("CustomLogger", (), {}), raising=False)
    for name in ("litellm", "litellm.integrations"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, base.__name__, base)
    monkeypatch.delitem(sys.modules, "rice_stream.contrib.litellm", raising=False)
    module = importlib.import_module("rice_stream.contrib.litellm")
    monkeypatch.setattr(module, "EventProducer", Broker)
    yield module
    sys.modules.pop("rice_stream.contrib.litellm", None)


def log(logger: Any, **changes: Any) -> None:
    logger.log_success_event({"standard_logging_object": {**SUCCESS, **changes}}, None, None, None)


def sent(logger: Any) -> list[dict[str, Any]]:
    values: list[dict[str, Any]] = logger._producer.values
    return values


def test_a_call_that_litellm_reports_to_both_hooks_is_sent_once(callback: Any) -> None:
    """The two ends lie in different milliseconds: the store would take them for two events."""
    logger = callback.RiceKafkaLogger()
    log(logger, endTime=1795374003.4999)
    log(logger, endTime=1795374003.5001)
    assert ([event["event_id"] for event in sent(logger)], logger.ignored) == (["call-0001"], 1)


def test_other_calls_are_never_taken_for_the_same(callback: Any) -> None:
    """A retry that keeps its id, a failure before it, and a batch whose tokens are known at the second report."""
    logger = callback.RiceKafkaLogger()
    for changes in ({}, {"startTime": 1795374001.25}, {"status": "failure"}, {"total_tokens": 0, "prompt_tokens": 0}):
        log(logger, **changes)
    assert (len(sent(logger)), logger.ignored, logger.lost) == (4, 0, 0)


def test_what_it_remembers_has_a_bound(callback: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback, "_REMEMBERED", 2)
    logger = callback.RiceKafkaLogger()
    for number in (1, 2, 3, 1):
        log(logger, litellm_call_id=f"call-{number}")
    assert len(sent(logger)) == 4


def test_of_a_reply_that_was_passed_on_unread_only_model_and_usage_are_looked_at(callback: Any) -> None:
    usage = {"prompt_tokens": 2006, "completion_tokens": 300}
    reply = json.dumps({"model": "m", "usage": usage, "choices": [{"message": {"content": MARKER}}]})
    kept = callback.without_text({**SUCCESS, "response": {"response": reply}})
    assert kept["response"] == {"response": {"model": "m", "usage": usage}}
    for broken in (f"Chunks=[{MARKER}]", "[" * 100_000, json.dumps([MARKER]), 7):
        assert callback.without_text({**SUCCESS, "response": {"response": broken}})["response"] == {}
    assert MARKER not in json.dumps(callback.without_text(SUCCESS))


def test_a_call_that_is_no_event_can_be_looked_up_by_its_id(callback: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It goes to Kafka as a refusal, without any text, so the worker puts it into quarantine."""
    logger = callback.RiceKafkaLogger()
    log(logger, prompt_tokens=-5, litellm_call_id="call-77", messages=[{"content": MARKER}])
    assert (logger.refused, logger.lost) == (1, 1)
    assert sent(logger) == []
    [record] = logger._producer.refusals
    [refused] = read_refusals(RawRecord("llm-requests", 0, 0, record)) or []
    assert (refused.reason, refused.source_format) == ("invalid_field", "litellm")
    assert "call-77" in refused.detail
    assert MARKER.encode() not in record
    assert "call-77" in caplog.text


def test_a_call_without_a_payload_is_in_the_log_by_its_id(callback: Any, caplog: pytest.LogCaptureFixture) -> None:
    """There is nothing of it that could be kept."""
    logger = callback.RiceKafkaLogger()
    logger.log_success_event({"litellm_call_id": "call-78", "messages": MARKER}, None, None, None)
    assert (logger.refused, logger.lost) == (0, 1)
    assert "call-78" in caplog.text
    assert MARKER not in caplog.text
