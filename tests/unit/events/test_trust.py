"""Whose word on factors is believed, by door, topic and source."""

import pytest

from rice_stream.errors import UsageError
from rice_stream.events.trust import MARK, OPERATOR_TRUST, door_of, parse_trust
from rice_stream.runtime.settings.loading import load_settings

LISTED = ("topic:gateway-logs", "source:/gateway/eu", "source:a:b")


@pytest.mark.parametrize(
    ("written", "topic", "source", "from_kafka", "over_http"),
    [
        (("operator",), "events", None, True, False),
        (("operator",), "file:a.jsonl", "x", True, False),
        (("all",), "events", None, True, True),
        (("none",), "events", "/gateway/eu", False, False),
        (LISTED, "gateway-logs", None, True, False),
        (LISTED, "events", "/gateway/eu", True, False),
        (LISTED, "events", "a:b", True, False),
        (LISTED, "events", "gateway-logs", False, False),
        (LISTED, "/gateway/eu", "", False, False),
        (LISTED, "file:a.jsonl", None, False, False),
    ],
)
def test_a_marked_record_is_believed_only_where_everybody_is(
    written: tuple[str, ...], topic: str, source: str | None, *, from_kafka: bool, over_http: bool
) -> None:
    """The sender over HTTP chooses the source, and others share the topic: a list never applies to it."""
    policy = parse_trust(written)
    assert policy.believes(topic, source, ()) is from_kafka
    assert policy.believes(topic, source, (("traceparent", b"00"),)) is from_kafka
    assert policy.believes(topic, source, MARK) is over_http


@pytest.mark.parametrize("headers", [MARK, (("a", b""), ("Rice-Door", b"")), (("rice-door", None),)])
def test_the_mark_is_told_by_its_name_alone(headers: tuple[tuple[str, bytes | None], ...]) -> None:
    """No spelling of its value takes it away."""
    assert door_of(headers) == "http"
    assert door_of((("rice-doors", b"http"), ("x", None))) == ""


@pytest.mark.parametrize(
    "written", ["", ",", "some", "operator,all", "none,topic:a", "topic:", "source:", "topic", "OPERATOR"]
)
def test_anything_else_is_refused_by_name(written: str) -> None:
    """A misspelt list must not believe anybody by accident."""
    with pytest.raises(UsageError, match="RICE_TRUST_EVENT_FACTORS"):
        load_settings(environment={"RICE_TRUST_EVENT_FACTORS": written})


def test_the_setting_is_the_policy() -> None:
    """Unset it is the operator's own senders; a list is read with or without blanks."""
    assert load_settings(environment={}).trust_policy() == OPERATOR_TRUST
    listed = load_settings(environment={"RICE_TRUST_EVENT_FACTORS": " topic:a , source:b,topic:c"}).trust_policy()
    assert (listed.word, listed.topics, listed.sources) == (None, frozenset(["a", "c"]), frozenset(["b"]))
