"""HTTP to receivers of alerts: what each manner of answering comes to, and which addresses are reached."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import trustme
from aiohttp.abc import AbstractResolver, ResolveResult

from rice_stream.channels.answers import ReceiverAnswer
from rice_stream.channels.definition import HttpMessage
from rice_stream.feeds.allowed_hosts import AllowedHosts
from rice_stream.feeds.receivers import Receivers
from tests.support.alert_receiver import AlertReceiver, Reply, alert_receiver

LOCAL = AllowedHosts.parse(["127.0.0.1"])
BODY = b'{"a": 1}'
TLS = ssl.create_default_context()


@pytest.fixture(scope="module")
def _receiver() -> Iterator[AlertReceiver]:
    with alert_receiver() as running:
        yield running


@pytest.fixture
def receiver(_receiver: AlertReceiver) -> AlertReceiver:
    _receiver.requests.clear()
    _receiver.answers(Reply())
    return _receiver


def post(url: str, allowed: AllowedHosts = LOCAL, *, timeout_s: float = 15.0, **options: object) -> ReceiverAnswer:
    """Send a message there."""
    receivers = Receivers(allowed, timeout_s=timeout_s, **{"tls": TLS, **options})  # type: ignore[arg-type]
    return asyncio.run(receivers.post(HttpMessage(url, BODY, {"Content-Type": "application/json", "x-own": "1"})))


def test_a_message_arrives_as_it_is_and_the_answer_says_so(receiver: AlertReceiver) -> None:
    assert post(f"{receiver.url}/hook?key=1") == ReceiverAnswer(status=200, head="ok")
    (request,) = receiver.requests
    assert (request.path, request.body, request.headers["x-own"]) == ("/hook?key=1", BODY, "1")
    assert request.headers["user-agent"] == "rice-stream"


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (Reply(204, b""), ReceiverAnswer(status=204, head="")),
        (Reply(500, b"boom"), ReceiverAnswer(status=500, head="boom", problem="it answered 500")),
        (Reply(410, b"gone"), ReceiverAnswer(status=410, head="gone", problem="it answered 410")),
        (
            Reply(302, b"", (("Location", "http://169.254.169.254/"),)),
            ReceiverAnswer(
                status=302,
                head="",
                problem="it answered 302, a redirect, which is not followed: set the address that it leads to",
            ),
        ),
        (Reply(200, b"par", manner="cut"), ReceiverAnswer(status=200, head="par")),
        (Reply(503, b"par", manner="cut"), ReceiverAnswer(status=503, head="par", problem="it answered 503")),
        (Reply(manner="closed"), ReceiverAnswer(problem="it closed the connection without an answer")),
        (Reply(manner="noise"), ReceiverAnswer(problem="what it answered is no HTTP")),
        (Reply(200, b"a\0b\n\x1b[1m"), ReceiverAnswer(status=200, head=r"a\x00b\n\x1b[1m")),
        (Reply(200, b"\xff" + b"x" * 5000), ReceiverAnswer(status=200, head="�" + "x" * 1023)),
        (
            Reply(200, b"\x1f\x8b" + b"z" * 8, (("Content-Encoding", "gzip"),)),
            ReceiverAnswer(status=200, head=r"\x1f�zzzzzzzz"),
        ),
    ],
)
def test_each_manner_of_answering_comes_to_this(receiver: AlertReceiver, reply: Reply, answer: ReceiverAnswer) -> None:
    """The status counts, also where the rest of the answer is cut; what is kept of it is short and can be stored and shown."""
    receiver.answers(reply)
    assert post(receiver.url) == answer
    assert len(receiver.requests) == 1


def test_a_receiver_that_says_nothing_is_given_up_and_one_that_never_ends_has_said_enough(
    receiver: AlertReceiver,
) -> None:
    receiver.answers(Reply(manner="silent"))
    assert post(receiver.url, timeout_s=0.2) == ReceiverAnswer(problem="no answer within 0.2 s")
    receiver.answers(Reply(200, b"so far", manner="trickle"))
    assert post(receiver.url, timeout_s=2) == ReceiverAnswer(status=200, head="so far")


@pytest.mark.parametrize(
    ("value", "least_s", "most_s"),
    [
        ("7", 7, 7),
        ("0", 0, 0),
        ("999999999999999999999", 86_400, 86_400),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0, 0),
    ],
)
def test_when_a_receiver_wants_to_be_asked_again_is_understood(
    receiver: AlertReceiver, value: str, least_s: float, most_s: float
) -> None:
    """Seconds or a date, never more than a day."""
    receiver.answers(Reply(429, b"", (("Retry-After", value),)))
    answer = post(receiver.url)
    assert answer.status == 429
    assert answer.retry_after_s is not None
    assert least_s <= answer.retry_after_s <= most_s


def test_a_receiver_may_say_a_date(receiver: AlertReceiver) -> None:
    in_an_hour = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    receiver.answers(Reply(429, b"", (("Retry-After", in_an_hour),)))
    answered_s = post(receiver.url).retry_after_s
    assert answered_s is not None
    assert 3_500 <= answered_s <= 3_600


@pytest.mark.parametrize("value", ["soon", "-3", "1.5", "²", ""])
def test_what_is_neither_seconds_nor_a_date_says_nothing(receiver: AlertReceiver, value: str) -> None:
    receiver.answers(Reply(503, b"", (("Retry-After", value),)) if value.isascii() else Reply(503, b""))
    assert post(receiver.url).retry_after_s is None


SPELLINGS = [
    "127.0.0.1",
    "localhost",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "2130706433",
    "017700000001",
    "127.1",
    "127.0.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "0.0.0.0",  # noqa: S104 - not listened at
    "[::]",
    "0",
    "localhost.",
    "①②⑦.⓪.⓪.①",
    "169.254.169.254",
    "0xa9fea9fe",
    "[fe80::1]",
    "10.0.0.1",
    "100.64.0.1",
    "224.0.0.1",
]


@pytest.mark.parametrize("host", SPELLINGS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_however_an_internal_address_is_spelled_nothing_is_sent_there(
    receiver: AlertReceiver, host: str, scheme: str
) -> None:
    """A receiver waits at the port, and hears nothing."""
    answer = post(f"{scheme}://{host}:{receiver.port}/", AllowedHosts(), timeout_s=5)
    assert answer.status is None
    assert answer.problem is not None
    assert receiver.requests == []


@pytest.mark.parametrize(
    "url",
    ["", "ftp://127.0.0.1/", "//127.0.0.1/", "http://", "http://u:p@127.0.0.1/", "http://[::1/", "http://127.0.0.1:x/"],
)
def test_what_is_no_address_of_a_receiver_is_not_asked(url: str) -> None:
    """And is not repeated: it may be a secret."""
    problem = post(url).problem or ""
    assert problem.startswith("url: ")
    assert "127.0.0.1" not in problem


class Rebinding(AbstractResolver):
    """A name that is public when it is looked up to be checked, and leads to this machine when it is connected to."""

    def __init__(self, *addresses: str) -> None:
        self.left = list(addresses)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        address = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        return [ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is open."""


