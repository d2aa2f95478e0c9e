"""Servers that crash, stall and come back at any moment: nothing is lost, nothing is sent twice without need, order is kept."""

from collections import Counter, defaultdict
from itertools import chain

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import text

from rice_stream.alerting.tries import TakenDelivery, TriedDelivery, mark, take
from rice_stream.channels.answers import ReceiverAnswer
from rice_stream.channels.schedule import Schedule
from rice_stream.store import schema
from rice_stream.store.engine import open_engine, writing
from tests.support.cases import size
from tests.support.delivering import DONE, FAILED, made_channel, send_to, stored

SERVERS = st.sampled_from(["one", "two"])
LIMITED = ReceiverAnswer(status=429, retry_after_s=60, problem="it answered 429")
PATIENT = Schedule(tuple(60.0 for _ in range(1000)))


class Crashes(RuleBasedStateMachine):
    """Two channels, some lanes and two servers; a receiver that notes what it takes."""

    @initialize()
    def begin(self) -> None:
        """An empty ledger in memory."""
        self.engine = open_engine("sqlite://")
        schema.metadata.create_all(self.engine)
        self.channels = [made_channel(self.engine, name) for name in ("a", "b")]
        self.number = 0
        self.pending: dict[str, list[TakenDelivery]] = defaultdict(list)
        self.leased: dict[int, str] = {}
        """Which server has what, as long as its lease lasts."""
        self.doubtful: set[str] = set()
        """What was sent and not marked, or whose lease ran out: it may arrive twice."""
        self.accepted: list[tuple[str, tuple[int, str | None], int]] = []

    @rule(lane=st.sampled_from(["x", "x", "y", None]), count=st.integers(1, 3))
    def add(self, lane: str | None, count: int) -> None:
        """Alerts, to both channels."""
        causes = [str(self.number + place) for place in range(count)]
        self.number += count
        for channel in self.channels:
            send_to(self.engine, channel, causes, lane=lane)

    @rule(server=SERVERS, limit=st.sampled_from([1, 8]))
    def take(self, server: str, limit: int) -> None:
        """A server takes what is due: never what another one has."""
        for taken in take(self.engine, server, lambda _channel: limit, lease_s=3600.0):
            assert taken.delivery.id not in self.leased
            self.leased[taken.delivery.id] = server
            self.pending[server].append(taken)

    @rule(
        server=SERVERS,
        answer=st.sampled_from([DONE, DONE, FAILED, LIMITED, None]),
        marks=st.sampled_from([True, True, True, False]),
    )
    def send(self, server: str, answer: ReceiverAnswer | None, marks: bool) -> None:
        """It sends the first of these, or gives it back; and marks it, or dies before."""
        if not self.pending[server]:
            server = next(filter(self.pending.__getitem__, self.pending), server)
        if not self.pending[server]:
            return
        taken = self.pending[server].pop(0)
        if answer is DONE:
            place = taken.channel.id, taken.delivery.lane
            self.accepted.append((taken.delivery.message_id, place, taken.delivery.id))
        if not marks:
            self.die(server, taken.delivery.message_id)
            return
        owned = self.leased.get(taken.delivery.id) == server
        marked = mark(self.engine, server, [TriedDelivery(taken, answer)], PATIENT, lambda: 0.0)
        if owned:
            assert [each.id for each in marked] == [taken.delivery.id]
            del self.leased[taken.delivery.id]

    def die(self, server: str, sent: str) -> None:
        """What it had taken stays taken until the lease runs out; it comes back knowing nothing."""
        self.doubtful.add(sent)
        self.pending[server] = []

    @rule()
    def time_passes(self) -> None:
        """Two hours: leases run out, also those of servers that only stall, and what failed is due."""
        with writing(self.engine) as connection:
            passes = "next_at_us = next_at_us - 7200000000, lease_until_us = lease_until_us - 7200000000"
            connection.execute(text(f"UPDATE delivery SET {passes}"))
        self.doubtful |= {taken.delivery.message_id for taken in chain(*self.pending.values())}
        self.leased = {}

    @invariant()
    def each_lane_is_in_order(self) -> None:
        """As far as what arrives for the first time."""
        first: dict[str, tuple[tuple[int, str | None], int]] = {}
        for message_id, place, number in getattr(self, "accepted", []):
            first.setdefault(message_id, (place, number))
        lanes = defaultdict(list)
        for place, number in first.values():
            if place[1] is not None:
                lanes[place].append(number)
        assert all(numbers == sorted(numbers) for numbers in lanes.values())

    def teardown(self) -> None:
        """One server that stays alive delivers the rest."""
        if not hasattr(self, "engine"):
            return
        while any(each.state != "done" for each in stored(self.engine)):
            self.time_passes()
            rest = take(self.engine, "last", lambda _channel: 100, lease_s=3600.0)
            assert rest
            for taken in rest:
                place = taken.channel.id, taken.delivery.lane
                self.accepted.append((taken.delivery.message_id, place, taken.delivery.id))
            mark(self.engine, "last", [TriedDelivery(each, DONE) for each in rest], PATIENT, lambda: 0.0)
        self.each_lane_is_in_order()
        arrived = Counter(message_id for message_id, _, _ in self.accepted)
        assert set(arrived) == {each.message_id for each in stored(self.engine)}
        assert len(arrived) == 2 * self.number
        assert {message_id for message_id, count in arrived.items() if count > 1} <= self.doubtful
        self.engine.dispose()


Crashes.TestCase.settings = settings(max_examples=size(25, 400), stateful_step_count=30, deadline=None)
TestCrashes = Crashes.TestCase
