"""What Slack gets."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from rice_stream.channels.definition import Channel, Kind, Parcel, Secrets
from rice_stream.channels.letters import STATEMENT_TYPE, Letter
from rice_stream.channels.messages.slack import messages
from rice_stream.errors import UsageError
from tests.support.alert_events import BACK, EVENT, HOSTILE, WARNING, changed

NOW = datetime(2026, 11, 22, 19, 5, tzinfo=UTC)
CHANNEL = Channel("ops", "slack", "https://hooks.slack.com")
SECRETS = Secrets("https://hooks.slack.com/services/T0/B0/x")
PUBLIC_URL = "https://rice.example"


def sent(kind: Kind, content: dict[str, Any], public_url: str | None = PUBLIC_URL) -> dict[str, Any]:
    """The body as JSON, within Slack's limits."""
    (message,) = messages(Parcel("msg_1", kind, content), CHANNEL, SECRETS, public_url=public_url, now=NOW)
    assert message.url == SECRETS.address
    body: dict[str, Any] = json.loads(message.body)
    assert len(body["blocks"]) <= 50
    for block in body["blocks"]:
        assert len(block.get("text", {}).get("text", "")) <= (150 if block["type"] == "header" else 3000)
        assert len(block.get("fields", ())) <= 10
        assert all(len(field["text"]) <= 2000 for field in block.get("fields", ()))
    return body


def texts(body: dict[str, Any]) -> list[str]:
    """Of the blocks, in their order."""
    found = []
    for block in body["blocks"]:
        found += [block["text"]["text"]] if "text" in block else [field["text"] for field in block["fields"]]
    return found


def test_an_alert_is_these_blocks() -> None:
    title = "\N{LARGE RED CIRCLE} team-a-monthly of acme, team search: over its limit, 50.12 kgCO₂e of 50 kgCO₂e"

    def section(text: str) -> dict[str, Any]:
        return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}

    fields = [
        "*Tenant*\nacme",
        "*Team*\nsearch",
        "*Used*\n50.12 kgCO₂e of 50 kgCO₂e (100.2 %)",
        "*Range (80 %)*\n31.0 to 81.0 kgCO₂e",
        "*Period*\nmonth from 1 Nov 2026, 00:00 to 1 Dec 2026, 00:00 (Europe/Berlin)",
        "*Since*\n22 Nov 2026, 20:00 (Europe/Berlin)",
        "*Counted up to*\n22 Nov 2026, 19:59 (Europe/Berlin)",
    ]
    assert sent("alert", {"alerts": [EVENT]}) == {
        "text": title,
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": True}},
            section(
                "The range of the estimate (31.0 to 81.0 kgCO₂e) holds 100 % of the limit: it may not have been reached yet."
            ),
            {"type": "section", "fields": [{"type": "mrkdwn", "text": text, "verbatim": True} for text in fields]},
            section(
                "<https://rice.example/budgets?name=team-a-monthly&amp;tenant=acme|The budget and its forecast> · "
                "<https://rice.example/explore?tenant=acme&amp;by=model&amp;from=2026-11-01&amp;team=search"
                "|Where it comes from, by model>"
            ),
        ],
    }


def test_without_a_dashboard_nothing_is_linked_and_a_command_is_named() -> None:
    said = texts(sent("alert", {"alerts": [EVENT]}, None))
    assert not [text for text in said if "http" in text]
    assert said[-1].startswith("*Where it comes from*\nrice-stream totals --tenant acme --team search --by model")


@pytest.mark.parametrize(
    ("kind", "event", "title"),
    [
        ("alert", WARNING, "\N{LARGE ORANGE CIRCLE} team-a-monthly"),
        ("alert", BACK, "\N{WHITE HEAVY CHECK MARK} team-a-monthly of acme, team search: back below 100 %"),
        ("reminder", EVENT, "\N{LARGE RED CIRCLE} Reminder: team-a-monthly"),
        ("test", changed(test=True), "\N{LARGE RED CIRCLE} [Test] team-a-monthly"),
    ],
)
def test_what_it_is_is_seen_at_its_beginning(kind: Kind, event: dict[str, Any], title: str) -> None:
    body = sent(kind, {"alerts": [event]})
    assert body["text"].startswith(title)
    assert ("This is a test of the channel" in texts(body)[1]) == (kind == "test")


def test_names_are_no_mentions_links_or_entities() -> None:
    said = [*texts(sent("alert", {"alerts": [HOSTILE]})), sent("alert", {"alerts": [HOSTILE]})["text"]]
    header, rest = said[0], said[1:]
    assert "<!channel>" in header  # plain text is shown as it is
    assert not [text for text in rest if "<!channel>" in text or "<https://evil" in text or "<script" in text]
    assert "*Tenant*\n&lt;!channel&gt;&amp;\\r\\nBcc: evil@example.com" in rest


def test_a_digest_has_what_still_holds_with_its_figures_and_a_line_for_what_is_over() -> None:
    said = texts(sent("digest", {"alerts": [EVENT, WARNING, BACK]}))
    assert said[0] == "\N{LARGE RED CIRCLE} After quiet hours: 2 alerts still hold, 1 resolved"
    assert said[1].startswith("*team-a-monthly of acme, team search: over its limit")
    assert "*Resolved meanwhile*\nteam-a-monthly of acme, team search: back below 100 % of 50 kgCO₂e" in said
    assert said[-1] == "<https://rice.example/budgets|All budgets>"
    assert texts(sent("digest", {"alerts": [BACK]}))[0] == "\N{WHITE HEAVY CHECK MARK} After quiet hours: 1 resolved"
    long = texts(sent("digest", {"alerts": [changed(sequence=number) for number in range(200)]}))
    assert long[1] == "180 more hold; the dashboard has all of them."
    assert long[-1] == "There is more than Slack takes; the dashboard has all of it."


def test_a_statement_has_its_table_in_columns() -> None:
    letter = Letter(
        event_type=STATEMENT_TYPE,
        title="search: 12.1 kgCO₂e in November 2026",
        time="2026-12-01T00:00:00Z",
        lines=("A sentence & more.",),
        facts=(("Range (80 %)", "9 to 15 kgCO₂e"),),
        columns=("Model", "kgCO₂e"),
        rows=(("llama-3-70b", "10.1"), ("<b>" + "x" * 60, "2")),
        path="/explore",
    )
    said = texts(sent("statement", letter.content()))
    assert said[0].endswith("search: 12.1 kgCO₂e in November 2026")
    assert said[1:3] == ["A sentence &amp; more.", "*Range (80 %)*\n9 to 15 kgCO₂e"]
    assert said[3] == (f"```Model{' ' * 37}kgCO₂e\nllama-3-70b{' ' * 33}10.1\n&lt;b&gt;{'x' * 36}…       2```")
    assert said[4] == "<https://rice.example/explore|See it in the dashboard>"


def test_without_an_address_nothing_is_sent() -> None:
    with pytest.raises(UsageError, match=r"^url: "):
        messages(Parcel("msg_1", "alert", {"alerts": [EVENT]}), CHANNEL, Secrets(), public_url=None, now=NOW)