def test_a_name_that_leads_elsewhere_at_the_moment_of_connection_gains_nothing(receiver: AlertReceiver) -> None:
    """There is one look-up, and what it gave is what is checked and connected to."""
    rebinding = Rebinding("127.0.0.1", "93.184.215.14")
    answer = post(f"https://rebind.example:{receiver.port}/", AllowedHosts(), resolver=rebinding)
    assert answer.problem == (
        f"url: 127.0.0.1 is an internal address: to allow it, name rebind.example:{receiver.port} in"
        " RICE_ALERT_ALLOWED_HOSTS"
    )
    assert (rebinding.asked, receiver.requests) == (1, [])
    allowed = AllowedHosts.parse([f"rebind.example:{receiver.port}"])
    assert post(f"http://rebind.example:{receiver.port}/", allowed, resolver=rebinding).status is None  # not this time
    assert post(f"http://rebind.example:{receiver.port}/", allowed, resolver=Rebinding("127.0.0.1")).is_done


def test_a_proxy_of_the_environment_is_not_used(receiver: AlertReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would decide what may be reached."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert post(receiver.url).is_done


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def test_certificates_are_checked(authority: trustme.CA) -> None:
    """By who signed them and whose they are."""
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    for names, done in (("127.0.0.1", True), ("other.example", False)):
        served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(names).configure_cert(served)
        with alert_receiver(served) as receiver:
            answer = post(receiver.url, tls=trusted)
            assert (answer.is_done, len(receiver.requests)) == (done, int(done))
            stranger = post(receiver.url)
            assert (stranger.problem or "").startswith("the receiver's certificate is not taken (")
            if not done:
                assert "not valid for '127.0.0.1'" in (answer.problem or "")


def test_a_receiver_that_is_not_there_is_said_to_be_away() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert post(f"http://127.0.0.1:{port}/").problem == "it could not be reached (Connection refused)"
    assert post("http://nowhere.invalid/", AllowedHosts()).problem == "its name leads nowhere"
