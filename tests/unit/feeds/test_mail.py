"""Mail handed in at a real SMTP server."""

import asyncio
import ssl
from collections.abc import Callable
from email import message_from_bytes
from email.policy import default

import pytest
import trustme

from rice_stream.channels.answers import ReceiverAnswer
from rice_stream.channels.definition import MailMessage, Secrets
from rice_stream.feeds.allowed_hosts import AllowedHosts
from rice_stream.feeds.mail import MailServers
from tests.support.mail_server import MailServer, mail_server

LOCAL = AllowedHosts.parse(["127.0.0.1"])
WRITTEN = b"Subject: hello\r\nFrom: rice@example.com\r\n\r\n.a dot at its beginning\r\n"
MAIL = MailMessage("rice@example.com", ("ops@example.com", "cfo@example.com"), WRITTEN)
Send = Callable[..., ReceiverAnswer]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trusted(authority: trustme.CA) -> ssl.SSLContext:
    """Of a client that knows the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="module")
def certificate(authority: trustme.CA) -> ssl.SSLContext:
    """Of a server at this address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def send(trusted: ssl.SSLContext) -> Send:
    def sent(
        server: MailServer,
        *,
        scheme: str = "smtp",
        user: str = "",
        password: str | None = None,
        options: str = "",
        host: str = "127.0.0.1",
        allowed: AllowedHosts = LOCAL,
        tls: ssl.SSLContext = trusted,
    ) -> ReceiverAnswer:
        address = f"{scheme}://{user}{host}:{server.port}?from=rice@example.com&to=ops@example.com{options}"
        secrets = Secrets(address, () if password is None else (password,))
        return asyncio.run(MailServers(allowed, timeout_s=10, tls=tls).send(MAIL, secrets))

    return sent


def test_a_mail_arrives_over_starttls_as_it_was_written(send: Send, certificate: ssl.SSLContext) -> None:
    with mail_server(certificate, account=("me@example.com", "geheim")) as server:
        answer = send(server, user="me%40example.com@", password="geheim")
        assert answer == ReceiverAnswer(status=250, head="2.0.0 taken")
        (mail,) = server.mails
        assert (mail.mail_from, mail.rcpt_tos) == ("rice@example.com", ["ops@example.com", "cfo@example.com"])
        assert mail.content == WRITTEN
        assert message_from_bytes(WRITTEN, policy=default)["Subject"] == "hello"
        assert (server.encrypted, server.users) == ([True], ["me@example.com"])
        wrong = send(server, user="me%40example.com@", password="falsch")
        assert (wrong.status, wrong.problem) == (535, "the mail server answered 535")
        assert len(server.mails) == 1


def test_a_connection_may_begin_with_tls(send: Send, certificate: ssl.SSLContext) -> None:
    with mail_server(certificate, implicit=True) as server:
        assert send(server, scheme="smtps") == ReceiverAnswer(status=250, head="2.0.0 taken")
        assert len(server.mails) == 1


def test_nothing_is_sent_in_the_clear_unless_the_address_and_the_operator_say_so(
    send: Send, authority: trustme.CA
) -> None:
    with mail_server() as server:
        refused = send(server)
        assert refused.problem is not None
        assert "STARTTLS" in refused.problem
        assert server.mails == []
        assert send(server, options="&tls=none").is_done
        assert server.encrypted == [False]


@pytest.mark.parametrize("host", ["localhost", "0x7f000001", "2130706433", "127.1", "[::ffff:127.0.0.1]"])
def test_an_internal_server_is_reached_only_where_the_operator_allows_it(
    send: Send, certificate: ssl.SSLContext, host: str
) -> None:
    with mail_server(certificate) as server:
        answer = send(server, host=host, allowed=AllowedHosts())
        assert answer.problem is not None
        assert answer.status is None
        assert server.mails == []


def test_certificates_are_checked(send: Send, authority: trustme.CA, certificate: ssl.SSLContext) -> None:
    """By who signed them and whose they are."""
    others = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.example").configure_cert(others)
    stranger = ssl.create_default_context()
    with mail_server(certificate) as server, mail_server(others) as other:
        for answer in (send(server, tls=stranger), send(other)):
            assert (answer.problem or "").startswith("the mail server's certificate is not taken (")
        assert server.mails == other.mails == []


def test_recipients_that_will_never_be_taken_are_named_and_the_others_get_the_mail(
    send: Send, certificate: ssl.SSLContext
) -> None:
    with mail_server(certificate) as server:
        server.refusals = {"ops@example.com": "550 5.1.1 left"}
        answer = send(server)
        assert answer == ReceiverAnswer(status=250, head="2.0.0 taken; not for ops@example.com (550 5.1.1 left)")
        assert server.mails[0].rcpt_tos == ["cfo@example.com"]


def test_where_a_recipient_may_be_taken_later_nobody_gets_the_mail_yet(send: Send, certificate: ssl.SSLContext) -> None:
    """Otherwise those who are taken would get it with each try."""
    with mail_server(certificate) as server:
        server.refusals = {"ops@example.com": "450 4.2.0 greylisted"}
        answer = send(server)
        assert (answer.status, answer.head, answer.is_done) == (450, "4.2.0 greylisted", False)
        server.refusals = dict.fromkeys(MAIL.recipients, "550 5.1.1 nobody")
        assert send(server).status == 550
        server.refusals = {}
        server.to_data = "452 4.3.1 full"
        assert (send(server).status, server.mails) == (452, [])


def test_a_server_that_is_not_there_is_said_to_be_away(send: Send) -> None:
    with mail_server() as server:
        gone = server.port
    away = MailServer(port=gone)
    assert send(away).problem == "the mail server could not be reached (Connection refused)"
    assert send(away, host="nowhere.invalid").problem == "the name of the mail server leads nowhere"
