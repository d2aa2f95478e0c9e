"""What is sent in one schedule, and the truth about it."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

from rice_stream.events.refused_items import REFUSED_PER_RECORD_MAX
from rice_stream.events.trust import MARK
from tests.simulation.broker import TIMESTAMP_MS, Headers
from tests.simulation.settings_changes import call, meaning
from tests.simulation.worker import START_S
from tests.support.fakes import RCI_GCO2E_PER_KWH

QUARREL = "quarrel"
"""The tenant whose events come again with other content: which one stands depends on who is first."""
TENANTS = ("acme", "globex", QUARREL)
ARCHIVE = "archive"
"""The tenant whose events are weeks old when they come: retention may have dropped their months. It has no budgets."""
USERS = ("u1", "u2")
HOURS = 48
DAY_MS = 24 * 3600 * 1000
_KINDS = {
    "one": 40, "several": 8, "again": 20, "other": 6, "poison": 8, "lines": 5, "tombstone": 3, "crowd": 2, "huge": 3,
    "call": 25, "old": 8, "reply": 10, "resend": 10,
    "stated": 10, "ahead": 4, "future": 6,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sent:
    """One record to produce."""

    at_s: float
    partition: int
    value: bytes | None
    hole: int
    timestamp_ms: int
    headers: Headers
    """The mark of a door, for what a sender over HTTP said."""
    resent: bool
    """Whether it is a request without a time of its own that was sent before, with another timestamp."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a record's value is, item by item."""

    events: tuple[dict[str, Any], ...]
    refused: tuple[int, ...]
    """Items that have a row in quarantine."""


