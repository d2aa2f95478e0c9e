"""A file that is ingested again after settings were changed: everything is known, and totals stay."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.versions import settings_text
from rice_stream.pipeline.pipeline import Pipeline, Prepared
from rice_stream.store.attribution_store import propose_version
from rice_stream.store.engine import open_engine
from tests.support.cli_running import Shell
from tests.support.format_payloads import FILES, as_json, log_event, span, traces
from tests.support.format_payloads import SEMCONV_141 as CALL

ALIAS: dict[str, Any] = {
    "RICE_ATTRIBUTION_ATTRIBUTES": "tenant_id=metadata.user_api_key_alias,tenant_id=litellm_call_id"
}
RULES: dict[str, Any] = {"RICE_ATTRIBUTION_RULES": '[{"attribute":"custom_llm_provider","sets":"tenant_id"}]'}
BACK: dict[str, Any] = {"RICE_ATTRIBUTION_ATTRIBUTES": "", "RICE_ATTRIBUTION_RULES": "[]"}
TEAMS: dict[str, Any] = {"RICE_ATTRIBUTION_ATTRIBUTES": "team_id=model,user_id=model,api_key_id=model,project_id=model"}


@pytest.fixture
def migrated(shell: Shell) -> Shell:
    """An empty ledger."""
    assert shell.run("migrate").exit_code == 0
    return shell


def litellm_calls() -> Iterator[dict[str, Any]]:
    """The calls of the sample payloads, rows of spend logs among them."""
    for name, value in FILES.items():
        if name.startswith(("litellm", "spend")):
            texts = value.splitlines() if name.endswith(".ndjson") else [value]
            for found in map(json.loads, texts):
                yield from found if isinstance(found, list) else [found]


def litellm_file(directory: Path, end_s: float | None = None) -> Path:
    """The sample calls as they are, or all of them under other ids and with another end."""
    calls = list(litellm_calls())
    if end_s is not None:
        later = {"startTime": None, "endTime": end_s}
        calls = [{**call, **later, "litellm_call_id": f"later-{number}"} for number, call in enumerate(calls)]
    path = directory / f"calls-{end_s}.jsonl"
    path.write_text("\n".join(map(json.dumps, calls)))
    return path


def totals(shell: Shell) -> Any:
    """All of them, by tenant."""
    return shell.json("totals", "--by", "tenant", "--from", "2020-01-01", "--to", "2028-01-01")["rows"]


@pytest.mark.parametrize("change", [ALIAS, RULES, TEAMS], ids=["attributes", "rules", "other names"])
def test_read_again_after_a_change_of_who_is_charged_everything_is_known(
    migrated: Shell, change: dict[str, Any]
) -> None:
    """Forth and back; not one is a conflict; and what ends after the change is charged by it."""
    file = str(litellm_file(migrated.directory))
    first = migrated.json("ingest", file)
    before = totals(migrated)
    assert first["records"] > 5
    again = {"duplicates": first["records"] + first["duplicates"], "records": 0, "conflicts": 0}
    for settings in (change, BACK, change):
        answer = migrated.json("ingest", file, **settings)
        assert {name: answer[name] for name in again} == again
        assert totals(migrated) == before
    assert migrated.run("verify", **change).exit_code == 0
    later = str(litellm_file(migrated.directory, end_s=later_s(migrated)))
    assert migrated.json("ingest", later, **change)["records"] > 2
    grown = totals(migrated)
    if change is not TEAMS:
        assert {row["tenant_id"] for row in grown} > {row["tenant_id"] for row in before}
    for settings in (BACK, change):
        assert migrated.json("ingest", later, file, **settings)["records"] == 0
        assert totals(migrated) == grown


def later_s(shell: Shell) -> float:
    """An instant at which the latest settings hold."""
    return time.time() + 3600


def test_the_change_is_told_with_its_instant(migrated: Shell, caplog: pytest.LogCaptureFixture) -> None:
    """By whoever brings it, and once; the first settings of a database are no change."""
    file = str(litellm_file(migrated.directory))
    for settings, told in (({}, 0), (ALIAS, 1), (ALIAS, 1), (RULES, 2)):
        migrated.json("ingest", file, **settings)
        assert caplog.text.count("they hold for events that end at 2") == told


def test_a_shell_without_the_settings_takes_them_from_nobody(migrated: Shell, caplog: pytest.LogCaptureFixture) -> None:
    """Commands that are not given any apply what is in force; to end it, the settings are given without a value."""
    file = str(litellm_file(migrated.directory))
    migrated.json("ingest", file, **ALIAS)
    migrated.json("ingest", file)
    assert caplog.text == ""
    migrated.json("ingest", file, RICE_ATTRIBUTION_ATTRIBUTES="")
    assert "were changed" in caplog.text


def test_a_change_in_the_midst_of_a_file_is_kept_to(migrated: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was prepared by the settings of before is prepared again, for calls that end when the new ones hold."""
    file = str(litellm_file(migrated.directory, end_s=time.time() + 3600))
    prepare_some = Pipeline.prepare_some
    proposed: list[object] = []

    def prepare_and_propose(self: Pipeline, *arguments: Any, **options: Any) -> Prepared:
        prepared = prepare_some(self, *arguments, **options)
        if not proposed:
            engine = open_engine(str(migrated.environment["RICE_DATABASE_URL"]))
            by_model = FormatOptions(attributes={"tenant_id": ("model",)})
            proposed.append(propose_version(engine, settings_text(by_model)))
            engine.dispose()
        return prepared

    monkeypatch.setattr(Pipeline, "prepare_some", prepare_and_propose)
    assert migrated.json("ingest", file)["records"] > 2
    models = {call["model"] for call in litellm_calls()}
    assert {row["tenant_id"] for row in totals(migrated)} <= models
    assert migrated.json("ingest", file)["records"] == 0


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"RICE_SKIPPED_SCOPES": "outer"}, {"RICE_SKIPPED_SCOPES": ""}),
        ({"RICE_SKIPPED_SCOPES": ""}, {"RICE_SKIPPED_SCOPES": "outer"}),
        ({}, {"RICE_COUNT_LOG_EVENTS": "true"}),
        ({}, {"RICE_ESTIMATE_MISSING_USAGE": "true"}),
    ],
)
def test_read_again_after_a_change_of_what_counts_nothing_counts_a_second_time(
    migrated: Shell, first: dict[str, Any], then: dict[str, Any]
) -> None:
    """Of a call that two instrumentations wrote, another span would stand; a log event would count beside its span."""
    unsaid = {name: value for name, value in CALL.items() if "usage" not in name}
    outer, inner = span(CALL, span_id="a" * 16), span(CALL, span_id="b" * 16, parent_id="a" * 16)
    around, within = (
        span(unsaid, span_id="c" * 16, trace_id="c" * 32),
        span(CALL, span_id="d" * 16, parent_id="c" * 16, trace_id="c" * 32),
    )
    message = traces(outer, around, scope="outer")
    message["resourceSpans"] += traces(inner, within, scope="inner")["resourceSpans"]
    path = migrated.directory / "spans.jsonl"
    path.write_bytes(b"\n".join([as_json(message), as_json(log_event(CALL, timeUnixNano="1795374004000000000"))]))
    recorded = migrated.json("ingest", str(path), **first)["records"]
    assert recorded == 2
    before = totals(migrated)
    assert migrated.json("ingest", str(path), **then)["records"] == 0
    assert totals(migrated) == before
