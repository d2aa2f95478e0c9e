"""`rice-stream channel` and `rice-stream delivery`: what is answered, what is shown once, and the codes they end with."""

import base64
import threading
from typing import Any

import pytest

from rice_stream.reports.channels import channels
from rice_stream.store.delivery_claims import DeliveryOutcome, claim, finish
from rice_stream.store.engine import open_engine, writing
from rice_stream.store.scope import EVERYTHING
from tests.support.cli_running import Shell
from tests.support.reports_store import NOON
from tests.support.waiting import wait_until

KEY = base64.b64encode(b"k" * 32).decode()
HOOK = ("--type=webhook", "--url=https://example.com/hook")
SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
FILE = """
channels:
  - {name: ops, type: webhook, url: "https://example.com/hook", secret_env: HOOK_SECRET, quiet_hours: {start: 22:00, end: 07:00}}
  - {name: mail, type: email, url: "smtp://m.example.com?from=a@example.com&to=b@example.com", tenants: [acme]}
"""


@pytest.fixture
def own(ledger: Shell) -> Shell:
    """A ledger whose secrets can be kept."""
    ledger.environment["RICE_SECRETS_KEY"] = KEY
    return ledger


def named(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """By name."""
    return {row["name"]: row for row in rows}


def test_a_channel_is_set_listed_and_removed(own: Shell) -> None:
    """`kafka` is always in the list; a key that was made is shown once, alone on stdout's last line for people."""
    made = own.json("channel", "set", "ops", *HOOK, "--tenant=acme", "--min-severity=warning")["channels"]
    assert (made[0]["name"], made[0]["type"], made[0]["state"]) == ("ops", "webhook", "ok")
    assert made[0]["secret"].startswith("whsec_")
    listed = own.json("channel", "list")["channels"]
    assert {name: value for name, value in made[0].items() if name != "secret"} == listed[1]
    assert listed[0]["name"] == "kafka"
    for_people = own.run("channel", "set", "ops", "--type=webhook", "--new-secret")
    assert for_people.stdout.splitlines()[-1].startswith("whsec_")
    assert "not shown again" in for_people.stderr
    assert own.json("channel", "remove", "ops")["channels"][0]["name"] == "ops"
    assert [row["name"] for row in own.json("channel", "list")["channels"]] == ["kafka"]
    assert own.run("channel", "remove", "ops").exit_code == 2


def test_every_option_is_a_field_of_the_channel(own: Shell) -> None:
    options = [
        *("--tenant=acme", "--tenant=globex", "--budget=month", "--min-severity=warning", "--quiet-hours=22:00-07:00"),
        *("--time-zone=Europe/Berlin", "--breaks-through=never", "--remind-every=4h", "--statements"),
    ]
    row = own.json("channel", "set", "s", "--type=slack", "--secret-env=U", *options, U="https://hooks.slack.com/x")[
        "channels"
    ][0]
    assert (
        row
        | {
            "target": "https://hooks.slack.com",
            "tenants": ["acme", "globex"],
            "budgets": ["month"],
            "min_severity": "warning",
            "quiet_hours": {"start": "22:00", "end": "07:00", "time_zone": "Europe/Berlin", "breaks_through": None},
            "remind_every_s": 14_400,
            "statements": True,
        }
        == row
    )


WRONG = (
    (("ops", "--type=webhook"), "url: is missing"),
    (("ops", *HOOK, "--secret-env=NOWHERE"), "secret_env: NOWHERE is not set"),
    (("ops", *HOOK, "--url-env=U"), "--url, --url-env: give one of them"),
    (("ops", *HOOK, "--time-zone=UTC"), "--time-zone: needs --quiet-hours"),
    (("ops", *HOOK, "--quiet-hours=22:00"), "quiet_hours.end: must be a time"),
    (("ops", *HOOK, "--remind-every=now"), "remind_every: must be a time"),
    (("kafka", *HOOK), "name: kafka is the channel that is always there"),
    (("ops", "--type=pagerduty"), "secret: is missing"),
)


def test_wrong_use_ends_with_2_and_changes_nothing(own: Shell) -> None:
    for arguments, said in WRONG:
        result = own.run("channel", "set", *arguments)
        assert (result.exit_code, result.stdout) == (2, ""), arguments
        assert said in result.stderr
    assert len(own.json("channel", "list")["channels"]) == 1


def test_without_a_key_nothing_secret_is_stored(ledger: Shell) -> None:
    """The message says how to make one."""
    result = ledger.run("channel", "set", "ops", *HOOK)
    assert result.exit_code == 2
    assert "RICE_SECRETS_KEY" in result.stderr
    assert "openssl rand -base64 32" in result.stderr


def test_a_file_sets_all_of_its_channels_or_none(own: Shell) -> None:
    """Its secrets come from the environment; others than it names stay."""
    path = own.directory / "channels.yaml"
    path.write_text(FILE)
    own.run("channel", "set", "other", *HOOK)
    missing = own.run("channel", "apply", str(path))
    assert missing.exit_code == 2
    assert "channels[0].secret_env: HOOK_SECRET is not set" in missing.stderr
    assert set(named(own.json("channel", "list")["channels"])) == {"kafka", "other"}
    applied = own.json("channel", "apply", str(path), HOOK_SECRET=SECRET)["channels"]
    assert [row["name"] for row in applied] == ["mail", "ops"]
    assert named(applied)["ops"]["quiet_hours"]["start"] == "22:00"
    assert set(named(own.json("channel", "list")["channels"])) == {"kafka", "mail", "ops", "other"}
    entries = len(own.json("audit", "list")["rows"])
    own.json("channel", "apply", str(path), HOOK_SECRET=SECRET)
    assert len(own.json("audit", "list")["rows"]) == entries
    path.write_text(f"channels: [{SECRET}: [")
    broken = own.run("channel", "apply", str(path))
    assert broken.exit_code == 2
    assert "is not YAML: see line 1" in broken.stderr
    assert SECRET not in broken.stderr


def test_a_trial_says_that_no_server_took_it(own: Shell) -> None:
    """Exit code 1: it has not arrived."""
    own.run("channel", "set", "ops", *HOOK)
    document = own.json("channel", "test", "ops", "--wait=0", code=1)
    assert document["delivery"]["state"] == "due"
    assert "No server has taken it" in document["answer"]
    assert (document["channels"][0]["name"], document["channels"][0]["state"]) == ("ops", "ok")
    assert own.run("channel", "test", "kafka").exit_code == 2


@pytest.mark.parametrize(
    ("outcome", "code", "said"),
    [
        ({"state": "done", "answered_status": 204}, 0, "It is delivered (answered 204)."),
        (
            {"state": "failed", "next_at_us": 4_000_000_000_000_000, "answered_status": 500, "problem": "it failed"},
            1,
            "It is not delivered (answered 500): it failed. It is tried again at 2096-",
        ),
    ],
)
def test_a_trial_says_what_became_of_it_where_a_server_runs(
    own: Shell, outcome: dict[str, Any], code: int, said: str
) -> None:
    """Here a server that answers as the receiver would."""
    own.run("channel", "set", "ops", *HOOK)
    engine = open_engine(str(own.environment["RICE_DATABASE_URL"]))
    channel_id = named(channels(engine, EVERYTHING, NOON))["ops"]["id"]

    def serve() -> None:
        def taken() -> bool:
            with writing(engine) as connection:
                found = claim(connection, "server", channel_id, limit=1, lease_s=60)
                finish(connection, "server", [DeliveryOutcome(each.id, **outcome) for each in found])
            return bool(found)

        wait_until(taken, 20, "a trial")

    server = threading.Thread(target=serve)
    server.start()
    document = own.json("channel", "test", "ops", "--wait=10", code=code)
    server.join()
    engine.dispose()
    assert said in document["answer"]
    assert document["delivery"]["attempts"] == 1


def test_deliveries_are_listed_and_sent_again(own: Shell) -> None:
    """Single ones, whatever became of them, or all that have not arrived since a time."""
    own.run("channel", "set", "ops", *HOOK)
    first, second = (own.json("channel", "test", "ops", "--wait=0", code=1)["delivery"]["id"] for _ in range(2))
    engine = open_engine(str(own.environment["RICE_DATABASE_URL"]))
    channel_id = named(channels(engine, EVERYTHING, NOON))["ops"]["id"]
    with writing(engine) as connection:
        taken = claim(connection, "server", channel_id, limit=5, lease_s=60)
        ended: list[Any] = ["done", "dead"]
        outcomes = [DeliveryOutcome(each.id, state) for each, state in zip(taken, ended, strict=True)]
        finish(connection, "server", outcomes)
    engine.dispose()
    rows = own.json("delivery", "list")["deliveries"]
    assert [(row["id"], row["state"], row["channel"]) for row in rows] == [
        (second, "dead", "ops"),
        (first, "done", "ops"),
    ]
    assert {"id", "alert_id", "channel", "state", "attempts", "next_at", "answered_status"} <= set(rows[0])
    assert [row["id"] for row in own.json("delivery", "list", "--state=dead", "--channel=ops")["deliveries"]] == [
        second
    ]
    assert own.json("delivery", "list", "--since=2100-01-01")["deliveries"] == []
    again = own.json("delivery", "resend", "--since=2020-01-01")
    assert (again["resent"], again["left"], [row["state"] for row in again["deliveries"]]) == (1, 0, ["due"])
    assert own.json("delivery", "resend", str(first))["deliveries"][0]["state"] == "due"
    for wrong in (["999"], [], ["1", "--since=2020-01-01"], ["1", "--channel=ops"], ["--since=yesterday"]):
        assert own.run("delivery", "resend", *wrong).exit_code == 2, wrong
