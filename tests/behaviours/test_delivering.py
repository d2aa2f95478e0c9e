"""Servers that deliver: everything arrives, in order, once wherever that can be known; and nothing holds up anything else."""

import asyncio
import random
import threading
from collections import Counter

from sqlalchemy import Engine, text

from rice_stream.alerting.delivering import Chore
from rice_stream.channels.answers import ReceiverAnswer
from rice_stream.channels.definition import Channel, Parcel, Secrets
from rice_stream.channels.schedule import Schedule
from rice_stream.errors import ServiceUnavailableError
from rice_stream.store.channel_store import load_channels
from rice_stream.store.engine import open_engine, reading, writing
from tests.support.databases import Databases
from tests.support.delivering import (
    AT_ONCE,
    DONE,
    FAILED,
    GONE,
    QUICK,
    Counted,
    Receiver,
    by_lane,
    made_channel,
    send_to,
    serving,
    states,
    stored,
    until,
)

LATER = Schedule((0.0, 3600.0))


def all_done(engine: Engine) -> bool:
    """Whether nothing is open."""
    return set(states(engine)) == {"done"}


def test_two_servers_deliver_everything_once_in_the_order_of_each_lane(either_database: Databases) -> None:
    """To a receiver that refuses half of the tries, some with a word when to come again: each message is taken once."""
    engine = open_engine(either_database.emptied(), connections=8)
    luck = random.Random(15)
    limits = ReceiverAnswer(status=429, retry_after_s=0.0, problem="it answered 429")
    receiver = Receiver(lambda _parcel, _count: luck.choice([DONE, DONE, FAILED, limits]))
    channels = [made_channel(engine, name) for name in ("one", "two")]
    for lane in range(12):
        for channel in channels:
            send_to(engine, channel, [f"{lane}/{number}" for number in range(5)], lane=f"budget:{lane}")
    counted = Counted()

    async def deliver() -> None:
        async with serving(engine, receiver, servers=2, metrics=counted):
            await until(lambda: all_done(engine))

    asyncio.run(deliver())
    found = stored(engine)
    assert Counter(receiver.taken) == Counter(each.message_id for each in found)
    assert len(found) == 120
    places = {message: place for place, message in enumerate(receiver.taken)}
    for messages in by_lane(found).values():
        assert sorted(messages, key=places.__getitem__) == messages
    assert not receiver.crowded
    assert counted.tries["webhook", "done"] == 120
    assert sum(counted.tries.values()) == len(receiver.asked) > 150
    limited = len(receiver.asked) - sum(each.attempts for each in found)
    assert limited > 10
    engine.dispose()


