"""Channels and deliveries in the database: who sees them, who takes what, and what becomes of it."""

from typing import Any

import pytest
from sqlalchemy import Connection, Engine, func, select, text

from rice_stream.channels.definition import Channel
from rice_stream.errors import NotFoundError, UsageError
from rice_stream.reports.audit import audit_entries
from rice_stream.store import schema
from rice_stream.store.channel_health import disable, note_arrival, note_failure
from rice_stream.store.channel_store import StoredChannel, load_channels, remove_channel, set_channel
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.delivery_claims import DeliveryOutcome, channels_with_due, claim, finish, is_overdue, open_counts
from rice_stream.store.delivery_store import (
    NewDelivery,
    StoredDelivery,
    add_deliveries,
    resend,
    stored_delivery,
)
from rice_stream.store.engine import reading, writing
from rice_stream.store.scope import EVERYTHING, Scope
from tests.support.fakes import OPERATOR

ACME = Scope(frozenset({"acme"}))
HOUR_US = 3_600_000_000


def made(engine: Engine, name: str = "ops", sealed: bytes | None = b"sealed", **fields: Any) -> StoredChannel:
    """A channel that is stored."""
    channel = Channel(**{"name": name, "type": "webhook", "target": "hooks.example.com", **fields})
    return set_channel(engine, EVERYTHING, channel, sealed, "0badcafe", OPERATOR)


def add(engine: Engine, channel: StoredChannel, *causes: str, lane: str | None = None) -> None:
    """Alerts to send to it."""
    rows = [
        NewDelivery(channel.id, channel.channel.name, "alert", cause, {"alerts": []}, lane=lane) for cause in causes
    ]
    with writing(engine) as connection:
        add_deliveries(connection, rows)


def taken(
    engine: Engine, channel: StoredChannel, server: str = "one", limit: int = 10, lease_s: float = 60.0
) -> list[str]:
    """Causes of what a server takes."""
    return [each.cause for each in claimed(engine, channel, server, limit, lease_s)]


def claimed(
    engine: Engine, channel: StoredChannel, server: str = "one", limit: int = 10, lease_s: float = 60.0
) -> list[StoredDelivery]:
    """What a server takes."""
    with writing(engine) as connection:
        return claim(connection, server, channel.id, limit=limit, lease_s=lease_s)


def marked(engine: Engine, *outcomes: DeliveryOutcome, server: str = "one") -> list[str]:
    """Causes of what the server had still."""
    with writing(engine) as connection:
        return [each.cause for each in finish(connection, server, outcomes)]


def listed(engine: Engine) -> list[StoredDelivery]:
    """All of them, oldest first."""
    with reading(engine) as connection:
        rows = connection.execute(select(schema.delivery).order_by(schema.delivery.c.id)).mappings()
        return [stored_delivery(row) for row in rows]


def overdue(connection: Connection) -> int:
    """How many no server takes."""
    late = is_overdue(database_now_us(connection))
    return connection.execute(select(func.count()).select_from(schema.delivery).where(late)).scalar_one()


def now_us(engine: Engine) -> int:
    """When the latest delivery was made."""
    return listed(engine)[-1].created_at_us


class TestChannels:
    """On every database."""

    def test_a_channel_is_read_as_it_was_set_and_its_secrets_are_in_no_audit_entry(self, engine: Engine) -> None:
        """Set again without a difference it is left alone; with new secrets the trail says that they changed."""
        first = made(engine, tenants=frozenset({"acme"}), budgets=frozenset({"b"}), remind_every_s=3600)
        with reading(engine) as connection:
            assert load_channels(connection) == [first]
        again = set_channel(engine, EVERYTHING, first.channel, None, None, OPERATOR, keep_secrets=True)
        other = set_channel(engine, EVERYTHING, first.channel, b"others", "0badcafe", OPERATOR)
        assert (again, other.sealed, other.id) == (first, b"others", first.id)
        rows = audit_entries(engine, EVERYTHING)["rows"]
        assert [(row["action"], row["after"]["secrets_changed"]) for row in rows] == [
            ("channel.set", True),
            ("channel.set", False),
        ]
        assert "sealed" not in str(rows)
        assert "others" not in str(rows)

    def test_a_channel_is_there_for_those_who_see_all_its_tenants(self, engine: Engine) -> None:
        """To others it is not: not to those of one of two tenants, nor of a team; and nobody makes one beyond their scope."""
        both = made(engine, "both", tenants=frozenset({"acme", "globex"}))
        own = made(engine, "own", tenants=frozenset({"acme"}))
        made(engine, "every")
        add(engine, both, "a")
        add(engine, own, "b")
        with reading(engine) as connection:
            assert [each.channel.name for each in load_channels(connection, ACME)] == ["own"]
            assert load_channels(connection, Scope(None, frozenset({"search"}))) == []
        hidden = listed(engine)[0].id
        for refused in (
            lambda: remove_channel(engine, ACME, both.id, OPERATOR),
            lambda: set_channel(engine, ACME, both.channel, None, None, OPERATOR),
            lambda: resend(engine, ACME, OPERATOR, ids=[hidden]),
        ):
            with pytest.raises(NotFoundError):
                refused()
        with pytest.raises(UsageError, match="there is a channel 'own' of these tenants already"):
            made(engine, "own", tenants=frozenset({"acme"}), channel_id=both.id)

    def test_what_is_not_delivered_when_a_channel_goes_is_dead_and_stays_in_the_log(self, engine: Engine) -> None:
        """Whoever sees everything finds it there; a check that raises keeps all."""

        def no(_before: StoredChannel | None) -> None:
            raise UsageError("not this one")

        channel = made(engine)
        add(engine, channel, "a")
        with pytest.raises(UsageError, match="not this one"):
            remove_channel(engine, EVERYTHING, channel.id, OPERATOR, no)
        remove_channel(engine, EVERYTHING, channel.id, OPERATOR)
        [gone] = listed(engine)
        assert (gone.state, gone.problem) == ("dead", "the channel was removed")
        assert resend(engine, EVERYTHING, OPERATOR) == ((), 1)

    def test_a_channel_fails_after_a_day_without_an_arrival_and_is_ok_with_the_next(self, engine: Engine) -> None:
        """It turns once. What says that it is gone disables it, and its deliveries are dead until it is set again."""
        channel = made(engine)
        add(engine, channel, "a")
        with writing(engine) as connection:
            assert note_failure(connection, channel.id, "refused") is None
            connection.execute(text("UPDATE channel SET failing_since_us = failing_since_us - 86400000000"))
            first_us, second_us = (note_failure(connection, channel.id, "refused") for _ in range(2))
            assert (first_us is not None, second_us) == (True, None)
            assert load_channels(connection)[0].state == "failing"
            assert [note_arrival(connection, channel.id) for _ in range(2)] == [first_us, None]
            [fine] = load_channels(connection)
            assert (fine.state, fine.failing_since_us, fine.last_error) == ("ok", None, "refused")
            assert [disable(connection, channel.id, "410") for _ in range(2)] == [True, False]
            note_arrival(connection, channel.id)
        assert resend(engine, EVERYTHING, OPERATOR) == ((), 1)
        assert set_channel(engine, EVERYTHING, channel.channel, b"sealed", "0badcafe", OPERATOR).state == "ok"
        assert len(resend(engine, EVERYTHING, OPERATOR, since_us=0).ids) == 1
        assert taken(engine, channel) == ["a"]


