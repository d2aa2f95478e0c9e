"""Text of prompts and answers never leaves a decoder: not in events, notes, reasons or what the quarantine keeps.

Two nets: the payloads hold a marker in every field that the software fills with text; and every single string of every
payload is replaced by the marker, one at a time, and only the names that are listed below may carry it on.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rice_stream.events.formats.reading.options import FORMATS, FormatOptions
from rice_stream.events.records import Refused
from tests.support.format_payloads import (
    FILES,
    MARKER,
    OTLP_PAYLOADS,
    PAYLOAD_FOLDER,
    PAYLOADS,
    as_json,
    as_protobuf,
    format_of,
    outcomes,
    results,
)

OPTIONS = [FormatOptions(), FormatOptions(estimate_missing_usage=True)] + [
    FormatOptions(topic_formats={"requests": name}) for name in FORMATS if name != "auto"
]
PLANTED = "text planted in one field"

NAMES_CARRIED_ON = {
    "otlp": {
        "service.name",
        "cloud.region",
        "gen_ai.provider.name",
        "gen_ai.system",
        "llm.provider",
        "gen_ai.request.model",
        "gen_ai.response.model",
        "llm.model_name",
        "metadata.user_api_key_team_id",
        "metadata.user_api_key_project_id",
        "metadata.user_api_key_user_id",
        "metadata.user_api_key_hash",
    },
    "litellm": {
        "id",
        "litellm_call_id",
        "custom_llm_provider",
        "model",
        "response.model",
        "metadata.user_api_key_team_id",
        "metadata.user_api_key_org_id",
        "metadata.user_api_key_project_id",
        "metadata.user_api_key_user_id",
        "metadata.user_api_key_hash",
        "metadata.usage_object.inference_geo",
        # Columns of SpendLogs rows.
        "request_id",
        "team_id",
        "organization_id",
        "user",
        "api_key",
    },
    "openmeter": {"id", "source", "subject", "data.model", "data.provider"},
    "langfuse": {
        "batch.body.id",
        "batch.body.model",
        "batch.body.userId",
        "batch.body.metadata.user_api_key_team_id",
    },
    "bedrock": {
        "requestId",
        "modelId",
        "identity.arn",
        "accountId",
        "requestMetadata.team",
        "region",
        "inferenceRegion",
    },
    "kong": {
        "request.id",
        "consumer.id",
        "consumer.custom_id",
        "ai.proxy.meta.provider_name",
        "ai.proxy.meta.request_model",
        "ai.proxy.meta.response_model",
        "ai.ai-request-transformer.meta.provider_name",
        "ai.ai-request-transformer.meta.request_model",
        "ai.ai-request-transformer.meta.response_model",
    },
    "envoy": {"x-request-id", "gen_ai.request.model", "gen_ai.response.model", "x-tenant-id"},
    "provider_usage": {
        "id",
        "responseId",
        "ResponseMetadata.RequestId",
        "model",
        "modelId",
        "modelVersion",
        "tenant_id",
        "metadata.tenant",
        "usage.inference_geo",
    },
}
"""By format, the fields whose text is carried into the event: ids, models, providers, places and who is charged."""


@pytest.mark.parametrize("name", PAYLOADS)
def test_text_in_any_known_field_appears_in_nothing_that_comes_out(name: str) -> None:
    value = PAYLOADS[name]
    assert MARKER.encode() in value or name.startswith("otlp_vllm")
    for options in OPTIONS:
        for outcome in outcomes(value, options, stamped=True):
            assert MARKER not in told(outcome)


def told(outcome: Any) -> str:
    """All that an outcome says, without the record that it came from."""
    result = outcome.result
    if isinstance(result, Refused):
        result = (result.reason, result.detail, result.payload, result.item)
    return repr((outcome.source_format, outcome.region_source, outcome.notes, result))


def broken(value: bytes) -> bytes:
    """Every number that can be negative made so: what was an event is refused."""
    return re.sub(rb'(: ?"?)(\d+)("?[,}\]])', rb"\1-1\2\3", value)


@pytest.mark.parametrize("name", [name for name in PAYLOADS if not name.endswith(".pb")])
def test_text_appears_in_no_refusal_either(name: str) -> None:
    found = outcomes(broken(PAYLOADS[name]), stamped=True)
    for outcome in found:
        assert MARKER not in told(outcome)
    assert any(isinstance(outcome.result, Refused) for outcome in found)


def test_text_appears_in_no_refusal_of_protobuf() -> None:
    for name, message in OTLP_PAYLOADS.items():
        bad = json.loads(re.sub(r'"intValue": "\d+"', '"intValue": "-5"', json.dumps(message)))
        found = outcomes(as_protobuf(bad))
        assert [type(outcome.result) for outcome in found] == [Refused], name
        assert MARKER not in told(found[0])


# --- one string at a time --------------------------------------------------------------------------------------------

Change = Callable[[str], None]


def strings(value: Any, path: str = "") -> Iterator[tuple[str, Change, str]]:
    """(path, how to change it, the string) for every string in it; list positions are left out of paths, and an OTLP
    attribute goes by its key."""
    if isinstance(value, dict):
        key = value.get("key")
        if isinstance(key, str) and isinstance(value.get("value"), dict):
            yield from strings_of_attribute(key, value["value"])
            return
        for name, inner in value.items():
            yield from at(value, name, f"{path}.{name}" if path else name, inner)
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from at(value, position, path, inner)


def at(container: Any, position: Any, path: str, inner: Any) -> Iterator[tuple[str, Change, str]]:
    if isinstance(inner, str):
        yield path, lambda new: container.__setitem__(position, new), inner
    else:
        yield from strings(inner, path)


def strings_of_attribute(key: str, value: dict[str, Any]) -> Iterator[tuple[str, Change, str]]:
    if isinstance(value.get("stringValue"), str):
        yield key, lambda new: value.__setitem__("stringValue", new), value["stringValue"]


def documents() -> list[tuple[str, Any]]:
    found = [(name, message) for name, message in OTLP_PAYLOADS.items()]
    for name, value in FILES.items():
        if name.endswith(".json"):
            found.append((name, json.loads(value)))
        elif name.endswith(".ndjson"):
            found += [(name, json.loads(line)) for line in value.splitlines()]
    return found


def test_only_the_listed_names_carry_text_on_whatever_field_it_is_planted_in() -> None:
    carried: dict[str, set[str]] = {name: set() for name in NAMES_CARRIED_ON}
    planted = 0
    for name, document in documents():
        for path, change, before in strings(document):
            change(PLANTED)
            planted += 1
            if any(PLANTED in told(outcome) for outcome in outcomes(as_json(document), stamped=True)):
                carried[format_of(name)].add(
                    path.rpartition("resource.")[2].rpartition("spans.")[2].rpartition("logRecords.")[2]
                )
            change(before)
    assert planted > 500
    assert carried == NAMES_CARRIED_ON


def test_no_payload_file_is_a_copy_of_a_recorded_one() -> None:
    """Payloads are written by hand: small, and full of our own marker."""
    for path in PAYLOAD_FOLDER.iterdir():
        assert path.stat().st_size < 4_500
        assert MARKER in path.read_text()


def test_estimating_from_text_keeps_a_number_only() -> None:
    [event] = results(FILES["litellm_success.json"], FormatOptions(estimate_missing_usage=True))
    assert MARKER not in repr(event)
