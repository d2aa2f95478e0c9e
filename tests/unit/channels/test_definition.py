"""What a channel is."""

from rice_stream.channels.answers import ReceiverAnswer
from rice_stream.channels.definition import (
    ALERTMANAGER_AGAIN_S,
    Channel,
    HttpMessage,
    Secrets,
    posts_again_every_s,
    posts_ended_for_s,
)
from rice_stream.channels.letters import NOTICE_TYPE, Letter, letter_of


def test_alertmanager_is_told_again_whatever_is_set_and_others_as_they_are_set() -> None:
    assert posts_again_every_s(Channel("a", "alertmanager", "x")) == ALERTMANAGER_AGAIN_S
    assert posts_again_every_s(Channel("a", "alertmanager", "x", remind_every_s=30)) == 30
    assert posts_again_every_s(Channel("a", "alertmanager", "x", remind_every_s=86_400)) == ALERTMANAGER_AGAIN_S
    assert posts_again_every_s(Channel("a", "slack", "x", remind_every_s=86_400)) == 86_400
    assert posts_again_every_s(Channel("a", "slack", "x")) is None
    assert (posts_ended_for_s(Channel("a", "alertmanager", "x")), posts_ended_for_s(Channel("a", "email", "x"))) == (
        900,
        0,
    )


def test_no_secret_is_in_a_text_of_what_holds_it() -> None:
    """A traceback or a log line shows values as `repr` does."""
    secret = "whsec_c2VjcmV0"
    held = (Secrets("https://secret.example", (secret,)), HttpMessage("https://secret.example", b"{}", {"x": secret}))
    assert not [each for each in map(repr, held) if "secret" in each]


def test_an_answer_says_whether_it_was_taken_and_whether_the_receiver_is_gone() -> None:
    assert ReceiverAnswer(status=204).is_done
    assert not ReceiverAnswer(problem="refused").is_done
    assert ReceiverAnswer(status=410, problem="answered 410").is_gone


def test_a_letter_is_the_same_after_it_was_stored() -> None:
    letter = Letter(
        event_type=NOTICE_TYPE,
        title="Channel ops fails",
        time="2026-11-22T19:00:00Z",
        lines=("Nothing has arrived for a day.",),
        facts=(("Last answer", "500"),),
        columns=("Team", "gCO2e"),
        rows=(("search", "12"),),
        severity="critical",
        key="channel:ops",
        data={"channel": "ops"},
    )
    assert letter_of(letter.content()) == letter
