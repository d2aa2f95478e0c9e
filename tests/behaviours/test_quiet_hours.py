"""What is held over quiet hours, and the digest that ends them: nothing is lost, nothing is told twice."""

import asyncio
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from rice_stream.alerting.holding import end_quiet_hours, sent_now
from rice_stream.budgets.states import Severity
from rice_stream.channels.definition import Channel, Kind, QuietHours
from rice_stream.reports.deliveries import delivery_page
from rice_stream.runtime.delivery_chores import delivery_chores
from rice_stream.store import schema
from rice_stream.store.channel_store import StoredChannel, load_channels, set_channel
from rice_stream.store.delivery_claims import DeliveryOutcome, claim, finish
from rice_stream.store.delivery_store import NewDelivery, StoredDelivery, add_deliveries, resend, stored_delivery
from rice_stream.store.engine import open_engine, reading, writing
from rice_stream.store.held_deliveries import DIGEST_FAILED
from rice_stream.store.scope import EVERYTHING
from tests.support.databases import Databases
from tests.support.delivering import Receiver, serving, until
from tests.support.fakes import OPERATOR

HOUR_US = 3_600_000_000
ONE, OTHER = "one", "other"


def quiet(begins_h: int = -1, ends_h: int = 2) -> QuietHours:
    """Quiet hours that began, and end, so many hours from now."""
    now = datetime.now(UTC)
    start, end = (
        (now + timedelta(hours=hours)).time().replace(second=0, microsecond=0) for hours in (begins_h, ends_h)
    )
    return QuietHours(start, end, "UTC")


def made(engine: Engine, **fields: Any) -> StoredChannel:
    """A channel that is left alone from an hour ago for two hours more."""
    channel = Channel(**{"name": "ops", "type": "slack", "target": "ops", "quiet_hours": quiet(), **fields})
    return set_channel(engine, EVERYTHING, channel, None, None, OPERATOR)


def changed(engine: Engine, stored: StoredChannel, hours: QuietHours | None) -> None:
    """The channel with other quiet hours."""
    set_channel(engine, EVERYTHING, replace(stored.channel, quiet_hours=hours), None, None, OPERATOR)


def alert(budget: str, threshold: float, sequence: int, state: str = "warning") -> dict[str, Any]:
    """A change of a budget, as short as it may be."""
    severities: dict[str, Severity] = {"warning": "warning", "exceeded": "critical", "resolved": "info"}
    data = {
        "tenant_id": "acme",
        "budget": budget,
        "period": "month",
        "period_start": "2026-11-01T00:00:00Z",
        "threshold": threshold,
        "sequence": sequence,
        "state": state,
        "severity": severities[state],
        "basis": "actual",
    }
    return {"id": f"{budget}-{sequence}", "data": data}


def raised(engine: Engine, stored: StoredChannel, *alerts: dict[str, Any], kind: Kind = "alert") -> None:
    """Deliveries of alerts, in the lanes of their budgets; severe as their crossing was."""
    rows = [
        NewDelivery(
            *(stored.id, stored.channel.name, kind, each["id"], {"alerts": [each]}),
            tenant_id="acme",
            lane=f"budget:{each['data']['budget']}",
            severity="critical" if each["data"]["threshold"] >= 1 else "warning",
        )
        for each in alerts
    ]
    with writing(engine) as connection:
        add_deliveries(connection, rows)


def sent(engine: Engine, stored: StoredChannel, server: str = ONE, lease_s: float = 60.0) -> list[StoredDelivery]:
    """What a server takes to send it now; what it holds makes way for the next of its lane."""
    found: list[StoredDelivery] = []
    for _ in range(5):
        with writing(engine) as connection:
            [channel] = [each.channel for each in load_channels(connection) if each.id == stored.id]
            taken = claim(connection, server, stored.id, limit=10, lease_s=lease_s)
            found += sent_now(connection, server, channel, taken)
    return found


def done(engine: Engine, *delivered: StoredDelivery, server: str = ONE, **outcome: Any) -> None:
    """They have arrived, or what `state` says."""
    with writing(engine) as connection:
        finish(connection, server, [DeliveryOutcome(each.id, **{"state": "done", **outcome}) for each in delivered])


def listed(engine: Engine) -> dict[str, StoredDelivery]:
    """All deliveries by their cause; of a digest it is "digest"."""
    with reading(engine) as connection:
        rows = [stored_delivery(row) for row in connection.execute(select(schema.delivery)).mappings()]
    return {each.cause.split(":")[0] if each.kind == "digest" else each.cause: each for each in rows}


def states(engine: Engine) -> dict[str, str]:
    """Their states."""
    return {cause: each.state for cause, each in listed(engine).items()}


def causes(found: list[StoredDelivery]) -> list[str]:
    """What was taken, without the times in the names of digests."""
    return [each.cause.split(":")[0] for each in found]


