"""Events over HTTP are charged as the database says for when they ended, not as the settings of whoever serves."""

import json

from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.versions import AttributionVersion, dated, settings_text
from tests.support.format_payloads import changed
from tests.unit.api.conftest import Door

START_S = 1_795_374_010


def test_a_body_that_is_sent_again_after_a_change_gives_the_same_events() -> None:
    """Also by a server that was started with other settings; what ends from the instant on is charged by the new ones."""
    by_model = FormatOptions(attributes={"tenant_id": ("model",)})
    versions = [AttributionVersion(0, settings_text(FormatOptions()))]
    door = Door(
        formats_now=lambda: dated(FormatOptions(), versions), attribution_attributes={"tenant_id": ("call_type",)}
    )
    early, late = (changed("litellm_success.json", startTime=end, endTime=end) for end in (START_S - 1, START_S))
    for body in (early, early, late):
        if body is late:
            versions.append(AttributionVersion(START_S * 1_000_000, settings_text(by_model)))
            assert door.post("/v1/events", early).status == 202
        assert door.post("/v1/events", body).status == 202
    first, again, later, new = (json.loads(event.value) for event in door.publisher.events)
    assert first == again == later
    assert (first["tenant_id"], new["tenant_id"]) == ("team-a", "gpt-4o")
    assert [event.key for event in door.publisher.events] == ["team-a", "team-a", "team-a", "gpt-4o"]
