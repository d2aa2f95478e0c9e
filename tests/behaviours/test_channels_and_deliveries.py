"""Channels and deliveries as they are read: who sees which, what is counted, and what is overdue."""

from datetime import datetime, timedelta

import pytest

from rice_stream.alerting.budgets import set_budgets
from rice_stream.alerting.judge import Judge
from rice_stream.budgets.parsing import parse_budget
from rice_stream.errors import UsageError
from rice_stream.instants import SECOND_US
from rice_stream.reports.alerts import latest_alerts
from rice_stream.reports.channels import channels
from rice_stream.reports.deliveries import (
    DeliveryFilter,
    deliveries_of_alerts,
    delivery_health,
    delivery_page,
    named_deliveries,
    named_delivery,
    with_deliveries,
)
from rice_stream.store.scope import EVERYTHING, Scope
from tests.support.channels_store import add_channel, add_delivery
from tests.support.fakes import NOON_US, OPERATOR
from tests.support.reports_store import NOON, Store, at, picked

NOTHING_COUNTED = {"held": 0, "due": 0, "sending": 0, "done": 0, "failed": 0, "dead": 0}
QUIET = (
    '{"quiet_hours": {"start": "22:00", "end": "07:00", "time_zone": "Europe/Berlin", "breaks_through": "critical"}}'
)


def with_alerts(store: Store) -> list[str]:
    """Two alerts of acme and two of globex, of half the limit and of all of it; their ids, latest first."""
    wanted = [
        {"name": "b", "tenant_id": tenant, "limit_gco2e": 5, "period": "day", "thresholds": [0.5, 1.0]}
        for tenant in ("acme", "globex")
    ]
    set_budgets(store.engine, [parse_budget(each) for each in wanted], NOON_US, OPERATOR)
    store.add(*(at("2026-11-22T11:00:00Z", tenant_id=tenant) for tenant in ("acme", "globex") for _ in range(2)))
    Judge(store.engine).judge_all(NOON)
    return [row["id"] for row in latest_alerts(store.engine, EVERYTHING)]


