"""One delivery sent, whatever the type of its channel."""

import asyncio
import hashlib
import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from rice_stream.alerting.sending import Sender
from rice_stream.channels.answers import ReceiverAnswer
from rice_stream.channels.definition import Channel, ChannelType, Kind, Parcel, Secrets
from rice_stream.channels.keys import key_of
from rice_stream.channels.signing import verify
from rice_stream.feeds.allowed_hosts import AllowedHosts
from rice_stream.feeds.mail import MailServers
from rice_stream.feeds.receivers import Receivers
from tests.support.alert_events import BURN, EVENT, changed
from tests.support.alert_receiver import AlertReceiver, Reply, alert_receiver
from tests.support.mail_server import mail_server

NOW = datetime(2026, 11, 22, 19, 5, tzinfo=UTC)
LOCAL = AllowedHosts.parse(["127.0.0.1"])
KEY = key_of(b"k" * 32)


@pytest.fixture(scope="module")
def _receiver() -> Iterator[AlertReceiver]:
    with alert_receiver() as running:
        yield running


@pytest.fixture
def receiver(_receiver: AlertReceiver) -> AlertReceiver:
    _receiver.requests.clear()
    _receiver.answers(Reply(202, b"accepted"))
    return _receiver


@pytest.fixture(scope="module")
def sender() -> Sender:
    return Sender(LOCAL, public_url="https://rice.example", now=lambda: NOW)


def send(sender: Sender, type_: ChannelType, secrets: Secrets, kind: Kind = "alert", *alerts: Any) -> ReceiverAnswer:
    """A parcel on its way."""
    parcel = Parcel("msg_1", kind, {"alerts": list(alerts or [EVENT])})
    return asyncio.run(sender.send(parcel, Channel("ops", type_, "x"), secrets))


@pytest.mark.parametrize(
    ("type_", "keys", "path"),
    [
        ("webhook", (KEY,), "/hook"),
        ("slack", (), "/hook"),
        ("alertmanager", ("t0ken",), "/hook/api/v2/alerts"),
        ("pagerduty", ("r0uting",), "/hook"),
    ],
)
def test_each_type_arrives_and_what_was_sent_is_known_by_its_digest(
    receiver: AlertReceiver, sender: Sender, type_: ChannelType, keys: tuple[str, ...], path: str
) -> None:
    answer = send(sender, type_, Secrets(f"{receiver.url}/hook", keys))
    (request,) = receiver.requests
    assert request.path == path
    digest = hashlib.sha256(request.body).hexdigest()
    assert answer == ReceiverAnswer(status=202, head="accepted", digest=digest)
    if type_ == "webhook":
        verify([KEY], request.headers, request.body, int(NOW.timestamp()))
    assert "team-a-monthly" in request.body.decode()


MANNERS = [
    (Reply(500, b"boom"), 500, None, "it answered 500"),
    (Reply(429, b"", (("Retry-After", "30"),)), 429, 30.0, "it answered 429"),
    (Reply(410, b"gone"), 410, None, "it answered 410"),
    (Reply(307, b"", (("Location", "http://127.0.0.1/"),)), 307, None, "it answered 307, a redirect"),
    (Reply(200, b"half", manner="cut"), 200, None, None),
    (Reply(200, b"slow", manner="trickle"), 200, None, None),
    (Reply(manner="closed"), None, None, "it closed the connection without an answer"),
    (Reply(manner="silent"), None, None, "no answer within 0.5 s"),
]


@pytest.mark.parametrize("type_", ["webhook", "slack", "alertmanager", "pagerduty"])
def test_each_type_says_what_became_of_it_however_its_receiver_behaves(
    receiver: AlertReceiver, type_: ChannelType
) -> None:
    """One request each time: what is tried again is tried by the schedule."""
    sender = Sender(LOCAL, public_url=None, receivers=Receivers(LOCAL, timeout_s=0.5))
    for reply, status, retry_after_s, problem in MANNERS:
        receiver.requests.clear()
        receiver.answers(reply)
        answer = send(sender, type_, Secrets(receiver.url, () if type_ == "slack" else (KEY,)))
        assert (answer.status, answer.retry_after_s, answer.is_gone) == (status, retry_after_s, status == 410), reply
        assert answer.is_done == (problem is None)
        assert (answer.problem or "").startswith(problem or "")
        assert len(receiver.requests) == 1


def test_a_mail_server_that_says_nothing_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        sender = Sender(LOCAL, public_url=None, mail_servers=MailServers(LOCAL, timeout_s=0.3))
        address = f"smtp://127.0.0.1:{silent.getsockname()[1]}?from=rice@example.com&to=ops@example.com"
        assert send(sender, "email", Secrets(address)).problem == "no answer within 0.3 s"


def test_a_mail_arrives(sender: Sender) -> None:
    with mail_server() as server:
        address = f"smtp://127.0.0.1:{server.port}?from=rice@example.com&to=ops@example.com&tls=none"
        answer = send(sender, "email", Secrets(address))
        assert (answer.status, answer.is_done) == (250, True)
        assert server.mails[0].rcpt_tos == ["ops@example.com"]


def test_of_several_messages_none_follows_one_that_was_not_taken(receiver: AlertReceiver, sender: Sender) -> None:
    """And all of them are sent when it is tried again: the receiver knows those that it has."""
    secrets = Secrets(receiver.url, ("r0uting",))
    receiver.answers(Reply(202), Reply(429, b"slow down", (("Retry-After", "7"),)))
    events = [EVENT, BURN, changed(budget="other")]
    answer = send(sender, "pagerduty", secrets, "digest", *events)
    assert (answer.status, answer.retry_after_s, answer.is_done, len(receiver.requests)) == (429, 7.0, False, 2)
    receiver.answers(Reply(202))
    assert send(sender, "pagerduty", secrets, "digest", *events).is_done
    keys = [json.loads(request.body)["dedup_key"] for request in receiver.requests]
    assert len(keys) == 5
    assert keys[:2] == keys[2:4]


def test_a_receiver_that_repeats_a_secret_does_not_have_it_stored(receiver: AlertReceiver, sender: Sender) -> None:
    receiver.respond = lambda request: Reply(401, f"bad token {request.headers['authorization']}".encode())
    answer = send(sender, "alertmanager", Secrets(receiver.url, ("t0ken-of-mine",)))
    assert answer.head == "bad token Bearer •••"
    assert answer.problem == "it answered 401"


def test_what_cannot_be_sent_is_answered_like_everything_else(sender: Sender) -> None:
    assert send(sender, "webhook", Secrets("https://ops.example")).problem == (
        "secret: the channel has none, so nothing can be signed; give it one, or have one made"
    )
    answer = send(sender, "slack", Secrets("https://10.0.0.1/hook"))
    assert answer.problem == (
        "url: 10.0.0.1 is an internal address: to allow it, name 10.0.0.1:443 in RICE_ALERT_ALLOWED_HOSTS"
    )
