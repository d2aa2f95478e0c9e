"""Mails."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest

from rice_stream.channels.definition import Channel, Kind, Parcel, Secrets
from rice_stream.channels.letters import NOTICE_TYPE, STATEMENT_TYPE, Letter
from rice_stream.channels.messages.email import messages
from rice_stream.errors import UsageError
from tests.support.alert_events import BACK, BURN, EVENT, HOSTILE, OVER, WARNING, changed

NOW = datetime(2026, 11, 22, 19, 5, 7, tzinfo=UTC)
CHANNEL = Channel("ops", "email", "smtp://mail.example?from=rice@example.com")
SECRETS = Secrets("smtp://me@mail.example?from=rice@example.com&to=ops@example.com,cfo@example.org", ("pw",))

TEXT = """\
team-a-monthly of acme, team search: over its limit, 50.12 kgCO₂e of 50 kgCO₂e

The range of the estimate (31.0 to 81.0 kgCO₂e) holds 100 % of the limit: it may not have been reached yet.

Tenant:        acme
Team:          search
Used:          50.12 kgCO₂e of 50 kgCO₂e (100.2 %)
Range (80 %):  31.0 to 81.0 kgCO₂e
Period:        month from 1 Nov 2026, 00:00 to 1 Dec 2026, 00:00 (Europe/Berlin)
Since:         22 Nov 2026, 20:00 (Europe/Berlin)
Counted up to: 22 Nov 2026, 19:59 (Europe/Berlin)

The budget and its forecast: https://rice.example/budgets?name=team-a-monthly&tenant=acme
Where it comes from, by model: https://rice.example/explore?tenant=acme&by=model&from=2026-11-01&team=search

--\x20
Sent by rice_stream to the channel ops.
"""


def sent(kind: Kind, content: dict[str, Any], message_id: str = "msg_1") -> EmailMessage:
    """The mail as its reader's program reads it."""
    public_url = "https://rice.example"
    (message,) = messages(Parcel(message_id, kind, content), CHANNEL, SECRETS, public_url=public_url, now=NOW)
    assert (message.sender, message.recipients) == ("rice@example.com", ("ops@example.com", "cfo@example.org"))
    assert message.message.isascii()
    assert b"\n" not in message.message.replace(b"\r\n", b"")
    assert max(map(len, message.message.split(b"\r\n"))) <= 998
    mail = message_from_bytes(message.message, policy=default)
    assert not mail.defects
    return mail


def part(mail: EmailMessage, kind: str) -> str:
    """The text of one of the two forms."""
    body = mail.get_body((kind,))
    assert body is not None
    text: str = body.get_content()
    return text.replace("\r\n", "\n")


def test_an_alert_is_this_mail() -> None:
    mail = sent("alert", {"alerts": [EVENT]})
    assert {
        name: str(value) for name, value in mail.items() if name not in ("Content-Type", "References", "In-Reply-To")
    } == {
        "Subject": "Critical: team-a-monthly of acme, team search: over its limit, 50.12 kgCO₂e of 50 kgCO₂e",
        "From": "rice_stream <rice@example.com>",
        "To": "ops@example.com, cfo@example.org",
        "Date": "Sun, 22 Nov 2026 19:05:07 +0000",
        "Message-ID": "<msg_1@example.com>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "MIME-Version": "1.0",
    }
    assert part(mail, "plain") == TEXT
    html = part(mail, "html")
    assert "<h1" in html
    assert (
        '<a href="https://rice.example/budgets?name=team-a-monthly&amp;tenant=acme">The budget and its forecast</a>'
        in html
    )


def test_the_same_parcel_is_the_same_mail() -> None:
    """Whenever it is tried, so that what was sent can be told by its digest."""
    parcel = Parcel("msg_1", "alert", {"alerts": [EVENT]})
    once, again = (messages(parcel, CHANNEL, SECRETS, public_url=None, now=NOW)[0].message for _ in range(2))
    assert once == again


def test_all_mails_about_a_budget_and_period_are_one_thread() -> None:
    alerts = [sent("alert", {"alerts": [event]}, event["id"]) for event in (WARNING, EVENT, BACK, BURN, OVER)]
    threads = {mail["References"] for mail in [*alerts, sent("reminder", {"alerts": [EVENT]})]}
    assert len(threads) == 1
    assert threads == {mail["In-Reply-To"] for mail in alerts}
    assert len({mail["Message-ID"] for mail in alerts}) == 5
    other = sent("alert", {"alerts": [changed(period_start="2026-11-30T23:00:00Z")]})
    assert other["References"] not in threads


@pytest.mark.parametrize(
    ("kind", "event", "subject"),
    [
        ("alert", WARNING, "Warning: team-a-monthly of acme, team search: 80 % of its limit reached"),
        ("alert", BACK, "Resolved: team-a-monthly of acme, team search: back below 100 %"),
        ("reminder", EVENT, "Critical: Reminder: team-a-monthly"),
        ("test", changed(test=True), "Critical: [Test] team-a-monthly"),
        ("digest", EVENT, "Critical: After quiet hours: 1 alert still holds"),
    ],
)
def test_the_subject_says_what_it_is(kind: Kind, event: dict[str, Any], subject: str) -> None:
    assert str(sent(kind, {"alerts": [event]})["Subject"]).startswith(subject)


def test_no_name_reaches_into_the_headers_or_the_page() -> None:
    """Line breaks and tags of whoever chose the names."""
    mail = sent("alert", {"alerts": [HOSTILE]})
    assert mail["Bcc"] is None
    assert sorted(set(mail.keys())) == sorted(set(sent("alert", {"alerts": [EVENT]}).keys()))
    assert len(str(mail["Subject"])) <= 200
    html = part(mail, "html")
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "\u202e" not in html + part(mail, "plain")


def test_a_statement_has_its_table_and_a_notice_its_thread() -> None:
    statement = Letter(
        event_type=STATEMENT_TYPE,
        title="search: 12.1 kgCO₂e in November 2026",
        time="2026-12-01T00:00:00Z",
        columns=("Model", "kgCO₂e"),
        rows=(("llama-3-70b", "10.1"), ("<b>gpt", "2")),
        path="/explore",
    )
    mail = sent("statement", statement.content())
    assert "Model        kgCO₂e\nllama-3-70b    10.1\n<b>gpt            2\n" in part(mail, "plain")
    assert "See it in the dashboard: https://rice.example/explore" in part(mail, "plain")
    assert '<td style="padding:2px 12px 2px 0;vertical-align:top;text-align:left">&lt;b&gt;gpt</td>' in part(
        mail, "html"
    )
    assert mail["References"] is None
    notice = Letter(event_type=NOTICE_TYPE, title="Channel ops fails", time="2026-12-01T00:00:00Z", key="channel:ops")
    fails = sent("notice", notice.content())
    works = sent("notice", notice.content() | {"is_over": True})
    assert fails["References"] == works["References"] is not None
    assert str(works["Subject"]) == "Resolved: Channel ops fails"


def test_without_an_address_nothing_is_sent() -> None:
    with pytest.raises(UsageError, match=r"^url: "):
        messages(Parcel("msg_1", "alert", {"alerts": [EVENT]}), CHANNEL, Secrets(), public_url=None, now=NOW)