class Traffic:
    """Records of one schedule, in the order of sending; `meanings` says what each value holds."""

    def __init__(self, random: Random, *, count: int, partitions: int, seconds: float, prefix: str = "e") -> None:
        self._random = random
        self._prefix = prefix
        self._serial = 0
        self._events: list[dict[str, Any]] = []
        self._values: list[bytes] = []
        self._replies: dict[str, dict[str, Any]] = {}
        """Requests without a time of their own, by their ids."""
        self._day_of: dict[bytes, tuple[str, int]] = {}
        """Value of such a request -> its id, and when the day begins within which all of its deliveries lie."""
        self._sent_ids: set[str] = set()
        self._through_a_door: set[bytes] = set()
        """Values whose factors nobody believes, whenever they are delivered."""
        self.future: set[bytes] = set()
        """Values of events that are refused because they have not ended yet."""
        self.meanings: dict[bytes | None, Meaning] = {None: Meaning((), (0,))}
        times = sorted(random.uniform(0, seconds) for _ in range(count))
        self.sent = [self._send(at_s, random.randrange(partitions)) for at_s in times]

    def _send(self, at_s: float, partition: int) -> Sent:
        value = self._value()
        hole = self._random.choice([0, 0, 0, 0, 1, 3])
        if value not in self._day_of:
            headers = MARK if value in self._through_a_door else ()
            return Sent(at_s, partition, value, hole, TIMESTAMP_MS, headers, resent=False)
        event_id, first_ms = self._day_of[value]
        resent = event_id in self._sent_ids
        self._sent_ids.add(event_id)
        return Sent(at_s, partition, value, hole, first_ms + self._random.randrange(DAY_MS), (), resent=resent)

    def _value(self) -> bytes | None:
        kind = self._random.choices(
            tuple(_KINDS),
            tuple(_KINDS.values()),
        )[0]
        if kind in ("reply", "resend"):
            return self._reply(self._reply_again() if kind == "resend" and self._replies else self._new_reply())
        if kind == "again" and self._values:
            return self._random.choice(self._values)
        if kind == "tombstone":
            return None
        if kind == "other" and (disputed := [e for e in self._events if e["tenant_id"] == QUARREL]):
            changed = {**self._random.choice(disputed), "output_tokens": self._random.randrange(500)}
            return self._remember(json.dumps(changed).encode(), Meaning((changed,), ()))
        if kind == "poison":
            return self._remember(self._poison(), Meaning((), (0,)))
        if kind == "several":
            events = tuple(self._event() for _ in range(self._random.randint(2, 4)))
            return self._remember(json.dumps(events).encode(), Meaning(events, ()))
        if kind == "huge":  # more events than a batch takes
            events = tuple(self._event() for _ in range(self._random.randint(5, 30)))
            lines = [json.dumps(event) for event in events]
            return self._remember("\n".join([*lines[:3], "not JSON", *lines[3:]]).encode(), Meaning(events, (3,)))
        if kind == "lines":
            events = (self._event(), self._event())
            lines = [json.dumps(events[0]), f"not JSON {self._serial}", json.dumps(events[1])]
            return self._remember("\n".join(lines).encode(), Meaning(events, (1,)))
        if kind == "call":
            return self._call()
        return self._one(kind)

    def _one(self, kind: str) -> bytes:
        if kind in ("stated", "future"):
            return self._stated() if kind == "stated" else self._of_the_future()
        event = self._event()
        if kind == "ahead":  # by a clock that is wrong by less than a day
            self._archive(event, START_S + self._random.uniform(0, 20) * 3600)
        if kind == "old":
            self._archive(event, START_S - self._random.choice([5, 25, 40, 60, 75]) * 86_400)
        if kind == "crowd":
            bad = self._random.choice([REFUSED_PER_RECORD_MAX, REFUSED_PER_RECORD_MAX + 1, 1_500])
            rows = range(min(bad, REFUSED_PER_RECORD_MAX + 1))  # the last of them stands for all further ones
            return self._remember(json.dumps([*[0] * bad, event]).encode(), Meaning((event,), tuple(rows)))
        return self._remember(json.dumps(event).encode(), Meaning((event,), ()))

    def _archive(self, event: dict[str, Any], ended_s: float) -> None:
        event |= {"tenant_id": ARCHIVE, "ended_at": _rfc3339(ended_s)}
        event.pop("user_id", None)

    def _of_the_future(self) -> bytes:
        event = self._event()
        self._events.remove(event)
        event["ended_at"] = _rfc3339(START_S + self._random.choice([1.1, 30, 400, 9_000]) * 86_400)
        value = self._remember(json.dumps(event).encode(), Meaning((), (0,)))
        self.future.add(value)
        return value

    def _stated(self) -> bytes:
        """An event that says that its electricity is twice as dirty: believed of a topic's sender, not of one over HTTP."""
        event = self._event()
        event |= {"tenant_id": self._random.choice(["acme", "globex"]), "rci_gco2e_per_kwh": 2 * RCI_GCO2E_PER_KWH}
        value = json.dumps(event).encode()
        if self._random.random() < 0.5:
            self._through_a_door.add(value)
            counted = {name: said for name, said in event.items() if name != "gateway_cache_hit"}
        else:
            counted = {**event, "carbon_times": 2}
        return self._remember(value, Meaning((counted,), ()))

    def _new_reply(self) -> dict[str, Any]:
        """What a reply that says no time is: a request of some day, whatever the broker says of each delivery."""
        random = self._random
        self._serial += 1
        event: dict[str, Any] = {
            "event_id": f"{self._prefix}-msg-{self._serial}",
            "tenant_id": random.choice(TENANTS),
            "request_model": random.choice(["small", "big"]),
            "input_tokens": random.choice([0, 7, 100]),
            "output_tokens": random.choice([0, 3, 50]),
        }
        self._replies[event["event_id"]] = event
        return event

    def _reply_again(self) -> dict[str, Any]:
        event = self._random.choice(list(self._replies.values()))
        if event["tenant_id"] == QUARREL and self._random.random() < 0.5:
            event = {**event, "output_tokens": self._random.randrange(500)}
        return event

    def _reply(self, event: dict[str, Any]) -> bytes:
        """The event as Anthropic's API answers; now and then twice in one record."""
        usage = {name: event[name] for name in ("input_tokens", "output_tokens")}
        reply = {
            "id": event["event_id"],
            "type": "message",
            "model": event["request_model"],
            "request_model": event["request_model"],
            "tenant_id": event["tenant_id"],
            "usage": {**usage, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0},
        }
        lines = [json.dumps(reply)] * self._random.choice([1, 1, 1, 2])
        value = self._remember("\n".join(lines).encode(), Meaning((event,) * len(lines), ()))
        days = [first_ms for event_id, first_ms in self._day_of.values() if event_id == event["event_id"]]
        first_ms = days[0] if days else TIMESTAMP_MS - DAY_MS - self._random.randrange(DAY_MS)
        self._day_of[value] = event["event_id"], first_ms
        return value

    def _remember(self, value: bytes, meaning: Meaning) -> bytes:
        self.meanings[value] = meaning
        self._values.append(value)
        return value

    def _call(self) -> bytes:
        """A gateway's call that ended about now, by a clock that may be ahead: near the instants of changed settings."""
        self._serial += 1
        ended_s = START_S + self._random.choice([-3600.0, -1.0, 0.0, 8.0, 20.0, 70.0]) + self._random.uniform(0, 4)
        said = call(self._random, f"{self._prefix}-{self._serial}", int(ended_s * 1e6))
        return self._remember(json.dumps(said).encode(), Meaning((meaning(said),), ()))

    def _event(self) -> dict[str, Any]:
        random = self._random
        self._serial += 1
        ended_s = START_S - random.randrange(HOURS * 3600)
        event = {
            "event_id": f"{self._prefix}-{self._serial}",
            "tenant_id": random.choice(TENANTS),
            "ended_at": _rfc3339(ended_s),
            "request_model": random.choice(["small", "small", "big"]),
            "input_tokens": random.choice([None, 0, 7, 100, 2000]),
            "output_tokens": random.choice([None, 0, 3, 50]),
        }
        if random.random() < 0.3:
            event |= {"team_id": random.choice(["a", "b"]), "user_id": random.choice(USERS)}
        if random.random() < 0.1:
            event |= {"status": "error"}
        if random.random() < 0.1:
            event |= {"gateway_cache_hit": True}
        self._events.append(event)
        return event

    def _poison(self) -> bytes:
        self._serial += 1
        tail = str(self._serial).encode()
        return self._random.choice(
            [b"\xff\x00" + tail, b"{" + tail, b'{"event_id":"' + tail + b'"}', tail, b'{"input_tokens":-1,"x":"' + tail]
        )


def digest(value: bytes | None) -> bytes:
    """The digest that the quarantine keeps of a record."""
    return hashlib.blake2b(value or b"", digest_size=16).digest()


def _rfc3339(epoch_s: float) -> str:
    return datetime.fromtimestamp(epoch_s, tz=UTC).isoformat().replace("+00:00", "Z")