def hours_pass(engine: Engine, hours: int) -> None:
    """All that is stored is as much older."""
    columns = ("next_at_us", "created_at_us", "first_tried_at_us", "ended_at_us", "lease_until_us")
    older = {name: schema.delivery.c[name] - hours * HOUR_US for name in columns}
    channel = schema.channel
    with writing(engine) as connection:
        connection.execute(update(schema.delivery).values(older))
        for row in connection.execute(select(channel.c.id, channel.c.settings)).all():
            settings = json.loads(row.settings)
            for end in ("start", "end"):
                was = datetime.fromisoformat(f"2026-11-22T{settings['quiet_hours'][end]}")
                settings["quiet_hours"][end] = (was - timedelta(hours=hours)).time().isoformat("minutes")
            connection.execute(update(channel).where(channel.c.id == row.id).values(settings=json.dumps(settings)))


NIGHT = (
    alert("a", 0.5, 1),
    alert("a", 0.8, 2),
    alert("b", 0.8, 1),
    alert("b", 0.8, 2, "resolved"),
    alert("c", 0.8, 1),
    alert("c", 1.0, 2, "exceeded"),
)


class TestQuietHours:
    """On every database."""

    def test_a_night_ends_with_one_digest_of_what_is_open_and_what_is_over(self, engine: Engine) -> None:
        """What is critical went out at once, before what its lane held; what comes after the night waits for the digest."""
        stored = made(engine)
        raised(engine, stored, *NIGHT)
        through = sent(engine, stored)
        done(engine, *through)
        assert causes(through) == ["c-2"]
        assert end_quiet_hours(engine) == 0
        assert states(engine) == {"c-2": "done", **{each["id"]: "held" for each in NIGHT[:5]}}
        held = [each for each in listed(engine).values() if each.state == "held"]
        assert {(each.attempts, each.first_tried_at_us) for each in held} == {(0, None)}

        hours_pass(engine, 3)
        raised(engine, stored, alert("a", 1.0, 3, "exceeded"), alert("d", 0.8, 1))
        # A server that looks before there is a digest takes what is of other lanes only.
        first = sent(engine, stored)
        assert causes(first) == ["d-1"]
        assert [end_quiet_hours(engine), end_quiet_hours(engine)] == [1, 0]
        [digest] = sent(engine, stored)
        told = [(each["id"], each["data"]["state"]) for each in digest.content["alerts"]]
        assert told == [("a-1", "warning"), ("a-2", "warning"), ("c-1", "warning"), ("b-2", "resolved")]
        assert (digest.kind, digest.severity, digest.tenant_id) == ("digest", "warning", "acme")

        done(engine, digest, state="failed", next_at_us=1)
        assert states(engine)["a-1"] == "held"
        [again] = sent(engine, stored)
        assert again.message_id == digest.message_id
        done(engine, again, *first)
        after = listed(engine)
        assert {after[each["id"]].state for each in NIGHT} == {"done"}
        assert {after[each["id"]].told_by for each in NIGHT[:5]} == {digest.id}
        rows = delivery_page(engine, EVERYTHING)["rows"]
        assert sum(row["told_by"] == digest.id for row in rows) == 5
        assert causes(sent(engine, stored)) == ["a-3"]

    def test_a_server_that_dies_takes_nothing_with_it(self, engine: Engine) -> None:
        """Dead after it took an alert, or the digest: another one goes on, and sends the same message."""
        stored = made(engine)
        raised(engine, stored, alert("a", 0.8, 1))
        with writing(engine) as connection:
            [lost] = claim(connection, ONE, stored.id, limit=10, lease_s=0)
        assert sent(engine, stored, OTHER) == []
        done(engine, lost)  # it was not its own any more
        assert states(engine) == {"a-1": "held"}
        hours_pass(engine, 3)
        assert end_quiet_hours(engine) == 1
        [digest] = sent(engine, stored, lease_s=0)[:1]
        [again] = sent(engine, stored, OTHER)
        assert again.message_id == digest.message_id
        done(engine, again, server=OTHER)
        assert states(engine) == {"a-1": "done", "digest": "done"}

    def test_servers_that_end_quiet_hours_at_once_make_one_digest(self, engine: Engine) -> None:
        """Of each channel."""
        every = [made(engine, name=name) for name in ("x", "y")]
        for stored in every:
            raised(engine, stored, *NIGHT[:2])
            sent(engine, stored)
        hours_pass(engine, 3)
        barrier = Barrier(3)

        def end() -> int:
            barrier.wait()
            return end_quiet_hours(engine)

        with ThreadPoolExecutor(3) as pool:
            made_by = [each.result() for each in [pool.submit(end) for _ in range(3)]]
        assert sum(made_by) == 2
        assert [causes(sent(engine, stored)) for stored in every] == [["digest"], ["digest"]]

    @pytest.mark.parametrize("change", ["removed", "over already"])
    def test_quiet_hours_that_are_taken_away_end_at_once(self, engine: Engine, change: str) -> None:
        """Whenever they were to end."""
        stored = made(engine)
        raised(engine, stored, *NIGHT[:2])
        sent(engine, stored)
        changed(engine, stored, None if change == "removed" else quiet(-5, -1))
        assert end_quiet_hours(engine) == 1
        assert causes(sent(engine, stored)) == ["digest"]

    def test_quiet_hours_that_are_moved_hold_until_their_new_end(self, engine: Engine) -> None:
        """Also when the old end has come; what breaks through still passes."""
        stored = made(engine)
        raised(engine, stored, *NIGHT[:2])
        sent(engine, stored)
        hours_pass(engine, 3)
        changed(engine, stored, quiet(-5, 4))
        assert end_quiet_hours(engine) == 0
        raised(engine, stored, alert("a", 1.0, 3, "exceeded"))
        assert causes(sent(engine, stored)) == ["a-3"]
        hours_pass(engine, 5)
        assert end_quiet_hours(engine) == 1

    def test_what_is_held_too_late_for_the_digest_goes_by_itself(self, engine: Engine) -> None:
        """So do a statement and a notice, which no digest tells of."""
        stored = made(engine)
        raised(engine, stored, *NIGHT[:1])
        sent(engine, stored)
        raised(engine, stored, *NIGHT[1:2])
        raised(engine, stored, alert("s", 0.5, 1), kind="statement")
        sent(engine, stored)
        late = listed(engine)["a-2"].id
        with writing(engine) as connection:
            connection.execute(update(schema.delivery).where(schema.delivery.c.id == late).values(state="due"))
        hours_pass(engine, 3)
        assert end_quiet_hours(engine) == 1
        end_us = int(next(each.cause for each in listed(engine).values() if each.kind == "digest").split(":")[1])
        with writing(engine) as connection:
            held = {"state": "held", "next_at_us": end_us}
            connection.execute(update(schema.delivery).where(schema.delivery.c.id == late).values(held))
        assert end_quiet_hours(engine) == 0
        found = sent(engine, stored)
        assert sorted(causes(found)) == ["digest", "s-1"]
        done(engine, *found)
        assert causes(sent(engine, stored)) == ["a-2"]

    def test_a_digest_that_is_given_up_takes_what_it_tells_of_along(self, engine: Engine) -> None:
        """Sent again, all of it is done; nothing of it goes out by itself besides."""
        stored = made(engine)
        raised(engine, stored, *NIGHT[:2])
        sent(engine, stored)
        hours_pass(engine, 3)
        end_quiet_hours(engine)
        done(engine, *sent(engine, stored), state="dead", problem="no")
        found = listed(engine)
        assert (found["a-1"].state, found["a-1"].problem) == ("dead", DIGEST_FAILED)
        resend(engine, EVERYTHING, OPERATOR, since_us=0)
        again = sent(engine, stored)
        done(engine, *again)
        assert causes(again) == ["digest"]
        assert states(engine) == {"a-1": "done", "a-2": "done", "digest": "done"}
        assert listed(engine)["a-1"].problem is None

    @pytest.mark.parametrize(("kind", "passes"), [("pagerduty", True), ("slack", False)])
    def test_a_receiver_that_keeps_an_alarm_open_is_told_at_any_hour_that_it_is_over(
        self, engine: Engine, kind: Any, *, passes: bool
    ) -> None:
        """Unless the alarm itself is held still."""
        stored = made(engine, type=kind)
        raised(engine, stored, alert("a", 0.8, 2, "resolved"), *NIGHT[2:4])
        assert causes(sent(engine, stored)) == (["a-2"] if passes else [])
        assert states(engine)["b-2"] == "held"


def test_two_servers_tell_of_a_night_once(either_database: Databases) -> None:
    """From what is due to what has arrived: held, then one digest, although a server is stopped while others go on."""
    engine = open_engine(either_database.emptied(), connections=8)
    stored = made(engine)
    chores = [each._replace(every_s=0.02) for each in delivery_chores()]
    receiver = Receiver()

    async def deliver() -> None:
        raised(engine, stored, *NIGHT)
        async with serving(engine, receiver, servers=2, chores=chores):
            await until(lambda: Counter(states(engine).values()) == {"held": 5, "done": 1})
        async with serving(engine, receiver, servers=2, chores=chores):
            await asyncio.to_thread(changed, engine, stored, None)
            await until(lambda: set(states(engine).values()) == {"done"})

    asyncio.run(deliver())
    found = listed(engine)
    assert receiver.taken == [found["c-2"].message_id, found["digest"].message_id]
    engine.dispose()
