"""Setting, removing and trying channels: who may, what stays, what becomes of secrets, and that all of it is in the audit trail."""

import json
from typing import Any

import pytest
from sqlalchemy import Engine, select

from rice_stream.alerting.channels import (
    ChannelConflictError,
    SetChannel,
    named_channel,
    remove_channel,
    resend,
    send_trial,
    set_channel,
    set_channels,
)
from rice_stream.channels.definition import Secrets
from rice_stream.channels.parsing import parse_channel
from rice_stream.errors import NotFoundError, UsageError
from rice_stream.reports.audit import audit_entries
from rice_stream.reports.deliveries import named_delivery
from rice_stream.store import schema
from rice_stream.store.channel_health import disable
from rice_stream.store.engine import reading, writing
from rice_stream.store.scope import EVERYTHING, Scope
from tests.support.fakes import OPERATOR
from tests.support.plain_box import PlainBox
from tests.support.reports_store import NOON

ACME, BETA = Scope(frozenset({"acme"})), Scope(frozenset({"beta"}))
BOX = PlainBox()
FIRST, SECOND = ("whsec_" + letter * 43 + "=" for letter in "AB")
HOOK: dict[str, Any] = {"name": "ops", "type": "webhook", "url": "https://example.com/hook"}
SLACK: dict[str, Any] = {"name": "slack", "type": "slack", "url": "https://hooks.slack.com/services/T/B/hunter2"}
PAGER: dict[str, Any] = {"name": "pager", "type": "pagerduty", "secret": "hunter2"}
MAIL: dict[str, Any] = {
    "name": "mail",
    "type": "email",
    "url": "smtp://mail.example.com?from=a@example.com&to=b@example.com",
}


def put(
    engine: Engine, fields: dict[str, Any], scope: Scope = EVERYTHING, box: PlainBox = BOX, **more: Any
) -> SetChannel:
    """Set the channel of these fields."""
    return set_channel(engine, scope, box, parse_channel({**fields, **more}), OPERATOR)


def secrets_of(engine: Engine, name: str) -> Secrets:
    """What only the sender may know."""
    stored = named_channel(engine, EVERYTHING, name)
    return Secrets() if stored.sealed is None else BOX.open(name, stored.sealed)


def test_a_webhook_without_a_secret_gets_one_that_is_shown_once(engine: Engine) -> None:
    """Set again as it is, nothing happens, and the secret stays."""
    made = put(engine, HOOK)
    assert made.new_key is not None
    assert made.new_key.startswith("whsec_")
    again = put(engine, HOOK)
    assert (again.new_key, again.stored) == (None, made.stored)
    assert put(engine, {**HOOK, "url": None}).stored == made.stored
    assert secrets_of(engine, "ops") == Secrets(HOOK["url"], (made.new_key,))
    assert made.new_key not in repr(made)
    assert len(audit_entries(engine, EVERYTHING)["rows"]) == 1


def test_address_and_secrets_stay_where_none_are_given_and_all_else_is_as_it_is_said(engine: Engine) -> None:
    """So that who does not know them can change the rest; RICE_SECRETS_KEY is not needed for that."""
    put(engine, SLACK, min_severity="critical", tenants=["acme"])
    changed = put(engine, {"name": "slack", "type": "slack"}, box=PlainBox(has_key=False), remind_every="4h")
    channel = changed.stored.channel
    assert (channel.target, channel.remind_every_s) == ("https://hooks.slack.com", 14_400)
    assert (channel.min_severity, channel.tenants) == ("info", None)
    assert secrets_of(engine, "slack") == Secrets(SLACK["url"])


def test_a_secret_never_goes_to_another_address(engine: Engine) -> None:
    """A webhook gets a new one; where somebody else has given the secret, it must be given again."""
    put(engine, HOOK, secret=FIRST)
    moved = put(engine, HOOK, url="https://evil.example/hook")
    assert moved.new_key is not None
    assert secrets_of(engine, "ops").keys == (moved.new_key,)
    put(engine, PAGER)
    for change in ({"url": "https://evil.example/"}, {"type": "alertmanager", "url": "https://evil.example/"}):
        with pytest.raises(UsageError, match="secret: "):
            put(
                engine,
                {"name": "pager", "type": "pagerduty", **change},
                secret=None if "type" not in change else "x y",
            )
    assert secrets_of(engine, "pager").address == "https://events.pagerduty.com/v2/enqueue"
    changed = put(engine, {"name": "pager", "type": "alertmanager"}, url="https://am.example/")
    assert changed.stored.sealed is None
    assert secrets_of(engine, "pager") == Secrets()


def test_a_new_secret_goes_on_beside_the_one_before(engine: Engine) -> None:
    """So that the receiver can be given the new one while the old one still signs; given alone, it ends the old one."""
    put(engine, HOOK, secret=FIRST)
    rotated = put(engine, HOOK, new_secret=True)
    assert secrets_of(engine, "ops").keys == (rotated.new_key, FIRST)
    put(engine, HOOK, secret=rotated.new_key)
    assert secrets_of(engine, "ops").keys == (rotated.new_key,)
    put(engine, HOOK, secrets=[SECOND, FIRST])
    assert secrets_of(engine, "ops").keys == (SECOND, FIRST)


