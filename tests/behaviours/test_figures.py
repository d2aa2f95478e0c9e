"""A dashboard's figures are the store's, to the last integer."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from sqlalchemy import Engine

from rice_stream.alerting.judge import Judge
from rice_stream.budgets.parsing import parse_budget
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.reference.lookup import Reference
from rice_stream.reference.types import ModelFactor
from rice_stream.reports.figures import NOTHING, Accounted, Named, Sums, read_figures, read_versions
from rice_stream.store import budget_store
from rice_stream.store.engine import writing
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.writers import open_writer
from tests.support.fakes import (
    CARBON_UGCO2E_PER_TOKEN,
    FACILITY_UWH_PER_TOKEN,
    NOON_US,
    FakeReference,
    chunk_of,
    event,
    fake_pipeline,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class PartlyKnown(FakeReference):
    """The fake tables without any model whose name begins with `mystery`."""

    def resolve_model(self, *names: Any) -> ModelFactor:
        found = super().resolve_model(*names)
        return replace(found, rung="size_class") if found.model_id.startswith("resolved/mystery") else found


@pytest.fixture
def pipeline(engine: Engine) -> Iterator[Pipeline]:
    """The pipeline on the fake tables and method: 125,000 ugCO2e per weighted token, an event has 20 of them."""
    writer = open_writer(engine)
    yield fake_pipeline(writer, engine, reference=cast(Reference, PartlyKnown()))
    writer.close()


def sums(prompts: int, weighted_tokens: int, **tokens: int) -> Sums:
    """What prompts of so many weighted tokens add up to, by the rates of the fake method (low half, high twice)."""
    carbon = weighted_tokens * CARBON_UGCO2E_PER_TOKEN
    energy = weighted_tokens * FACILITY_UWH_PER_TOKEN
    return Sums(
        prompts=prompts,
        facility_energy_uwh=energy,
        carbon_low_ugco2e=carbon // 2,
        carbon_mid_ugco2e=carbon,
        carbon_high_ugco2e=carbon * 2,
        **tokens,
    )


def test_an_empty_store_has_no_figures(engine: Engine) -> None:
    """Before the first prompt a dashboard shows zeros, not an error."""
    assert read_figures(engine, EVERYTHING, NOON) == NOTHING


def test_figures_are_exact_sums_by_tenant_model_and_region(engine: Engine, pipeline: Pipeline) -> None:
    """Four prompts, a repeat and two refusals, worked out by hand; most gCO2e first."""
    payloads = [
        event(event_id="1", inference_region="eu-1"),
        event(event_id="2", inference_region="eu-1", request_model="big"),  # three times the energy
        event(event_id="3", tenant_id="globex", request_model="mystery-7", inference_region="us-1"),
        event(event_id="4", tenant_id="globex", request_model="mystery-9", input_tokens=40),  # 50 weighted, no region
        event(event_id="1", inference_region="eu-1"),
        event(event_id="5", input_tokens=-1),
        event(event_id=None),
    ]
    pipeline.process([chunk_of(payloads)], NOON_US)
    figures = read_figures(engine, EVERYTHING, NOON)
    acme, globex = sums(2, 80, input_tokens=20, output_tokens=10), sums(2, 70, input_tokens=50, output_tokens=10)
    assert figures.tenants == (Named("acme", acme), Named("globex", globex))
    assert figures.totals == sums(4, 150, input_tokens=70, output_tokens=20)
    assert figures.totals.carbon_gco2e == {"low": 9.375, "mid": 18.75, "high": 37.5}
    assert [(row.name, row.sums.prompts) for row in figures.models] == [
        ("(unknown models)", 2),
        ("resolved/big", 1),
        ("resolved/small", 1),
    ]
    assert [(row.name, row.sums.carbon_mid_ugco2e // CARBON_UGCO2E_PER_TOKEN) for row in figures.regions] == [
        ("eu-1", 80),
        ("world", 50),
        ("us-1", 20),
    ]
    assert figures.fallback_prompts == 2  # one for its model alone, one for its model and its region: each once
    assert figures.accounted == Accounted(recorded=4, duplicates=1, conflicts=0, quarantined=2)
    assert figures.accounted.events == len(payloads)
    assert figures.reasons == (("invalid_field", 2),)
    assert read_versions(engine, EVERYTHING) == ("fake-1", "factors-1")


def test_budgets_show_what_the_worker_judged_and_what_is_reached_now(engine: Engine, pipeline: Pipeline) -> None:
    """The state is the last judgement's; the reached thresholds are the totals' of this moment."""
    with writing(engine) as connection:
        for changes in (
            {"name": "all", "limit_gco2e": 5, "thresholds": [0.5, 1.0]},  # an event is 2.5 gCO2e and 6.25 Wh
            {"name": "search", "limit_kwh": 1, "team_id": "search"},
        ):
            wanted = parse_budget({"tenant_id": "acme", "period": "day", **changes})
            budget_store.save_budget(connection, wanted, NOON_US)
    pipeline.process([chunk_of([event()])], NOON_US)
    Judge(engine).judge_all(NOON)
    pipeline.process([chunk_of([event(event_id="e-2")], offset=1)], NOON_US)
    whole, team = read_figures(engine, EVERYTHING, NOON).budgets
    assert (whole.state, whole.reached, whole.consumed, whole.limit, whole.ratio) == (
        "warning",
        (0.5, 1.0),
        5.0,
        5.0,
        1.0,
    )
    assert (team.scope, team.unit, team.consumed, team.state, team.reached) == ("search", "kwh", 0.0125, "ok", ())
    Judge(engine).judge_all(NOON)
    figures = read_figures(engine, EVERYTHING, NOON)
    assert figures.budgets[0].state == "exceeded"
    assert len(figures.alert_ids) == 2
