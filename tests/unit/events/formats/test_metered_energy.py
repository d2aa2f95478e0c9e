"""Metered energy, in every format that has a place for it: read where it is a number, passed over where it is none."""

import json
from typing import Any

import pytest

from rice_stream.events.canonical import WireEvent
from rice_stream.events.decoding import decode_batch
from rice_stream.events.records import RawRecord
from tests.support.fakes import event

TIME_US = 1_795_348_800_000_000
NEURALWATT = {
    "id": "chatcmpl-7",
    "created": 1_795_348_800,
    "model": "glm-5.2",
    "usage": {"prompt_tokens": 14, "completion_tokens": 297, "total_tokens": 311},
    "energy": {
        "energy_joules": 20.44,
        "energy_kwh": 5.679e-06,
        "avg_power_watts": 4087.0,
        "attribution_method": "prorated_token_pool_weighted_multi_gpu_8",
    },
}
LITELLM = {
    "litellm_call_id": "c-1",
    "call_type": "acompletion",
    "startTime": 1_795_348_790.0,
    "endTime": 1_795_348_800.0,
    "model": "glm-5.2",
    "custom_llm_provider": "openai",
    "prompt_tokens": 14,
    "completion_tokens": 297,
    "total_tokens": 311,
    "status": "success",
}
LANGFUSE = {
    "id": "g-1",
    "type": "GENERATION",
    "startTime": "2026-11-22T11:59:50Z",
    "endTime": "2026-11-22T12:00:00Z",
    "model": "glm-5.2",
    "usage": {"input": 14, "output": 297, "unit": "TOKENS"},
}


def only(payload: object) -> WireEvent:
    """The one event of a record."""
    record = RawRecord("events", 0, 0, json.dumps(payload).encode(), (), TIME_US)
    _, decoded = decode_batch([record])
    assert not decoded.refused
    [found] = decoded.events
    return found


def said(payload: object) -> tuple[float | None, str | None]:
    found = only(payload)
    return found.energy_joules, found.energy_boundary


def span(**attributes: Any) -> dict[str, Any]:
    """One OTLP span of a chat call."""
    values = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "glm-5.2", **attributes}
    values |= {"gen_ai.usage.input_tokens": 14, "gen_ai.usage.output_tokens": 297}

    def spelled(value: object) -> dict[str, object]:
        if isinstance(value, float):
            return {"doubleValue": value}
        return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}

    one = {
        "traceId": "a" * 32,
        "spanId": "b" * 16,
        "name": "chat",
        "startTimeUnixNano": str((TIME_US - 10**7) * 1000),
        "endTimeUnixNano": str(TIME_US * 1000),
        "attributes": [{"key": name, "value": spelled(value)} for name, value in values.items()],
    }
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "s"}, "spans": [one]}]}]}


def langfuse(**metadata: Any) -> dict[str, Any]:
    body = {**LANGFUSE, "metadata": metadata}
    return {"batch": [{"id": "e", "type": "generation-create", "timestamp": "2026-11-22T12:00:01Z", "body": body}]}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (event(energy_joules=20.44, energy_boundary="server"), (20.44, "server")),
        (event(energy_joules=20), (20.0, None)),
        ({"specversion": "1.0", "type": "t", "id": "i", "source": "s", "data": event(energy_joules=1.5)}, (1.5, None)),
        (NEURALWATT, (20.44, None)),
        ({**NEURALWATT, "energy": {"energy_kwh": 5e-6}}, (18.0, None)),
        ({**NEURALWATT, "energy_boundary": "server"}, (20.44, "server")),
        ({**NEURALWATT, "energy": {"energy_joules": 3, "energy_boundary": "facility"}}, (3.0, "facility")),
        ({**NEURALWATT, "energy": ..., "metadata": {"energy_joules": "7.5"}}, (7.5, None)),
        ({**LITELLM, "response": NEURALWATT}, (20.44, None)),
        ({**LITELLM, "metadata": {"spend_logs_metadata": {"energy_joules": 4}}}, (4.0, None)),
        ({**LITELLM, "metadata": {"energy_joules": 4, "energy_boundary": "server"}}, (4.0, "server")),
        (langfuse(energy_joules=9.25), (9.25, None)),
        (langfuse(energy={"energy_joules": 9.25}, energy_boundary="gpu"), (9.25, "gpu")),
        ({**NEURALWATT, "energy_boundary": "GPU"}, (20.44, "gpu")),
        ({**NEURALWATT, "energy_boundary": "a sentence of somebody's prompt"}, (20.44, "other")),
        (span(**{"gen_ai.usage.energy_joules": 11.5}), (11.5, None)),
        (span(**{"rice.energy_joules": 11, "rice.energy_boundary": "facility"}), (11.0, "facility")),
        (span(**{"langfuse.observation.metadata.energy_joules": "3.5"}), (3.5, None)),
    ],
)
def test_it_is_read_where_it_stands(payload: dict[str, Any], expected: tuple[float, str | None]) -> None:
    """Joules before kWh; a boundary where one is named."""
    assert said({name: value for name, value in payload.items() if value is not ...}) == expected


@pytest.mark.parametrize("value", ["", "much", True, None, [1], {"x": 1}, "9" * 50, "nan", "inf", float("1e306")])
def test_what_is_no_number_is_passed_over(value: object) -> None:
    """It costs the item nothing."""
    assert said({**NEURALWATT, "energy": {"energy_joules": value}}) == (None, None)
    assert said({**LITELLM, "metadata": {"energy_joules": value}}) == (None, None)
    assert said(langfuse(energy_joules=value)) == (None, None)


def test_a_finished_batch_shares_out_no_energy() -> None:
    """What was metered of the whole batch is not what each of its requests took."""
    batch = {
        **LITELLM,
        "id": "batch-1",
        "call_type": "aretrieve_batch",
        "metadata": {"energy_joules": 100.0},
        "response": {"id": "b", "completed_at": 1_795_348_800, "energy": {"energy_joules": 100.0}},
        "hidden_params": {"batch_models": ["glm-5.2", "glm-5.2"]},
    }
    record = RawRecord("events", 0, 0, json.dumps(batch).encode(), (), TIME_US)
    _, decoded = decode_batch([record])
    assert len(decoded.events) == 2
    assert {found.energy_joules for found in decoded.events} == {None}


def test_half_a_request_has_no_energy_of_its_own() -> None:
    """OpenMeter's halves would both have it."""
    data = {"model": "glm-5.2", "tokens": 14, "type": "input", "energy_joules": 5}
    envelope = {
        "specversion": "1.0",
        "type": "t",
        "id": "i",
        "source": "s",
        "subject": "acme",
        "time": "2026-11-22T12:00:00Z",
    }
    assert said({**envelope, "data": data}) == (None, None)
    whole = {"model": "glm-5.2", "prompt_tokens": 14, "completion_tokens": 297, "energy_joules": 5}
    assert said({**envelope, "data": whole}) == (5.0, None)
