"""Whatever an event says, the steps of its explanation end in the integers of its record."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rice_stream.estimator.registry import load_method
from rice_stream.quantities import AMOUNT_COLUMNS
from rice_stream.reports.explanation import explain
from rice_stream.store.scope import EVERYTHING
from tests.support.databases import Databases
from tests.support.fakes import TOKEN_DEFAULTS
from tests.support.reports_store import at, open_store

METHODS = {name: load_method(name) for name in ("rice-paper", "rice-calibrated")}


@st.composite
def payloads(draw: st.DrawFn) -> dict[str, Any]:
    """Any consistent event."""
    inputs = draw(st.none() | st.integers(0, 200_000))
    cached = draw(st.none() | st.integers(0, inputs)) if inputs is not None else None
    fields: dict[str, Any] = {
        "input_tokens": inputs,
        "cache_read_input_tokens": cached,
        "output_tokens": draw(st.none() | st.integers(0, 20_000)),
        "request_model": draw(st.sampled_from(["small", "big"])),
        "status": draw(st.sampled_from([None, "ok", "error"])),
        "gateway_cache_hit": draw(st.sampled_from([None, False, True])),
        "inference_region": draw(st.sampled_from([None, "eu-west-1"])),
        "hardware": draw(st.sampled_from([None, "H100", "something else"])),
        "devices": draw(st.none() | st.floats(0.5, 64)),
        "batch_size": draw(st.none() | st.floats(1, 512)),
        "utilisation": draw(st.none() | st.floats(0.01, 1)),
        "pue": draw(st.none() | st.floats(1, 3)),
        "rci_gco2e_per_kwh": draw(st.none() | st.floats(0, 2000)),
    }
    return fields


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(batch=st.lists(payloads(), min_size=1, max_size=6), method=st.sampled_from(sorted(METHODS)))
def test_every_record_agrees_with_its_own_explanation(
    batch: list[dict[str, Any]], method: str, sqlite: Databases
) -> None:
    """Estimated in a batch by the pipeline, one by one by `explain`: to the last microgram the same."""
    with open_store(sqlite.migrated()) as store:
        store.use(METHODS[method])
        store.add(*(at("2026-11-22T11:00:00Z", event_id=f"e{n}", **fields) for n, fields in enumerate(batch)))
        for row in store.rows(f"SELECT event_id, {', '.join(AMOUNT_COLUMNS)} FROM prompt_record"):
            answer = explain(store.engine, EVERYTHING, row.pop("event_id"), defaults=TOKEN_DEFAULTS)
            assert answer["agrees"] is True
            assert {step["name"]: step["value"] for step in answer["steps"][-len(AMOUNT_COLUMNS) :]} == row
