"""Properties of replayed and live traffic that hold for all inputs."""

import tempfile
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from rice_stream.errors import UsageError
from rice_stream.events.canonical import CanonicalEvent
from rice_stream.instants import rfc3339
from rice_stream.quantities import TOKENS_MAX
from rice_stream.sandbox.traffic.assign import assign
from rice_stream.sandbox.traffic.pacing import in_completion_order
from rice_stream.sandbox.traffic.times import parsed_us
from rice_stream.sandbox.traffic.traces import TRACE_FORMATS, TraceRequest, open_trace
from rice_stream.sandbox.traffic.traffic import live_traffic

NOW = datetime(2026, 11, 22, 19, tzinfo=UTC)


@st.composite
def requests(draw: st.DrawFn) -> list[TraceRequest]:
    """Requests in order of arrival, with cached tokens unknown or at most the input."""
    rows = []
    offset_s = 0.0
    for _ in range(draw(st.integers(0, 30))):
        offset_s += draw(st.floats(0, 1e5))
        input_tokens = draw(st.integers(0, TOKENS_MAX))
        cached_tokens = draw(st.none() | st.integers(0, input_tokens))
        rows.append(TraceRequest(offset_s, input_tokens, draw(st.integers(0, TOKENS_MAX)), cached_tokens))
    return rows


def valid(event: dict[str, Any]) -> CanonicalEvent:
    """The event as the worker reads it: through JSON; raises if it breaks an invariant."""
    return CanonicalEvent.model_validate(msgspec.json.decode(msgspec.json.encode(event)))


@settings(max_examples=60, deadline=None)
@given(rows=requests(), seed=st.integers(0, 2**63), tenants=st.integers(1, 40))
def test_assigned_events_are_valid_and_keep_the_tokens(rows: list[TraceRequest], seed: int, tenants: int) -> None:
    """Every event of any trace satisfies the canonical event, carries the row's counts and an id of its own."""
    events = [
        valid(event) for event in assign(rows, seed=seed, tenants=tenants, start=NOW, trace_digest="d", source="/s")
    ]
    assert [(e.input_tokens, e.output_tokens, e.cache_read_input_tokens) for e in events] == [
        (row.input_tokens, row.output_tokens, row.cache_read_input_tokens) for row in rows
    ]
    assert len({event.event_id for event in events}) == len(rows)
    assert len({event.tenant_id for event in events}) <= tenants
    assert all(event.team_id and event.project_id and event.user_id and event.inference_region for event in events)


@settings(max_examples=40, deadline=None)
@given(rows=requests(), seed=st.integers(0, 2**63), cut=st.integers(0, 30))
def test_assignment_is_deterministic_and_prefix_stable(rows: list[TraceRequest], seed: int, cut: int) -> None:
    """The same seed gives the same bytes, and fewer rows give the beginning of them."""
    whole, again, first = (
        [
            msgspec.json.encode(event)
            for event in assign(part, seed=seed, tenants=9, start=NOW, trace_digest="d", source="/s")
        ]
        for part in (rows, rows, rows[:cut])
    )
    assert whole == again
    assert first == whole[:cut]


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**63), tenants=st.integers(1, 12), rate_per_s=st.floats(0.5, 300))
def test_live_traffic_is_valid_with_unique_ids(seed: int, tenants: int, rate_per_s: float) -> None:
    """Without oddities every event satisfies the canonical event, ids never repeat, and ends never go back."""
    traffic = live_traffic(seed=seed, tenants=tenants, rate_per_s=rate_per_s, now=NOW)
    events = [valid(event) for event in islice(traffic, 150)]
    assert len({event.event_id for event in events}) == 150
    ends = [event.ended_at for event in events]
    assert ends == sorted(ends)
    assert ends[0] >= NOW


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), max_size=50))
def test_completion_order_is_a_sorted_permutation(times: list[tuple[int, int]]) -> None:
    """Whatever overlaps with whatever: every event comes out once, by end."""
    ordered = sorted(times)
    events = [
        {
            "event_id": number,
            "started_at": rfc3339(start_us, "microseconds"),
            "ended_at": rfc3339(start_us + duration_us, "microseconds"),
        }
        for number, (start_us, duration_us) in enumerate(ordered)
    ]
    done = list(in_completion_order(events))
    ends = [parsed_us(event["ended_at"]) or 0 for event in done]
    assert ends == sorted(ends)
    assert sorted(event["event_id"] for event in done) == list(range(len(events)))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_trace_or_a_usage_error(content: bytes) -> None:
    """No file crashes the reader: it is read whole or refused by a message that names it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace"
        path.write_bytes(content)
        for format in (None, *TRACE_FORMATS):
            try:
                rows = open_trace(path, format).rows
            except UsageError as error:
                rows, message = 0, str(error)
                named = str(path) in message
            else:
                named = True
            assert named
            assert rows >= 0
