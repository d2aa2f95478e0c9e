"""What other channels are told of one that fails."""

from datetime import UTC, datetime, timedelta

from rice_stream.channels.definition import Channel
from rice_stream.channels.letters import letter_of
from rice_stream.channels.notices import disabled_notice, failing_notice, mended_notice

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
OPS = Channel(name="ops", type="webhook", target="hooks.example.com/very-secret", tenants=frozenset({"acme"}))


def test_notices_say_which_channel_since_when_and_why_and_not_where() -> None:
    """A failure and its end have one key; the channel's address is nobody else's business."""
    letters = [
        failing_notice(OPS, NOON - timedelta(days=1), "it answered 500", NOON),
        disabled_notice(OPS, "it answered 410", NOON),
        mended_notice(OPS, NOON - timedelta(days=1), NOON),
    ]
    assert [letter.data["state"] for letter in letters] == ["failing", "disabled", "ok"]
    assert [letter.is_over for letter in letters] == [False, False, True]
    assert {letter.key for letter in letters} == {"channel:ops"}
    assert {letter.subject for letter in letters} == {"acme"}
    assert dict(letters[0].facts) == {
        "Channel": "ops",
        "Type": "webhook",
        "Since": "2026-11-21T12:00:00Z",
        "Last failure": "it answered 500",
    }
    for letter in letters:
        assert "ops" in letter.title
        assert "very-secret" not in str(letter.content())
        assert letter_of(letter.content()) == letter


def test_a_channel_of_several_tenants_is_no_tenants_subject() -> None:
    """Nor is one of every tenant."""
    every = Channel(name="ops", type="slack", target="x")
    assert disabled_notice(every, "gone", NOON).subject is None
