"""What is told again because it still holds: each reminder once, and none of what is over."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import event as events
from sqlalchemy import insert, select, update

from rice_stream.alerting.budgets import remove_budget, set_budgets
from rice_stream.alerting.holding import sent_now
from rice_stream.alerting.judge import Judge
from rice_stream.alerting.reminding import remind
from rice_stream.budgets.parsing import parse_budget
from rice_stream.channels.definition import ALERTMANAGER_AGAIN_S, Channel
from rice_stream.instants import epoch_us, rfc3339
from rice_stream.store import schema
from rice_stream.store.channel_store import StoredChannel, load_channels, set_channel
from rice_stream.store.delivery_claims import DeliveryOutcome, claim, finish
from rice_stream.store.delivery_store import StoredDelivery, stored_delivery
from rice_stream.store.engine import reading, writing
from rice_stream.store.scope import EVERYTHING
from tests.support.fakes import OPERATOR
from tests.support.reports_store import Store, at

HOUR_S = 3600
SERVER = "one"


def budget(**changes: Any) -> Any:
    """5 gCO2e in 24 hours: two prompts of the fake method; told of at 80 and 100 %."""
    fields = {"name": "b", "tenant_id": "acme", "limit_gco2e": 5, "period": "rolling-24h", "thresholds": [0.5, 1.0]}
    return parse_budget({**fields, **changes})


def opened(store: Store, *names: str, before: timedelta = timedelta(minutes=1), **changes: Any) -> None:
    """Budgets, and two prompts that ended before now, judged then."""
    then = datetime.now(UTC) - before
    budgets = [budget(name=name, **changes) for name in names or ("b",)]
    set_budgets(store.engine, budgets, epoch_us(then), OPERATOR)
    used(store, then, then - timedelta(microseconds=1))
    Judge(store.engine).judge_all(then)


def used(store: Store, *ended: datetime) -> None:
    """Prompts that ended then."""
    texts = [rfc3339(epoch_us(each)) for each in ended]
    store.add(*(at(text) for text in texts), received_at_us=epoch_us(datetime.now(UTC)))


def made(store: Store, **fields: Any) -> StoredChannel:
    """A channel that is told again every hour."""
    channel = Channel(**{"name": "ops", "type": "slack", "target": "ops", "remind_every_s": HOUR_S, **fields})
    return set_channel(store.engine, EVERYTHING, channel, None, None, OPERATOR)


def sent(store: Store, *stored: StoredChannel, state: str = "done") -> list[StoredDelivery]:
    """What a server takes of these channels and sends now; all of it arrives, or what `state` says."""
    found: list[StoredDelivery] = []
    for each in stored:
        for _ in range(4):
            with writing(store.engine) as connection:
                [channel] = [one.channel for one in load_channels(connection) if one.id == each.id]
                taken = claim(connection, SERVER, each.id, limit=10, lease_s=60)
                new = sent_now(connection, SERVER, channel, taken)
                finish(connection, SERVER, [DeliveryOutcome(one.id, state, next_at_us=2**60) for one in new])  # type: ignore[arg-type]
                found += new
    return found


def said(found: list[StoredDelivery]) -> list[tuple[str, float, str]]:
    """Kind, threshold and state of what was sent."""
    datas = [(each.kind, each.content["alerts"][0]["data"]) for each in found]
    return [(kind, data["threshold"], data["state"]) for kind, data in datas]


def time_passes(store: Store, seconds: float) -> None:
    """All deliveries and alerts are as much older."""
    names = ("next_at_us", "created_at_us", "first_tried_at_us", "ended_at_us", "lease_until_us")
    with writing(store.engine) as connection:
        older = {name: schema.delivery.c[name] - round(seconds * 1e6) for name in names}
        connection.execute(update(schema.delivery).values(older))


def all_of(store: Store) -> list[StoredDelivery]:
    """All deliveries, oldest first."""
    with reading(store.engine) as connection:
        rows = connection.execute(select(schema.delivery).order_by(schema.delivery.c.id)).mappings()
        return [stored_delivery(row) for row in rows]


class TestReminders:
    """On every database."""

    def test_what_holds_is_told_again_every_so_often_by_its_highest_threshold(self, store: Store) -> None:
        """With what has been consumed by now; each reminder is a message of its own, and the first waits for the alert itself."""
        stored = made(store)
        opened(store)
        assert remind(store.engine) == 0
        assert said(sent(store, stored)) == [("alert", 0.5, "warning"), ("alert", 1.0, "exceeded")]
        time_passes(store, HOUR_S - 5)
        assert remind(store.engine) == 0
        time_passes(store, 10)
        used(store, datetime.now(UTC))
        assert [remind(store.engine), remind(store.engine)] == [1, 0]
        [first] = sent(store, stored)
        assert said([first]) == [("reminder", 1.0, "exceeded")]
        assert first.content["alerts"][0]["data"]["ratio"] == 1.5
        assert (first.cause, first.severity) == (f"{first.alert_id}#1", "critical")
        time_passes(store, HOUR_S + 5)
        remind(store.engine)
        [second] = sent(store, stored)
        assert second.cause == f"{first.alert_id}#2"
        assert second.message_id != first.message_id

    @pytest.mark.parametrize("why", ["resolved", "budget removed"])
    def test_a_reminder_that_waits_is_not_sent_when_it_no_longer_holds(self, store: Store, why: str) -> None:
        """It is gone, as if nobody had thought of it."""
        stored = made(store)
        opened(store)
        sent(store, stored)
        time_passes(store, HOUR_S + 5)
        assert remind(store.engine) == 1
        if why == "resolved":
            Judge(store.engine).judge_all(datetime.now(UTC) + timedelta(days=2))
        else:
            remove_budget(store.engine, "acme", "b", OPERATOR)
        assert remind(store.engine) == 0
        assert {each.kind for each in sent(store, stored)} == ({"alert"} if why == "resolved" else set())
        assert {each.kind for each in all_of(store)} == {"alert"}

    def test_what_is_over_is_told_no_more_also_where_nobody_has_judged_it_since(self, store: Store) -> None:
        """The period has ended, and no worker runs."""
        stored = made(store)
        opened(store, before=timedelta(days=2), period="day")
        assert len(sent(store, stored)) == 2
        time_passes(store, HOUR_S + 5)
        assert remind(store.engine) == 0

    def test_what_nobody_wants_to_hear_is_told_no_more(self, store: Store) -> None:
        """The channel is told once, or for others; or the limit has been raised."""
        stored = made(store)
        opened(store)
        sent(store, stored)
        time_passes(store, HOUR_S + 5)
        for changes in ({"remind_every_s": None}, {"budgets": frozenset({"x"})}, {"min_severity": "critical"}):
            changed = replace(stored.channel, **changes)
            set_channel(store.engine, EVERYTHING, changed, None, None, OPERATOR)
            assert remind(store.engine) == (1 if "min_severity" in changes else 0)
        sent(store, stored)
        time_passes(store, HOUR_S + 5)
        set_budgets(store.engine, [budget(limit_gco2e=500)], 0, OPERATOR)
        assert remind(store.engine) == 0

    def test_servers_that_look_at_once_make_each_reminder_once(self, store: Store) -> None:
        """Those of all channels and budgets."""
        stored = [made(store, name=name) for name in ("x", "y")]
        opened(store, "one", "two")
        sent(store, *stored)
        time_passes(store, HOUR_S + 5)
        barrier = Barrier(3)

        def look() -> None:
            barrier.wait()
            remind(store.engine)

        with ThreadPoolExecutor(3) as pool:
            for each in [pool.submit(look) for _ in range(3)]:
                each.result()
        assert [each.kind for each in sent(store, *stored)] == ["reminder"] * 4

    def test_alertmanager_is_told_all_the_time_what_holds_and_for_a_while_what_is_over(self, store: Store) -> None:
        """By one delivery for each alert, which is sent over and over, whatever the hour; one that fails does not wait for long."""
        stored = made(store, type="alertmanager", remind_every_s=None)
        opened(store)
        sent(store, stored)
        for _ in range(3):
            time_passes(store, ALERTMANAGER_AGAIN_S + 1)
            assert remind(store.engine) == 2
            assert said(sent(store, stored)) == [("reminder", 0.5, "warning"), ("reminder", 1.0, "exceeded")]
        assert len(all_of(store)) == 4

        time_passes(store, ALERTMANAGER_AGAIN_S + 1)
        remind(store.engine)
        sent(store, stored, state="failed")
        remind(store.engine)
        assert {each.state for each in sent(store, stored)} == {"sending"}

        Judge(store.engine).judge_all(datetime.now(UTC) + timedelta(days=2))
        assert said(sent(store, stored)) == [("alert", 1.0, "resolved"), ("alert", 0.5, "resolved")]
        for _ in range(3):
            time_passes(store, ALERTMANAGER_AGAIN_S + 1)
            assert remind(store.engine) == 2
            assert {state for _, _, state in said(sent(store, stored))} == {"resolved"}
        time_passes(store, 900)
        assert remind(store.engine) == 0
        assert {each.state for each in all_of(store)} == {"done"}

    def test_what_is_crossed_again_is_not_told_to_be_over(self, store: Store) -> None:
        """Alertmanager would end the new alert with the end of the old one."""
        stored = made(store, type="alertmanager", remind_every_s=None)
        opened(store, thresholds=[1.0])
        sent(store, stored)
        later = datetime.now(UTC) + timedelta(days=2)
        Judge(store.engine).judge_all(later)
        assert said(sent(store, stored)) == [("alert", 1.0, "resolved")]
        Judge(store.engine).judge_all(datetime.now(UTC))
        assert said(sent(store, stored)) == [("alert", 1.0, "exceeded")]
        time_passes(store, ALERTMANAGER_AGAIN_S + 1)
        assert remind(store.engine) == 1
        assert said(sent(store, stored)) == [("reminder", 1.0, "exceeded")]

    def test_a_crossing_holds_also_when_an_early_warning_of_the_same_threshold_is_over(self, store: Store) -> None:
        """As it is when the limit is reached that was forecast."""
        stored = made(store, type="alertmanager", remind_every_s=None)
        opened(store, thresholds=[1.0])
        sent(store, stored)
        with writing(store.engine) as connection:
            row = dict(connection.execute(select(schema.alert)).mappings().one())
            forecast = {"id": "forecast", "basis": "forecast", "state": "resolved", "sequence": 99}
            connection.execute(insert(schema.alert).values({**row, **forecast}))
        time_passes(store, ALERTMANAGER_AGAIN_S + 1)
        assert remind(store.engine) == 1
        assert said(sent(store, stored)) == [("reminder", 1.0, "exceeded")]

    def test_nothing_is_asked_while_nothing_is_told_again(self, store: Store) -> None:
        """One look at the channels, and no more."""
        made(store, remind_every_s=None)
        opened(store)
        asked: list[str] = []
        events.listen(store.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
        assert remind(store.engine) == 0
        assert sum("FROM" in statement for statement in asked) == 1
