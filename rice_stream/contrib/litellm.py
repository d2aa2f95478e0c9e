"""LiteLLM callback: every call that LiteLLM makes becomes a canonical event on Kafka. Prompts and answers stay where they are.

In the proxy's configuration, or in a program:

    litellm_settings:
      callbacks: ["rice_stream.contrib.litellm.rice_kafka_logger"]

    litellm.callbacks = [RiceKafkaLogger()]

Kafka, topic and attribution come from the same `RICE_*` settings as the worker's (docs/operations.md). A call never waits
for Kafka and never fails because of it: what cannot be delivered is counted and logged. What is no event is put on the
topic as a refusal, without any text, so that the worker puts it into quarantine.
"""

import atexit
import logging
import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import msgspec
from litellm.integrations.custom_logger import CustomLogger

from rice_stream.errors import RiceError
from rice_stream.events.canonical import WireEvent
from rice_stream.events.door_refusals import refusals_record
from rice_stream.events.event_json import event_json
from rice_stream.events.formats.dispatch import Outcome, read
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.framing import JSON_ERRORS
from rice_stream.events.records import RawRecord, Refused
from rice_stream.kafka.producer import EventProducer, NotTakenError
from rice_stream.runtime.opening_kafka import kafka_config
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.runtime.settings.settings import Settings

log = logging.getLogger(__name__)

FLUSH_TIMEOUT_S = 10.0
"""What the end of the process waits for events that are still on their way."""
_PRODUCER_OPTIONS = {"linger.ms": 20, "log_level": 6}
"""What the client has to say belongs into the proxy's log: nobody waits for its errors."""
_LOG_EVERY = 1_000
_REMEMBERED = 4_096
_ID_LENGTH_MAX = 128
_TOP = (
    "id",
    "litellm_call_id",
    "call_type",
    "status",
    "custom_llm_provider",
    "model",
    "model_group",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "startTime",
    "endTime",
    "cache_hit",
    "request_tags",
    "api_base",
)
_NESTED = {
    "metadata": (
        "user_api_key_hash",
        "user_api_key_team_id",
        "user_api_key_org_id",
        "user_api_key_project_id",
        "user_api_key_user_id",
        "usage_object",
    ),
    "hidden_params": ("api_base", "usage_object", "batch_models", "batch_successful_requests"),
    "cost_breakdown": ("data_residency", "vertex_location"),
    "response": ("model", "usage", "completed_at", "request_counts"),
}


