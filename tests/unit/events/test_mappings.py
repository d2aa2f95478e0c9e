"""`rice-stream map` and `coverage`: names put in order from an instant on, without a restart and without counting twice."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from rice_stream.events.mappings import MappedName, Mappings
from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.proof.verification import verify
from rice_stream.reports.coverage import coverage
from rice_stream.runtime.opening_pipeline import open_pipeline
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.store.engine import open_engine, writing
from rice_stream.store.mapping_store import REFRESH_US, save_mapping
from rice_stream.store.migrate import migrate
from rice_stream.store.scope import EVERYTHING
from tests.support.cli_running import Shell
from tests.support.fakes import NOON_US, event, records_of

MINUTE_US = 60_000_000


class Ledger:
    """A real pipeline on SQLite that goes on working while mappings change."""

    def __init__(self, directory: Path) -> None:
        url = f"sqlite:///{directory / 'rice.db'}"
        self.engine: Engine = open_engine(url)
        migrate(self.engine)
        self.pipeline: Pipeline
        self.pipeline, self.writer = open_pipeline(load_settings(environment={"RICE_DATABASE_URL": url}), self.engine)
        self.now_us = NOON_US

    def process(self, *fields: dict[str, Any]) -> tuple[int, int]:
        """(recorded, duplicates)."""
        result = self.pipeline.process([Chunk("events", 0, records_of(fields))], self.now_us)
        return result.recorded, result.duplicates

    def map(self, kind: str, name: str, target: str | None, valid_from_us: int) -> None:
        with writing(self.engine) as connection:
            save_mapping(connection, MappedName(kind, name, target, valid_from_us), self.now_us)

    def rows(self, columns: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            found = connection.exec_driver_sql(f"SELECT {columns} FROM prompt_emission ORDER BY event_id")
            return [tuple(row) for row in found]


@pytest.fixture
def running(tmp_path: Path) -> Any:
    """A ledger whose pipeline is open for the whole test."""
    made = Ledger(tmp_path)
    yield made
    made.writer.close()
    made.engine.dispose()


def at(minute: int, **changes: Any) -> dict[str, Any]:
    """An event that ended so many minutes after noon."""
    return event(ended_at=f"2026-11-22T12:{minute:02}:00Z", started_at=None, **changes)


def test_a_running_pipeline_takes_a_mapping_up_and_old_events_keep_what_they_had(running: Ledger) -> None:
    """Model and region resolve otherwise from the instant on, by the event's time; the names stay as they came."""
    names = {"request_model": "corp-chat", "inference_region": "dc-west"}
    running.process(at(1, event_id="a", **names))
    running.map("model", "corp-chat", "gpt-4o", NOON_US + 5 * MINUTE_US)
    running.map("region", "dc-west", "azure:swedencentral", NOON_US + 10 * MINUTE_US)
    running.now_us += REFRESH_US
    running.process(*(at(minute, event_id=name, **names) for minute, name in ((2, "b"), (7, "c"), (12, "d"))))
    assert running.rows("event_id, model, model_resolved, region, region_resolved") == [
        ("a", "corp-chat", "default", "dc-west", "world"),
        ("b", "corp-chat", "default", "dc-west", "world"),
        ("c", "corp-chat", "gpt-4o", "dc-west", "country:US"),
        ("d", "corp-chat", "gpt-4o", "dc-west", "azure:swedencentral"),
    ]
    running.map("model", "corp-chat", None, NOON_US + 20 * MINUTE_US)
    running.now_us += REFRESH_US
    running.process(at(21, event_id="e", **names))
    assert running.rows("model_resolved")[-1] == ("default",)
    assert verify(running.engine)["ok"]


def test_events_without_a_region_can_be_given_one(running: Ledger) -> None:
    running.map("region", "unknown", "azure:swedencentral", NOON_US)
    running.process(at(1, request_model="gpt-4o"))
    assert running.rows("region, region_resolved, region_rung") == [("unknown", "azure:swedencentral", "country")]