class TestDelivering:
    """On every database."""

    def test_a_receiver_that_hangs_holds_up_no_other_and_what_is_taken_is_given_back(self, engine: Engine) -> None:
        """Each try ends in time; when the server stops, the rest is due for the next one, and not counted as tried."""
        slow, quick = made_channel(engine, "slow"), made_channel(engine, "quick")
        send_to(engine, slow, [f"s{number}" for number in range(40)])
        send_to(engine, quick, [f"q{number}" for number in range(40)])
        receiver = Receiver()

        async def hang(parcel: Parcel, channel: Channel, secrets: Secrets) -> ReceiverAnswer:
            if channel.name == "slow":
                await asyncio.Event().wait()
            return await receiver(parcel, channel, secrets)

        async def deliver() -> None:
            async with serving(engine, hang, schedule=LATER):
                await until(lambda: states(engine)["done"] == 40 and states(engine)["failed"] >= 8)

        asyncio.run(deliver())
        failed = [each for each in stored(engine) if each.state == "failed"]
        assert {each.problem for each in failed} == {"it took longer than 0.5 s"}
        given_back = [each for each in stored(engine) if each.state == "due"]
        assert len(failed) + len(given_back) == 40
        assert {(each.attempts, each.lease_by) for each in given_back} == {(0, None)}

    def test_a_database_that_is_away_is_waited_for_and_nothing_is_sent_again(self, engine: Engine) -> None:
        """What was sent meanwhile is marked when it is back."""
        send_to(engine, made_channel(engine), ["a", "b"])
        receiver, away = Receiver(), threading.Event()

        def answer(_parcel: Parcel, _count: int) -> ReceiverAnswer:
            away.set()
            return DONE

        def open_it() -> Engine:
            if away.is_set():
                raise ServiceUnavailableError("the database did not answer")
            return engine

        receiver.answer = answer

        async def deliver() -> None:
            async with serving(open_it, receiver):
                await until(lambda: len(receiver.taken) == 2)
                assert states(engine) == {"sending": 2}
                away.clear()
                await until(lambda: all_done(engine))

        asyncio.run(deliver())
        assert len(receiver.asked) == 2

    def test_a_message_that_cannot_be_made_and_a_chore_that_fails_keep_nothing_else_from_going(
        self, engine: Engine
    ) -> None:
        """Mistakes of ours are logged, and tried again."""
        channel = made_channel(engine)
        send_to(engine, channel, ["bad", "good"])
        [bad, good] = stored(engine)
        receiver, runs = Receiver(), Counter[str]()

        async def break_one(parcel: Parcel, channel: Channel, secrets: Secrets) -> ReceiverAnswer:
            if parcel.message_id == bad.message_id:
                raise KeyError("address")
            return await receiver(parcel, channel, secrets)

        def fail(_engine: Engine) -> None:
            runs["failing"] += 1
            raise ValueError("no")

        def work(_engine: Engine) -> None:
            runs["working"] += 1

        async def deliver() -> None:
            chores = Chore("failing", 0.01, fail), Chore("working", 0.01, work)
            async with serving(engine, break_one, schedule=LATER, chores=chores):
                await until(lambda: states(engine) == {"failed": 1, "done": 1} and min(runs.values()) > 2)

        asyncio.run(deliver())
        assert receiver.taken == [good.message_id]
        assert stored(engine)[0].problem == "it cannot be made (KeyError); the log of the server says more"

    def test_of_a_channel_that_fails_for_a_day_the_others_are_told_and_again_when_it_works(
        self, engine: Engine
    ) -> None:
        """Those that see its tenants; once. One whose receiver is gone is disabled, and what waits for it is dead."""
        acme, globex = frozenset({"acme"}), frozenset({"globex"})
        sick = made_channel(engine, "sick", tenants=acme)
        gone = made_channel(engine, "gone", tenants=acme)
        for name, tenants in (("every", None), ("acme", acme), ("globex", globex), ("both", acme | globex)):
            made_channel(engine, name, tenants=tenants)
        for channel in (sick, gone):
            send_to(engine, channel, ["a", "b"], lane="x")
        with writing(engine) as connection:
            since = "UPDATE channel SET failing_since_us = updated_at_us - 90000000000 WHERE name = 'sick'"
            connection.execute(text(since))
        answers = {"sick": FAILED, "gone": GONE}
        said: Counter[tuple[str, str]] = Counter()

        async def send(parcel: Parcel, channel: Channel, _secrets: Secrets) -> ReceiverAnswer:
            if parcel.kind == "notice" and channel.name not in answers:
                said[channel.name, f"{parcel.content['data']['channel']} {parcel.content['data']['state']}"] += 1
            return answers.get(channel.name, DONE)

        async def deliver() -> None:
            counted = Counted()
            async with serving(engine, send, schedule=Schedule((0.0, *[0.05] * 100)), metrics=counted):
                await until(lambda: len(said) == 6)
                await until(lambda: counted.stand is not None and counted.stand.failing == 2)
                answers["sick"] = DONE
                await until(lambda: len(said) == 9)

        asyncio.run(deliver())
        assert set(said.values()) == {1}
        news = "sick failing", "gone disabled", "sick ok"
        assert set(said) == {(name, what) for name in ("every", "acme", "both") for what in news}
        of_gone = [(each.cause, each.state) for each in stored(engine) if each.channel == "gone"]
        assert of_gone[:2] == [("a", "dead"), ("b", "dead")]
        with reading(engine) as connection:
            assert {each.channel.name: each.state for each in load_channels(connection)}["gone"] == "disabled"

    def test_what_is_added_for_a_channel_that_is_gone_is_dead(self, engine: Engine) -> None:
        """An alert may be judged at the moment at which the channel is removed."""
        channel = made_channel(engine)
        send_to(engine, channel, ["a"])
        with writing(engine) as connection:
            connection.execute(text("DELETE FROM channel"))

        async def deliver() -> None:
            async with serving(engine, Receiver(), times=QUICK, schedule=AT_ONCE):
                await until(lambda: states(engine) == {"dead": 1})

        asyncio.run(deliver())
        assert stored(engine)[0].problem == "the channel was removed"
