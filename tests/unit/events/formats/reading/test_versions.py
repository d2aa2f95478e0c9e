"""Settings of who is charged and what counts, each from an instant on: an item is read by those of when it ended."""

import json
from typing import Any

import numpy as np
import pytest

from rice_stream.errors import UsageError
from rice_stream.events.canonical import WireEvent
from rice_stream.events.formats.reading.attribution import AttributionRule
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.versions import AttributionVersion, dated, settings_text
from rice_stream.events.keys import key_times_us
from rice_stream.instants import epoch_us, parse_time
from tests.support.format_payloads import (
    END_NS,
    SEMCONV_141,
    as_json,
    as_protobuf,
    changed,
    log_event,
    only_event,
    outcomes,
    reasons,
    results,
    span,
    traces,
)
from tests.support.identities import SAMPLES

END_US = END_NS // 1000
BY_ALIAS = FormatOptions(attributes={"tenant_id": ("metadata.user_api_key_alias",)})


def from_then_on(later: FormatOptions, at_us: int, before: FormatOptions | None = None) -> FormatOptions:
    """The usual reading until an instant, another from it on."""
    versions = [
        AttributionVersion(0, settings_text(before or FormatOptions())),
        AttributionVersion(at_us, settings_text(later)),
    ]
    return dated(FormatOptions(), versions)


def litellm(end_s: float) -> bytes:
    """A call that ended then, of a key with an alias."""
    metadata = {"user_api_key_team_id": "team-a", "user_api_key_alias": "alias-1"}
    return changed("litellm_success.json", endTime=end_s, startTime=end_s - 1, metadata=metadata)


def test_each_version_holds_from_its_instant_by_when_the_item_ended() -> None:
    """To the microsecond; the first from the beginning, whatever its instant."""
    options = from_then_on(BY_ALIAS, 1_795_374_010_000_000)
    tenants = [only_event(litellm(end_s), options).tenant_id for end_s in (1e9, 1_795_374_009.999999, 1_795_374_010.0)]
    assert tenants == ["team-a", "team-a", "alias-1"]
    rule = FormatOptions(rules=(AttributionRule("custom_llm_provider", sets="team_id"),))
    assert only_event(litellm(1_795_374_010.0), from_then_on(rule, 0)).team_id == "openai"


def test_of_two_versions_that_begin_together_the_later_stands() -> None:
    """So a change that has not begun yet can be taken back."""
    texts = [settings_text(options) for options in (FormatOptions(), BY_ALIAS, FormatOptions())]
    versions = [AttributionVersion(start, text) for start, text in zip((0, 5, 5), texts, strict=True)]
    assert only_event(litellm(1_795_374_010.0), dated(FormatOptions(), versions)).tenant_id == "team-a"
    assert only_event(litellm(1_795_374_010.0), dated(FormatOptions(), versions[:2])).tenant_id == "alias-1"


def test_without_a_version_the_options_stand() -> None:
    assert dated(BY_ALIAS, ()) == BY_ALIAS


@pytest.mark.parametrize("write", [as_json, as_protobuf])
def test_what_counts_of_a_record_is_decided_span_by_span(write: Any) -> None:
    """Skipped scopes and log events, by the end of each; the spans of one record may lie on both sides."""
    early, late = span(SEMCONV_141, span_id="a" * 16), span(SEMCONV_141, span_id="b" * 16)
    late["endTimeUnixNano"] = str(END_NS + 2_000_000_000)
    skipped = from_then_on(FormatOptions(skipped_scopes=frozenset({"my.scope"})), END_US + 1_000_000)
    assert reasons(results(write(traces(early, late)), skipped)) == ["event", "skipped_scope"]
    off = from_then_on(FormatOptions(count_log_events=False), END_US + 1_000_000)
    assert reasons(results(write(log_event(SEMCONV_141)), off)) == ["event"]
    later = log_event(SEMCONV_141, timeUnixNano=str(END_NS + 2_000_000_000))
    assert reasons(results(write(later), off)) == ["log_events_off"]


def test_a_later_version_changes_nothing_about_earlier_items() -> None:
    """Also not which attributes of the resource are seen: a name that it adds is not looked up there before."""
    payload = as_json(traces(span(SEMCONV_141), resource={"user.id": "of the resource"}))
    options = from_then_on(FormatOptions(attributes={"api_key_id": ("user.id",)}), END_US + 1)
    assert only_event(payload, options) == only_event(payload)
    assert only_event(payload, from_then_on(FormatOptions(attributes={"api_key_id": ("user.id",)}), END_US)).api_key_id


def test_estimates_of_missing_counts_begin_with_their_version() -> None:
    """A span without counts is ignored before, and estimated from its text from then on."""
    without = {name: value for name, value in SEMCONV_141.items() if "usage" not in name}
    estimated = FormatOptions(estimate_missing_usage=True)
    payload = as_json(traces(span(without)))
    assert reasons(results(payload, from_then_on(estimated, END_US + 1))) == ["no_usage"]
    event = only_event(payload, from_then_on(estimated, END_US))
    assert isinstance(event, WireEvent)
    assert event.usage_quality == "estimated"