def test_what_is_not_secret_needs_no_key_and_what_is_cannot_be_kept_without(engine: Engine) -> None:
    """A lost RICE_SECRETS_KEY is overcome by giving address and secret again."""
    no_key = PlainBox(has_key=False)
    assert put(engine, MAIL, box=no_key).stored.sealed is None
    with pytest.raises(UsageError, match="RICE_SECRETS_KEY"):
        put(engine, HOOK, box=no_key)
    put(engine, HOOK, secret=FIRST)
    with writing(engine) as connection:
        connection.execute(schema.channel.update().values(sealed=b"of another key"))
    with pytest.raises(UsageError, match="none of the keys"):
        put(engine, HOOK, new_secret=True)
    put(engine, HOOK, secret=SECOND)
    assert secrets_of(engine, "ops").keys == (SECOND,)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "x", "type": "webhook"}, "url: is missing"),
        ({"name": "x", "type": "pagerduty"}, "secret: is missing: the routing key"),
        ({**MAIL, "secret": "hunter2"}, "need each other"),
        ({**MAIL, "url": MAIL["url"].replace("//", "//me@")}, "need each other"),
    ],
)
def test_a_new_channel_without_what_it_needs_is_refused(engine: Engine, fields: dict[str, Any], said: str) -> None:
    """And nothing is stored: neither of it nor of others that were to be set with it."""
    with pytest.raises(UsageError, match=said) as error:
        set_channels(engine, EVERYTHING, BOX, [parse_channel(HOOK), parse_channel(fields)], OPERATOR)
    assert "hunter2" not in str(error.value)
    with pytest.raises(NotFoundError):
        named_channel(engine, EVERYTHING, "ops")


def test_nobody_sets_tries_or_removes_what_is_another_tenants(engine: Engine) -> None:
    """It is not there for them: they can even use its name."""
    theirs = put(engine, HOOK, BETA, tenants=["beta"])
    for attempt in (
        lambda: send_trial(engine, ACME, "ops", OPERATOR, NOON),
        lambda: remove_channel(engine, ACME, "ops", OPERATOR),
        lambda: put(engine, HOOK, ACME, tenants=["acme", "beta"]),
        lambda: put(engine, HOOK, ACME),
        lambda: put(engine, HOOK, Scope(frozenset({"acme"}), frozenset({"search"})), tenants=["acme"]),
    ):
        with pytest.raises(NotFoundError):
            attempt()
    ours = put(engine, HOOK, ACME, tenants=["acme"])
    assert ours.stored.id != theirs.stored.id
    with pytest.raises(
        UsageError, match="several channels have the name 'ops': of acme; beta; say which with --tenant"
    ):
        remove_channel(engine, EVERYTHING, "ops", OPERATOR)
    assert put(engine, HOOK, tenants=["beta"]).stored.id == theirs.stored.id
    assert remove_channel(engine, EVERYTHING, "ops", OPERATOR, tenants=["beta"]).id == theirs.stored.id
    assert named_channel(engine, EVERYTHING, "ops").id == ours.stored.id


def test_a_trial_is_a_marked_alert_on_the_way_of_all_others(engine: Engine) -> None:
    """It is due at once, and says in itself that it is a trial."""
    stored = put(engine, HOOK, tenants=["beta", "acme"]).stored
    number = send_trial(engine, EVERYTHING, "ops", OPERATOR, NOON)
    delivery = named_delivery(engine, EVERYTHING, number)
    assert delivery is not None
    assert (delivery["kind"], delivery["state"], delivery["channel"]) == ("test", "due", "ops")
    with reading(engine) as connection:
        row = connection.execute(select(schema.delivery)).mappings().one()
    event = json.loads(row["content"])["alerts"][0]
    assert (event["data"]["test"], event["data"]["tenant_id"], row["channel_id"]) == (True, "acme", stored.id)


def test_a_disabled_channel_is_not_tried_until_it_is_set_again(engine: Engine) -> None:
    """Its receiver has said that it is gone; to set it, even as it is, says that it is back."""
    stored = put(engine, HOOK).stored
    with writing(engine) as connection:
        disable(connection, stored.id, "410")
    with pytest.raises(ChannelConflictError, match=r"is disabled \(410\): set it again"):
        send_trial(engine, EVERYTHING, "ops", OPERATOR, NOON)
    put(engine, HOOK)
    assert send_trial(engine, EVERYTHING, "ops", OPERATOR, NOON)


def test_resending_needs_either_ids_or_a_time(engine: Engine) -> None:
    put(engine, HOOK)
    with pytest.raises(UsageError, match="ids, since: give one of them"):
        resend(engine, EVERYTHING, OPERATOR)
    with pytest.raises(UsageError, match="give one of them"):
        resend(engine, EVERYTHING, OPERATOR, ids=[1], since_us=0)
    assert resend(engine, EVERYTHING, OPERATOR, since_us=0, channel="ops") == ((), 0)


def test_kafka_is_always_there_and_is_not_to_be_changed(engine: Engine) -> None:
    with pytest.raises(UsageError, match="name: kafka is the channel that is always there"):
        remove_channel(engine, EVERYTHING, "kafka", OPERATOR)


def test_every_change_is_in_the_audit_trail_without_a_secret(engine: Engine) -> None:
    """What changed is there, and that the secrets did; of a channel of one tenant, for those who see the tenant."""
    put(engine, SLACK, ACME, tenants=["acme"])
    put(engine, PAGER)
    put(engine, PAGER, secret="hunter2-new", min_severity="warning")
    send_trial(engine, EVERYTHING, "slack", OPERATOR, NOON)
    remove_channel(engine, EVERYTHING, "slack", OPERATOR)
    rows = audit_entries(engine, EVERYTHING)["rows"]
    assert [row["action"] for row in rows] == [
        "channel.remove",
        "channel.test",
        "channel.set",
        "channel.set",
        "channel.set",
    ]
    assert (rows[2]["before"]["min_severity"], rows[2]["after"]["min_severity"]) == ("info", "warning")
    assert [row["tenant_id"] for row in rows] == ["acme", "acme", None, None, "acme"]
    assert rows[2]["after"]["secrets_changed"] is True
    assert "hunter2" not in json.dumps(rows)
