"""The quick check of event fields accepts and refuses exactly what the pydantic model does."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rice_stream.events.canonical import CanonicalEvent, WireEvent, to_wire
from rice_stream.events.columns import to_columns
from rice_stream.events.formats.reading.checking import accept
from rice_stream.events.formats.reading.moments import Moment, spell
from rice_stream.events.records import Refusal

NAME = st.none() | st.text(max_size=12) | st.sampled_from(["", "m", "x" * 256, "x" * 257, "nul\x00", "é" * 256])
COUNT = st.none() | st.integers(-3, 60) | st.sampled_from([2**31 - 1, 2**31, 10**30, True])
TIME = st.integers(946_684_800_000_000, 4_102_444_799_999_999).map(lambda us: spell(Moment(us), "f"))
FIELDS = st.fixed_dictionaries(
    {
        "event_id": NAME,
        "tenant_id": NAME,
        "ended_at": TIME,
        "request_model": NAME,
        "response_model": NAME,
        "input_tokens": COUNT,
        "cache_read_input_tokens": COUNT,
        "cache_write_input_tokens": COUNT,
        "output_tokens": COUNT,
        "reasoning_output_tokens": COUNT,
    },
    optional={
        "started_at": TIME,
        "team_id": NAME,
        "user_id": NAME,
        "source": NAME,
        "inference_region": NAME,
        "gateway_cache_hit": st.sampled_from([True, False, None]),
        "status": st.sampled_from(["ok", "error", None, "odd"]),
        "usage_quality": st.sampled_from(["reported", "derived", "estimated", "missing", None]),
        "notes": st.just(("time_from_record",)),
    },
)


@given(FIELDS)
def test_the_quick_check_and_the_model_agree(fields: dict[str, Any]) -> None:
    found = accept(fields)
    try:
        expected = to_wire(CanonicalEvent.model_validate(fields))
    except ValueError:
        assert isinstance(found, Refusal)
        assert found.fields is fields
        return
    assert found == expected
    assert isinstance(found, WireEvent)
    assert to_columns([found]).valid.all()