class RiceKafkaLogger(CustomLogger):
    """Connects with the first event, so that making one costs nothing. For use from any thread.

    `settings`: None reads `RICE_*`. `confirmed`, `ignored`, `lost`: events so far, by what became of them; `refused` of the
    lost ones are no events, and can be looked up in quarantine.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__()
        self.confirmed = 0
        self.ignored = 0
        self.lost = 0
        self.refused = 0
        self._settings = settings
        self._options = FormatOptions(default_format="litellm")
        self._topic = ""
        self._producer: EventProducer | None = None
        self._taken: OrderedDict[tuple[str, ...], None] = OrderedDict()
        self._lock = threading.Lock()

    def log_success_event(self, kwargs: Mapping[str, Any], response_obj: Any, start_time: Any, end_time: Any) -> None:
        """LiteLLM calls this after a call of `completion`."""
        del response_obj, start_time, end_time
        self._take(kwargs)

    def log_failure_event(self, kwargs: Mapping[str, Any], response_obj: Any, start_time: Any, end_time: Any) -> None:
        """The same for a failed call."""
        del response_obj, start_time, end_time
        self._take(kwargs)

    async def async_log_success_event(
        self, kwargs: Mapping[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """LiteLLM calls this after a call of `acompletion`, and in the proxy."""
        del response_obj, start_time, end_time
        self._take(kwargs)

    async def async_log_failure_event(
        self, kwargs: Mapping[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """The same for a failed call."""
        del response_obj, start_time, end_time
        self._take(kwargs)

    def flush(self, timeout_s: float = FLUSH_TIMEOUT_S) -> int:
        """Wait for the broker's acknowledgement; returns how many events are still without it."""
        return self._producer.flush(timeout_s) if self._producer is not None else 0

    def _take(self, kwargs: Mapping[str, Any]) -> None:
        payload = kwargs.get("standard_logging_object")
        if not isinstance(payload, Mapping):
            self._lose("LiteLLM gave no standard_logging_object", kwargs)
            return
        try:
            producer = self._connected()
            if self._is_second_call(payload):
                self.ignored += 1
                return
            value = msgspec.json.encode(without_text(payload, self._options.attribute_names), enc_hook=str)
            for outcome in read(RawRecord("litellm", 0, 0, value), self._options):
                self._send(producer, outcome, payload)
        except RiceError as error:
            self._lose(str(error), payload)

    def _is_second_call(self, payload: Mapping[str, Any]) -> bool:
        """For some calls (streamed Responses, images) LiteLLM calls the plain hook and the async one.

        Each has an end of its own, microseconds apart: where a millisecond lies between, the store could not tell that
        the two are one.
        """
        key = tuple(str(payload.get(name)) for name in ("litellm_call_id", "id", "startTime", "status", "total_tokens"))
        with self._lock:
            if key in self._taken:
                return True
            self._taken[key] = None
            if len(self._taken) > _REMEMBERED:
                self._taken.popitem(last=False)
        return False

    def _send(self, producer: EventProducer, outcome: Outcome, payload: Mapping[str, Any]) -> None:
        result = outcome.result
        try:
            if isinstance(result, Refused):
                self.refused += 1
                self._lose(f"{result.reason}: {result.detail}", payload)
                kept = replace(result, source_format=outcome.source_format)
                producer.send(self._topic, refusals_record([kept], f"LiteLLM call {_id_of(payload)}"), None)
            elif isinstance(result, WireEvent):
                producer.send(self._topic, event_json(result), result.tenant_id, self._delivered)
            else:
                self.ignored += 1
        except (BufferError, NotTakenError) as error:
            self._lose(f"Kafka takes no more: {error}", payload)
        producer.poll(0)

    def _connected(self) -> EventProducer:
        with self._lock:
            if self._producer is None:
                settings = self._settings or load_settings()
                options = settings.format_options()
                self._options = FormatOptions(
                    default_format="litellm", attributes=options.attributes, rules=options.rules
                )
                self._topic = settings.http_topic or settings.events_topics[0]
                self._producer = EventProducer(kafka_config(settings), _PRODUCER_OPTIONS, logger=log)
                atexit.register(self.flush)
            return self._producer

    def _delivered(self, problem: str | None) -> None:
        if problem is not None:
            self._lose(f"Kafka did not confirm it: {problem}", {})
        else:
            self.confirmed += 1

    def _lose(self, why: str, call: Mapping[str, Any]) -> None:
        """Count it; log the first, and then one in a thousand: an outage must not flood the proxy's log."""
        self.lost += 1
        if self.lost % _LOG_EVERY == 1:
            log.error("an event was not sent (%d so far, this one of call %s): %s", self.lost, _id_of(call), why)


def _id_of(call: Mapping[str, Any]) -> str:
    """LiteLLM's id of a call, by which its own log has it; `unknown` where it has none."""
    found = call.get("litellm_call_id") or call.get("id")
    return found[:_ID_LENGTH_MAX] if isinstance(found, str) else "unknown"


def without_text(payload: Mapping[str, Any], attributes: Collection[str] = ()) -> dict[str, Any]:
    """Of LiteLLM's StandardLoggingPayload only ids, names, counts and times: an allow-list, so a new field cannot leak.

    `attributes` are what rules and settings look at besides, such as `metadata.user_api_key_alias` or `end_user`.
    """
    more_top = sorted(name for name in attributes if "." not in name)
    kept: dict[str, Any] = {name: payload[name] for name in (*_TOP, *more_top) if name in payload}
    for outer in {*_NESTED, *(name.partition(".")[0] for name in attributes if "." in name)}:
        inner = payload.get(outer)
        if isinstance(inner, Mapping):
            more = (name.partition(".")[2] for name in attributes if name.startswith(f"{outer}."))
            kept[outer] = {name: inner[name] for name in (*_NESTED.get(outer, ()), *more) if name in inner}
    reply = _unread_reply(payload)
    if reply:
        kept["response"]["response"] = reply
    return kept


def _unread_reply(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Model and usage of a pass-through endpoint's reply, which LiteLLM logs as text."""
    response = payload.get("response")
    unread = response.get("response") if isinstance(response, Mapping) else None
    try:
        reply = msgspec.json.decode(unread) if isinstance(unread, str) else None
    except JSON_ERRORS:
        return {}
    return {name: reply[name] for name in _NESTED["response"] if name in reply} if isinstance(reply, dict) else {}


rice_kafka_logger = RiceKafkaLogger()
"""For the proxy's configuration, which names an object."""
