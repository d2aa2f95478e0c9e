"""docs/asyncapi.yaml says what the code does: the event schema is the model's, the alert schema is the alert's."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from rice_stream.budgets.announcement import alert_event
from rice_stream.budgets.definition import Budget
from rice_stream.budgets.early_warning import judge_early, stretches_to_ask
from rice_stream.budgets.parsing import parse_budget
from rice_stream.budgets.periods import period_at
from rice_stream.budgets.rules import judge
from rice_stream.budgets.states import BudgetState, Consumed
from rice_stream.events.canonical import FIELD_NAMES, CanonicalEvent
from rice_stream.events.decoding import decode_batch
from rice_stream.events.records import RawRecord
from rice_stream.runtime.settings.loading import load_settings
from tests.support.docs_reading import blocks, codes, rows, section, text_of
from tests.support.docs_schema import Schema, problems, resolve

DOCUMENT: Schema = yaml.safe_load(text_of("docs/asyncapi.yaml"))
SCHEMAS: Schema = DOCUMENT["components"]["schemas"]
MESSAGES: Schema = DOCUMENT["components"]["messages"]
EVENT_MESSAGES = [name for name in MESSAGES if name != "budgetChanged"]
EXAMPLES = [(name, number) for name in MESSAGES for number in range(len(MESSAGES[name]["examples"]))]
NOW = datetime(2026, 11, 19, 12, 30, tzinfo=UTC)


# --- the document --------------------------------------------------------------------------------------------------------


def test_it_is_asyncapi_3_and_every_reference_leads_somewhere() -> None:
    """The document is whole."""
    assert re.fullmatch(r"3\.\d+\.\d+", DOCUMENT["asyncapi"])
    references = re.findall(r'\$ref: "(#/[^"]+)"', text_of("docs/asyncapi.yaml"))
    assert references
    for reference in references:
        assert isinstance(resolve(reference, DOCUMENT), dict)


def test_topics_and_group_are_those_of_the_default_settings() -> None:
    """An unset worker reads and writes where the document says."""
    settings = load_settings(environment={})
    channels = DOCUMENT["channels"]
    assert (channels["events"]["address"],) == settings.events_topics
    assert channels["alerts"]["address"] == settings.alerts_topic
    group = DOCUMENT["operations"]["receiveEvents"]["bindings"]["kafka"]["groupId"]
    assert group["default"] == settings.kafka_group_id
    for channel in channels.values():
        assert channel["bindings"]["kafka"]["topic"] == channel["address"]


# --- events in -----------------------------------------------------------------------------------------------------------


def test_the_event_schema_is_the_models() -> None:
    """Field by field equal to what pydantic generates, but for titles and descriptions, which only people read."""
    generated = CanonicalEvent.model_json_schema()
    documented = SCHEMAS["EnvelopedEvent"]["properties"]
    assert set(documented) == set(generated["properties"]) == set(FIELD_NAMES)
    for name, schema in generated["properties"].items():
        assert _bare(documented[name]) == _bare(schema), name
        assert len(documented[name]["description"]) > 3, name
    [_, own] = SCHEMAS["CanonicalEvent"]["allOf"]
    assert own["required"] == generated["required"]


def _bare(schema: Schema) -> Schema:
    kept = {key: value for key, value in schema.items() if key not in {"title", "description"}}
    # `default: null` in `null | X` says the same as leaving it out; both spellings of a choice mean the same.
    return json.loads(json.dumps(kept, sort_keys=True))  # type: ignore[no-any-return]


@pytest.mark.parametrize(("name", "number"), EXAMPLES)
def test_every_example_fits_the_schema_of_its_message(name: str, number: int) -> None:
    """Payload and headers are allowed by what the document says of them."""
    message = MESSAGES[name]
    example = message["examples"][number]
    assert problems(example["payload"], message["payload"], DOCUMENT) == []
    assert problems(example.get("headers", {}), message.get("headers", {}), DOCUMENT) == []


@pytest.mark.parametrize(("name", "number"), [pair for pair in EXAMPLES if pair[0] in EVENT_MESSAGES])
def test_every_example_of_an_event_is_accepted_by_the_decoder(name: str, number: int) -> None:
    """What the document shows can be sent: nothing is refused, and every event arrives with tenant, id and counts."""
    example = MESSAGES[name]["examples"][number]
    payload = example["payload"]
    value = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
    headers = tuple((key, text.encode()) for key, text in example.get("headers", {}).items())
    columns, decoded = decode_batch([RawRecord("llm-requests", 0, 0, value, headers)])
    assert decoded.refused == []
    many = {"canonicalEventArray": 2, "canonicalEventLines": 2, "cloudEventBatch": 2}
    assert len(columns) == many.get(name, 1)
    assert {attribution[0] for attribution in columns.attribution} == {"acme"}
    assert all(columns.event_id)


def test_the_canonical_examples_are_accepted_by_the_model_itself() -> None:
    """Beside the decoder: pydantic, which is the definition."""
    for example in MESSAGES["canonicalEvent"]["examples"]:
        CanonicalEvent.model_validate(example["payload"])


def test_what_the_schema_requires_is_required() -> None:
    """Leaving out any required field of the first example is refused, leaving out any other is not."""
    payload = MESSAGES["canonicalEvent"]["examples"][0]["payload"]
    required = {*SCHEMAS["CanonicalEvent"]["allOf"][1]["required"]}
    for name in payload:
        value = json.dumps({key: item for key, item in payload.items() if key != name}).encode()
        _, decoded = decode_batch([RawRecord("llm-requests", 0, 0, value)])
        assert bool(decoded.refused) == (name in required), name


# --- alerts out ----------------------------------------------------------------------------------------------------------


def _alert(**changes: Any) -> dict[str, Any]:
    """The alert of an 80 % threshold that was crossed at noon."""
    fields: dict[str, Any] = {"name": "b", "tenant_id": "acme", "period": "month", "limit_gco2e": 100, **changes}
    budget: Budget = parse_budget(fields)
    consumed = Consumed(40_000_000, 85_000_000, 95_000_000, 85_000_000_000)
    state, transitions = judge(budget, BudgetState(), consumed, period_at(budget, NOW), NOW)
    assert state.state == "warning"
    watermark = NOW - timedelta(minutes=1)
    return alert_event(budget, transitions[-1], source="/rice-stream", event_time_watermark=watermark, time=NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"limit_gco2e": None, "limit_kwh": "100"},
        {"team_id": "t", "project_id": "p", "user_id": "u", "model": "m", "period": "rolling-7d", "estimate": "mid"},
    ],
    ids=["carbon", "energy", "narrowed"],
)
def test_alerts_fit_their_schema_and_the_schema_describes_nothing_else(changes: dict[str, Any]) -> None:
    """Every field of a real alert is described, and every described field is in a real alert."""
    alert = _alert(**changes)
    assert problems(alert, SCHEMAS["Alert"], DOCUMENT) == []
    assert set(alert) == set(SCHEMAS["Alert"]["properties"])
    described = set(SCHEMAS["AlertData"]["properties"]) - {"burn", "forecast", "ended_by"}
    assert set(alert["data"]) == described - ({"limit_kwh"} if "limit_gco2e" in alert["data"] else {"limit_gco2e"})


def test_early_warnings_fit_it_as_well() -> None:
    """A burn rate and a forecast say what they rest on, in the fields that are described, and in all of them."""
    budget = parse_budget({"name": "b", "tenant_id": "t", "period": "month", "limit_gco2e": 100, "early_warning": True})
    consumed, period = Consumed(40_000_000, 99_000_000, 99_000_000, 0), period_at(budget, NOW)
    asked = stretches_to_ask(budget, BudgetState(), consumed, period, NOW, with_range=True)
    state, changes = judge_early(budget, BudgetState(), consumed, period, NOW, [(each, consumed) for each in asked])
    _, ended = judge_early(replace(budget, early_warning=False), state, consumed, period, NOW, [])
    told = [
        alert_event(budget, each, source="/rice-stream", event_time_watermark=None, time=NOW)
        for each in [*changes, *ended]
    ]
    assert [problems(each, SCHEMAS["Alert"], DOCUMENT) for each in told] == [[]] * 6
    described = SCHEMAS["AlertData"]["properties"]
    assert set(told[0]["data"]["burn"]) == set(described["burn"]["properties"])
    assert set(told[2]["data"]["forecast"]) == set(described["forecast"]["properties"])


def test_the_checker_itself_finds_what_is_wrong() -> None:
    """A schema check that accepts everything would prove nothing."""
    alert = _alert()
    assert problems({**alert, "id": "x"}, SCHEMAS["Alert"], DOCUMENT) != []
    assert problems({**alert, "extra": 1}, SCHEMAS["Alert"], DOCUMENT) != []
    del alert["data"]["limit_gco2e"]
    assert problems(alert, SCHEMAS["Alert"], DOCUMENT) != []


# --- the page in words ---------------------------------------------------------------------------------------------------


def test_the_page_lists_every_field_of_an_event_and_no_other() -> None:
    """docs/events.md has the same fields as the model; required ones are marked."""
    table = list(rows(section(text_of("docs/events.md"), "## Fields")))
    documented = {codes(cells[0])[0]: cells[1] for cells in table}
    assert set(documented) == set(FIELD_NAMES)
    required = set(CanonicalEvent.model_json_schema()["required"])
    assert {name for name, kind in documented.items() if "required" in kind} == required


def test_the_events_and_the_alert_that_the_page_shows_are_real() -> None:
    """The first block of the page is accepted; the alert has exactly the fields of one."""
    [event, *_, alert] = blocks(text_of("docs/events.md"), "json")
    columns, decoded = decode_batch([RawRecord("llm-requests", 0, 0, event.encode())])
    assert len(columns) == 1
    assert decoded.refused == []
    shown = json.loads(alert)
    assert set(shown) == set(SCHEMAS["Alert"]["properties"])
    assert problems(shown["data"], SCHEMAS["AlertData"], DOCUMENT) == []
