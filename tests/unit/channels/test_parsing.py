"""Channels from fields: every problem is named with its field and what to do, and no secret is repeated."""

from datetime import time
from typing import Any

import pytest

from rice_stream.channels.definition import QuietHours
from rice_stream.channels.parsing import channel_fields, parse_channel
from rice_stream.errors import UsageError
from tests.unit.channels.test_keys import HMAC

HOOK: dict[str, Any] = {"name": "ops", "type": "webhook", "url": "https://example.com/hook"}


def test_a_channel_with_nothing_but_its_address_takes_every_alert_at_any_time() -> None:
    asked = parse_channel(HOOK)
    assert channel_fields(asked.channel) == {
        "name": "ops",
        "type": "webhook",
        "tenants": "*",
        "budgets": [],
        "min_severity": "info",
        "quiet_hours": None,
        "remind_every_s": None,
        "statements": False,
    }
    assert asked.channel.target == asked.secrets.address == "https://example.com/hook"
    assert asked.secrets.keys == ()


def test_every_field_is_read() -> None:
    """As YAML, JSON and the command line give them; YAML takes 22:00 for a number to the base of 60."""
    asked = parse_channel(
        {
            **HOOK,
            "tenants": ["b", "a"],
            "budgets": ["month"],
            "min_severity": "warning",
            "quiet_hours": {"start": 22 * 60, "end": "07:30", "time_zone": "Europe/Berlin", "breaks_through": "never"},
            "remind_every": "4h",
            "statements": True,
            "secrets": [HMAC],
        }
    )
    channel = asked.channel
    assert (channel.tenants, channel.budgets) == (frozenset({"a", "b"}), frozenset({"month"}))
    assert channel.quiet_hours == QuietHours(time(22), time(7, 30), "Europe/Berlin", None)
    assert (channel.remind_every_s, channel.statements, asked.secrets.keys) == (14_400, True, (HMAC,))
    assert HMAC not in repr(asked)


def test_the_address_of_slack_may_be_given_as_its_secret() -> None:
    """It is one, so it may come from a variable as the secrets of others do."""
    asked = parse_channel({"name": "s", "type": "slack", "secret": "https://hooks.slack.com/services/T/B/x"})
    assert asked.secrets.address == "https://hooks.slack.com/services/T/B/x"
    assert (asked.secrets.keys, asked.channel.target) == ((), "https://hooks.slack.com")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"name": None}, "name: is missing"),
        ({"name": "a/b"}, "name: must be printable"),
        ({"name": "kafka"}, "name: kafka is the channel that is always there"),
        ({"type": None}, "type: is missing; it is one of webhook, slack"),
        ({"type": "teams"}, "type: 'teams' is no type of channel; choose one of"),
        ({"type": ["webhook"]}, "type: ['webhook'] is no type"),
        ({"urls": "https://hunter2"}, "urls: is no field of a channel; did you mean url?"),
        ({"url": "hunter2"}, "url: must be https://HOST"),
        ({"secret": "hunter2"}, "secret: must be whsec_"),
        ({"secret": HMAC, "secrets": [HMAC]}, "give one of them"),
        ({"secrets": "hunter2"}, "secrets: must be a list"),
        ({"new_secret": True, "secret": HMAC}, "new_secret: is for webhooks"),
        ({"new_secret": "yes"}, "new_secret: must be true or false"),
        ({"tenants": []}, "tenants: must name a tenant, or be *"),
        ({"tenants": "acme"}, "tenants: must be a list of names, got 'acme'"),
        ({"tenants": ["*", "acme"]}, "tenants: * is every tenant"),
        ({"tenants": [5]}, "tenants: each must be a text, got 5"),
        ({"tenants": ["a"] * 1001}, "tenants: must be at most 1000"),
        ({"budgets": ["a/b"]}, "budgets: each must be printable"),
        ({"min_severity": "high"}, "min_severity: must be one of info, warning, critical, got 'high'"),
        ({"min_severity": ["info"]}, "min_severity: must be one of"),
        ({"quiet_hours": "22:00-07:00"}, "quiet_hours: must have start and end"),
        ({"quiet_hours": {"start": "22:00"}}, "quiet_hours.end: is missing"),
        ({"quiet_hours": {"start": "24:00", "end": "07:00"}}, "quiet_hours.start: must be a time such as 22:00"),
        ({"quiet_hours": {"start": "07:00", "end": "07:00"}}, "quiet_hours.end: is the start"),
        ({"quiet_hours": {"start": "1:00", "end": True}}, "quiet_hours.end: must be a time such as 22:00, got True"),
        ({"quiet_hours": {"start": "22:00", "end": "07:00", "zone": "UTC"}}, "quiet_hours.zone: is no field of quiet"),
        (
            {"quiet_hours": {"start": "22:00", "end": "07:00", "time_zone": "Mars/Olympus"}},
            "quiet_hours.time_zone: 'Mars/Olympus' is no IANA time zone",
        ),
        (
            {"quiet_hours": {"start": "22:00", "end": "07:00", "breaks_through": "x"}},
            "quiet_hours.breaks_through: must",
        ),
        ({"remind_every": "often"}, "remind_every: must be a time such as 30m"),
        ({"remind_every": "5s"}, "from 30 seconds to 31 days"),
        ({"remind_every_s": 4.5}, "remind_every_s: must be a whole number of seconds"),
        ({"remind_every": "4h", "remind_every_s": 5}, "give one of them"),
        ({"statements": "yes"}, "statements: must be true or false"),
        ({"type": "pagerduty", "statements": True}, "statements: a channel of the type pagerduty takes alerts only"),
    ],
)
def test_bad_fields_are_named_and_no_secret_is_repeated(more: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_channel({**HOOK, **more})
    assert said in str(error.value)
    assert "hunter2" not in str(error.value)


def test_all_problems_are_listed_at_once() -> None:
    with pytest.raises(UsageError, match=r"^channel 'ops': type: .*; min_severity: .*"):
        parse_channel({"name": "ops", "min_severity": "high"})