class TestDeliveries:
    """On every database."""

    def test_a_cause_is_told_to_a_channel_once_under_one_message_id(self, engine: Engine) -> None:
        """To another channel under another."""
        channels = made(engine), made(engine, "other")
        for channel in (*channels, *channels):
            add(engine, channel, "a")
        assert len({each.message_id for each in listed(engine)}) == len(listed(engine)) == 2

    def test_of_a_lane_the_first_goes_first_and_lanes_do_not_wait_for_each_other(self, engine: Engine) -> None:
        """Also when it has failed and waits for its next try; when it is done or dead, the next is due at once."""
        channel = made(engine)
        add(engine, channel, "a1", "a2", "a3", lane="a")
        add(engine, channel, "b1", "b2", lane="b")
        add(engine, channel, "x", "y")
        first = claimed(engine, channel)
        assert [each.cause for each in first] == ["a1", "b1", "x", "y"]
        assert taken(engine, channel, "two") == []
        later = now_us(engine) + HOUR_US
        marked(
            engine,
            DeliveryOutcome(first[0].id, "failed", later, 500, "no", "HTTP 500"),
            DeliveryOutcome(first[1].id, "dead"),
        )
        assert taken(engine, channel) == ["b2"]
        assert [each.next_at_us == later for each in listed(engine)[:3]] == [True, True, True]
        resend(engine, EVERYTHING, OPERATOR, ids=[first[0].id])
        [again] = claimed(engine, channel)
        assert (again.cause, again.attempts, again.message_id) == ("a1", 1, first[0].message_id)
        assert marked(engine, DeliveryOutcome(again.id, "done", answered_status=204)) == ["a1"]
        assert taken(engine, channel) == ["a2"]

    def test_what_a_dead_server_has_taken_is_taken_when_its_lease_has_run_out(self, engine: Engine) -> None:
        """By another one, under the same message id; the first, should it be alive, can mark it no longer."""
        channel = made(engine)
        add(engine, channel, "a", lane="a")
        [first] = claimed(engine, channel, "dead", lease_s=0.0)
        [second] = claimed(engine, channel, "alive")
        assert (second.message_id, second.attempts) == (first.message_id, 2)
        assert marked(engine, DeliveryOutcome(first.id, "failed"), server="dead") == []
        assert marked(engine, DeliveryOutcome(first.id, "done"), server="alive") == ["a"]

    def test_what_is_held_holds_up_nothing_and_does_not_count_as_a_try(self, engine: Engine) -> None:
        """A critical alert passes by the warning that waits for the morning; neither does what a server gives back."""
        channel = made(engine)
        add(engine, channel, "warning", "critical", lane="a")
        [warning] = claimed(engine, channel)
        marked(engine, DeliveryOutcome(warning.id, "held", now_us(engine) + HOUR_US))
        [critical] = claimed(engine, channel)
        marked(engine, DeliveryOutcome(critical.id, "due"))
        assert [(each.cause, each.state, each.attempts) for each in listed(engine)] == [
            ("warning", "held", 0),
            ("critical", "due", 0),
        ]
        assert taken(engine, channel) == ["critical"]

    def test_those_who_watch_are_told_what_is_open_and_what_no_server_takes(self, engine: Engine) -> None:
        """Overdue is what has been due for a minute where no server is at work; what waits behind another is not."""
        channel, idle = made(engine), made(engine, "idle")
        add(engine, channel, "a1", "a2", lane="a")
        add(engine, channel, "b1", lane="b")
        add(engine, idle, "c1")
        with writing(engine) as connection:
            assert overdue(connection) == 0
            connection.execute(text("UPDATE delivery SET next_at_us = next_at_us - 61000000"))
            assert overdue(connection) == 3
        taken(engine, channel, limit=1)
        with reading(engine) as connection:
            assert overdue(connection) == 1
            assert open_counts(connection) == {"held": 0, "due": 3, "sending": 1, "failed": 0}
            assert sorted(channels_with_due(connection)) == [channel.id, idle.id]