def test_a_mapped_tenant_counts_an_event_once_whenever_it_is_sent_again(running: Ledger) -> None:
    """What ended before belongs to the old name and what ended after to the new one, also when both come again."""
    early, late = at(1, event_id="early", tenant_id="key-1"), at(9, event_id="late", tenant_id="key-1")
    assert running.process(early) == (1, 0)
    running.map("tenant", "key-1", "acme", NOON_US + 5 * MINUTE_US)
    running.now_us += REFRESH_US
    assert running.process(late, early) == (1, 1)
    assert running.process(early, late) == (0, 2)
    assert running.rows("event_id, tenant_id") == [("early", "key-1"), ("late", "acme")]
    assert verify(running.engine)["ok"]


def test_what_a_name_stands_for_depends_on_the_time_alone() -> None:
    """The latest mapping that has begun; itself before the first and after an end."""
    mappings = Mappings(
        [
            MappedName("model", "m", "c", 300),
            MappedName("model", "m", "a", 100),
            MappedName("model", "m", None, 200),
            MappedName("region", "m", "r", 0),
        ]
    )
    found = [mappings.target("model", "m", at_us) for at_us in (99, 100, 199, 200, 299, 300)]
    assert found == [None, "a", "a", None, None, "c"]
    assert mappings.target("tenant", "m", 300) is None
    assert mappings.target("model", None, 300) is None


def test_coverage_lists_unknown_names_by_tokens_and_adds_up_their_carbon(running: Ledger) -> None:
    running.process(
        at(1, event_id="1", tenant_id="acme", request_model="gpt-4o", inference_region="azure:swedencentral"),
        at(1, event_id="2", tenant_id="unknown", request_model="mystery-a", input_tokens=5000),
        at(1, event_id="3", tenant_id="acme", request_model="mystery-b", inference_region="azure:swedencentral"),
        at(1, event_id="4", tenant_id="acme", request_model="gpt-4o", inference_region="dc-west"),
    )
    found = coverage(running.engine, EVERYTHING, now=datetime(2026, 11, 22, 13, tzinfo=UTC), days=1)
    listed = [(row["kind"], row["name"], row["tokens"]) for row in found["rows"]]
    assert listed == [
        ("model", "mystery-a", 5005),
        ("region", "unknown", 5005),
        ("tenant", "unknown", 5005),
        ("model", "mystery-b", 15),
        ("region", "dc-west", 15),
    ]
    grams = dict(running.rows("event_id, carbon_mid_ugco2e"))
    total = sum(grams.values())
    share = found["fallback_share"]
    assert share["any"] == pytest.approx((total - grams["1"]) / total)
    assert share["model"] == pytest.approx((grams["2"] + grams["3"]) / total)
    assert share["region"] == pytest.approx((grams["2"] + grams["4"]) / total)
    assert share["tenant"] == pytest.approx(grams["2"] / total)
    assert found["carbon_gco2e"] * 1e6 == pytest.approx(total)
    later = coverage(running.engine, EVERYTHING, now=datetime(2026, 12, 22, 13, tzinfo=UTC), days=1)
    assert (later["rows"], later["fallback_share"]["any"]) == ([], None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("model", "corp", "no-such-model-anywhere"), "rice-stream models"),
        (("region", "dc", "atlantis"), "rice-stream regions"),
        (("tenant", "acme", "acme"), "itself"),
        (("tenant", "x", "y" * 300), "256"),
        (("model", "corp", "gpt-4o", "--from", "yesterday"), "RFC 3339"),
        (("end", "model", "corp"), "is mapped"),
        (("tenant", "acme", "other", "--from", "2026-01-01T00:00:00Z"), "from then on"),
    ],
)
def test_a_mapping_that_would_do_harm_is_refused(
    ledger: Shell,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    """With what to do; nothing is stored."""
    result = ledger.run("map", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert ledger.json("map", "list") == {"mappings": []}


def test_the_commands_show_what_they_did(ledger: Shell) -> None:
    """One JSON document each; coverage is a work list for `map`."""
    [row] = [row for row in ledger.json("coverage")["rows"] if row["kind"] == "model"]
    assert row["name"] == "no-such-model-of-anybody"
    [mapping] = ledger.json("map", "model", row["name"], "gpt-4o")["mappings"]
    assert (mapping["kind"], mapping["name"], mapping["target"]) == ("model", row["name"], "gpt-4o")
    assert ledger.json("map", "end", "model", row["name"])["mappings"][-1]["target"] is None
    assert len(ledger.json("map", "list")["mappings"]) == 2
    assert row["name"] in ledger.run("coverage").stdout