class TestChannelsAndDeliveries:
    """On every database."""

    def test_kafka_is_a_channel_whose_deliveries_are_the_alerts(self, store: Store) -> None:
        """What waits is due, what Kafka has confirmed is done; after a day of waiting it fails. Each scope counts its own."""
        ids = with_alerts(store)
        store.execute("UPDATE alert SET delivered_at_us = :at WHERE id = :id", at=NOON_US + SECOND_US, id=ids[0])
        [kafka] = channels(store.engine, EVERYTHING, NOON)
        assert picked([kafka], "name", "type", "state", "tenants") == [("kafka", "kafka", "ok", "*")]
        assert kafka["deliveries"] == {**NOTHING_COUNTED, "due": len(ids) - 1, "done": 1}
        assert kafka["last_done_at"] == "2026-11-22T12:00:01.000Z"
        [kafka] = channels(store.engine, EVERYTHING, NOON + timedelta(hours=24))
        assert (kafka["state"], kafka["failing_since"]) == ("failing", "2026-11-22T12:00:00.000Z")
        [acme] = channels(store.engine, Scope(frozenset({"acme"})), NOON)
        assert sum(acme["deliveries"].values()) == len(ids) // 2
        assert channels(store.engine, Scope(frozenset()), NOON)[0]["deliveries"] == NOTHING_COUNTED

    def test_a_channel_says_what_it_is_and_what_became_of_its_deliveries(self, store: Store) -> None:
        """Counted by state; held until the next end of quiet hours. Nothing that is sealed is among it."""
        number = add_channel(
            store.engine,
            "night",
            ["globex", "acme"],
            budgets='["b", "a"]',
            settings=QUIET,
            sealed=b"secret",
            key_id="00",
            state="failing",
            failing_since_us=NOON_US - 9 * SECOND_US,
            last_error="503",
        )
        for place, state in enumerate(("done", "done", "held", "held", "dead")):
            add_delivery(store.engine, number, f"{place}", state=state, next_at_us=NOON_US + place * SECOND_US)
        _, told = channels(store.engine, EVERYTHING, NOON)
        assert told == {
            "id": number,
            "name": "night",
            "type": "webhook",
            "state": "failing",
            "target": "https://receiver.example",
            "tenants": ["acme", "globex"],
            "budgets": ["a", "b"],
            "min_severity": "info",
            "quiet_hours": {
                "start": "22:00",
                "end": "07:00",
                "time_zone": "Europe/Berlin",
                "breaks_through": "critical",
            },
            "remind_every_s": None,
            "statements": False,
            "failing_since": "2026-11-22T11:59:51.000Z",
            "last_done_at": None,
            "last_error": "503",
            "deliveries": {**NOTHING_COUNTED, "done": 2, "held": 2, "dead": 1},
            "held_until": "2026-11-22T12:00:02.000Z",
            "created_at": "2026-11-22T12:00:00.000Z",
            "updated_at": "2026-11-22T12:00:00.000Z",
        }
        assert channels(store.engine, EVERYTHING, NOON, name="night") == [told]

    def test_a_channel_is_seen_by_those_who_see_all_that_it_takes(self, store: Store) -> None:
        """Every tenant of it, and every team; likewise its deliveries. Those of a channel that is gone, by who sees everything."""
        numbers = {}
        for name, tenants in (("all", None), ("acme", ["acme"]), ("both", ["acme", "globex"]), ("star", ["*"])):
            numbers[name] = add_channel(store.engine, name, tenants)
            add_delivery(store.engine, numbers[name], "x", channel=name)
        add_delivery(store.engine, 99, "x", channel="gone")
        expected = {
            EVERYTHING: {"all", "acme", "both", "star"},
            Scope(frozenset({"acme"})): {"acme"},
            Scope(frozenset({"acme", "globex"})): {"acme", "both"},
            Scope(frozenset({"acme"}), frozenset({"a"})): set(),
            Scope(None, frozenset({"a"})): set(),
            Scope(frozenset({"*"})): {"star"},
            Scope(frozenset()): set(),
        }
        for scope, names in expected.items():
            assert {channel["name"] for channel in channels(store.engine, scope, NOON)[1:]} == names
            rows = delivery_page(store.engine, scope)["rows"]
            assert {row["channel"] for row in rows} == names | ({"gone"} if scope is EVERYTHING else set())
            assert named_delivery(store.engine, scope, 1) == (rows[-1] if "all" in names else None)
        of_acme = channels(store.engine, EVERYTHING, NOON, tenant="acme")
        assert [channel["name"] for channel in of_acme] == ["kafka", "acme", "all", "both"]

    def test_deliveries_in_pages_are_all_that_are_asked_for(self, store: Store) -> None:
        """Latest first; by state, channel, alert and time."""
        alert = with_alerts(store)[0]
        hook, mail = (add_channel(store.engine, name) for name in ("hook", "mail"))
        for place in range(7):
            values = {"state": "dead" if place % 2 else "done", "created_at_us": NOON_US + place * SECOND_US}
            add_delivery(store.engine, hook, f"{place}", alert_id=alert if place == 6 else None, **values)
        add_delivery(store.engine, mail, alert, channel="mail", alert_id=alert, next_at_us=NOON_US + 5, attempts=2)
        found, after = [], None
        for expected in (3, 3, 2):
            page = delivery_page(store.engine, EVERYTHING, limit=3, after=after)
            assert len(page["rows"]) == expected
            found += page["rows"]
            after = page["next"]
        assert after is None
        assert [row["id"] for row in found] == [8, 7, 6, 5, 4, 3, 2, 1]

        def ids(**asked: object) -> list[int]:
            rows = delivery_page(store.engine, EVERYTHING, DeliveryFilter(**asked))["rows"]  # type: ignore[arg-type]
            return [row["id"] for row in rows]

        assert ids(state="dead") == [6, 4, 2]
        assert ids(channel="mail") == [8]
        assert ids(alert=alert) == [8, 7]
        assert ids(since=NOON + timedelta(seconds=5), channel="hook") == [7, 6]
        assert ids(tenant="acme") == []
        told = found[0]
        assert told | {"alert_id": alert, "budget": "b", "state": "due", "attempts": 2, "answered_status": None} == told
        assert (told["next_at"], found[-1]["next_at"]) == ("2026-11-22T12:00:00.000Z", None)
        by_alert = deliveries_of_alerts(store.engine, EVERYTHING, [alert, "none"])
        assert by_alert == {alert: [found[1], found[0]], "none": []}
        assert named_deliveries(store.engine, EVERYTHING, [7, 99, 8]) == [found[1], found[0]]
        (told_of,) = with_deliveries(store.engine, EVERYTHING, [{"id": alert}])
        assert told_of["deliveries"][1] == {"id": 8, "channel": "mail", "kind": "alert", "state": "due"}
        with pytest.raises(UsageError, match="there is no 'lost'; choose from held, due"):
            ids(state="lost")
        with pytest.raises(UsageError, match="no position in this list"):
            delivery_page(store.engine, EVERYTHING, after=b"\xff")

    def test_what_no_server_has_taken_for_a_minute_is_overdue(self, store: Store) -> None:
        """But not what waits for another of its lane, nor what a server has taken, until its lease ends, nor other deliveries of a
        channel for which it is at work."""
        number = add_channel(store.engine, "hook")
        add_channel(store.engine, "down", state="failing")
        add_channel(store.engine, "gone", state="disabled")
        until_us = NOON_US + 90 * SECOND_US
        taken = {"state": "sending", "lease_until_us": until_us, "next_at_us": until_us}
        add_delivery(store.engine, number, "a", lane="budget:1", **taken)
        add_delivery(store.engine, number, "b", lane="budget:1")
        add_delivery(store.engine, number, "c", state="held", next_at_us=NOON_US + 3600 * SECOND_US)
        add_delivery(store.engine, number, "d", state="done")

        def at_s(seconds: int) -> dict[str, object]:
            return delivery_health(store.engine, EVERYTHING, NOON + timedelta(seconds=seconds))

        assert at_s(149) == {
            "channels": 3,
            "failing": ["down"],
            "disabled": ["gone"],
            "overdue": 0,
            "overdue_since": None,
            "held": 1,
            "held_until": "2026-11-22T13:00:00.000Z",
        }
        assert (at_s(150)["overdue"], at_s(150)["overdue_since"]) == (1, "2026-11-22T12:01:30.000Z")
        add_delivery(store.engine, number, "e", state="failed", lane="budget:2")
        assert (at_s(89)["overdue"], at_s(90)["overdue"]) == (0, 1)
        assert at_s(3660)["overdue"] == 3
        nobody = delivery_health(store.engine, Scope(frozenset({"acme"})), datetime.fromisoformat("2027-01-01T00:00Z"))
        assert (nobody["channels"], nobody["overdue"], nobody["held"]) == (0, 0, 0)