def test_a_span_without_an_end_is_read_by_the_day_of_its_record() -> None:
    """Sent again on that day it is read alike, whatever time its record has then."""
    payload = as_json(traces(span(SEMCONV_141, startTimeUnixNano="0", endTimeUnixNano="0")))
    for start_us, found in ((1_795_305_600_000_000, "skipped_scope"), (1_795_305_600_000_001, "event")):
        options = from_then_on(FormatOptions(skipped_scopes=frozenset({"my.scope"})), start_us)
        assert reasons(results(payload, options, stamped=True)) == [found]


def test_a_broken_time_is_refused_as_ever() -> None:
    payload = as_json(traces(span(SEMCONV_141, endTimeUnixNano="yesterday")))
    assert reasons(results(payload, from_then_on(BY_ALIAS, 5))) == reasons(results(payload)) == ["invalid_field"]


def test_settings_that_mean_the_same_are_the_same_text() -> None:
    """However they are written; and they come back as they were."""
    rules = (
        AttributionRule("tags", "team:(.+)", sets="team_id"),
        AttributionRule("service.name", "svc-([a-z]+)", "x-\\1", {"x-b": "2", "x-a": "1"}),
    )
    options = FormatOptions(
        attributes={"team_id": ("a", "b"), "tenant_id": ("c",), "user_id": ()},
        rules=rules,
        skipped_scopes=frozenset({"z", "y"}),
    )
    text = settings_text(options)
    spelled = AttributionRule("tags", pattern="team:(.+)", value=None, table=None, sets="team_id")
    other = FormatOptions(
        attributes={"tenant_id": ("c",), "team_id": ("a", "b")},
        rules=(spelled, AttributionRule("service.name", "svc-([a-z]+)", "x-\\1", {"x-a": "1", "x-b": "2"})),
        skipped_scopes=frozenset({"y", "z"}),
        topic_formats={"t": "otlp"},
    )
    assert settings_text(other) == text
    back = dated(FormatOptions(), [AttributionVersion(0, text)])
    assert (back.attributes, back.rules) == ({"tenant_id": ("c",), "team_id": ("a", "b")}, rules)
    assert settings_text(back) == text


def test_the_order_of_rules_and_of_a_fields_attributes_means_something() -> None:
    a, b = AttributionRule("a"), AttributionRule("b")
    assert settings_text(FormatOptions(rules=(a, b))) != settings_text(FormatOptions(rules=(b, a)))
    one, other = ({"tenant_id": names} for names in (("a", "b"), ("b", "a")))
    assert settings_text(FormatOptions(attributes=one)) != settings_text(FormatOptions(attributes=other))


def test_settings_of_a_newer_version_are_not_half_understood() -> None:
    text = json.dumps({**json.loads(settings_text(FormatOptions())), "something_new": 1})
    with pytest.raises(UsageError, match="newer version"):
        dated(FormatOptions(), [AttributionVersion(0, text)])


def test_two_ways_of_reading_differ_from_the_first_instant_on_at_which_they_say_otherwise() -> None:
    """Whatever has ended before is read alike; a decoded item that waits may be used until then."""
    one, other = (AttributionVersion(0, settings_text(FormatOptions())), AttributionVersion(5, settings_text(BY_ALIAS)))
    plain, later = dated(FormatOptions(), [one]), dated(FormatOptions(), [one, other])
    back = dated(FormatOptions(), [one, other, AttributionVersion(9, one.settings)])
    assert plain.differs_from_us(dated(FormatOptions(), [one])) is None
    assert [plain.differs_from_us(later), later.differs_from_us(plain)] == [5, 5]
    assert later.differs_from_us(back) == 9
    assert plain.differs_from_us(BY_ALIAS) == 0


BEFORE = FormatOptions(
    attributes={"tenant_id": ("service.name", "model"), "user_id": ("kafka.key",), "team_id": ("call_type",)},
    rules=(AttributionRule("gen_ai.request.model", "gpt-(.*)", sets="project_id"),),
    count_log_events=False,
)
AFTER = FormatOptions(
    attributes={
        "tenant_id": ("gen_ai.request.model", "custom_llm_provider"),
        "api_key_id": ("user.id", "identity.arn"),
    },
    rules=(AttributionRule("kafka.topic", table={"requests": "all"}, sets="team_id"),),
    estimate_missing_usage=True,
    skipped_scopes=frozenset({"litellm"}),
)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_format_reads_by_the_settings_of_when_its_items_ended(name: str) -> None:
    """Wherever the instant lies: all that ends before it is read as by the first settings alone, all else as by the second.

    A request without a time of its own counts as of the beginning of the UTC day in which it came.
    """
    before, after = (results(SAMPLES[name], options, stamped=True) for options in (BEFORE, AFTER))
    known = [event for event in (*before, *after) if isinstance(event, WireEvent)]
    of_both = [outcome for options in (BEFORE, AFTER) for outcome in outcomes(SAMPLES[name], options, stamped=True)]
    ends = sorted(
        {
            int(key_times_us(np.array([epoch_us(parse_time(outcome.result.ended_at))]), np.array([outcome.untimed]))[0])
            for outcome in of_both
            if isinstance(outcome.result, WireEvent)
        }
    )
    for start_us in {0, *ends, *(end + 1 for end in ends)}:
        found = results(SAMPLES[name], from_then_on(AFTER, start_us, BEFORE), stamped=True)
        if start_us <= min(ends, default=0):
            assert found == after
        elif start_us > max(ends):
            assert found == before
        else:
            assert all(event in known for event in found if isinstance(event, WireEvent))
