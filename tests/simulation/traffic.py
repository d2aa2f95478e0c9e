"""What is sent in one schedule, and the truth about it."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

from rice_stream.events.refused_items import REFUSED_PER_RECORD_MAX
from tests.simulation.settings_changes import call, meaning
from tests.simulation.worker import START_S

QUARREL = "quarrel"
"""The tenant whose events come again with other content: which one stands depends on who is first."""
TENANTS = ("acme", "globex", QUARREL)
ARCHIVE = "archive"
"""The tenant whose events are weeks old when they come: retention may have dropped their months. It has no budgets."""
USERS = ("u1", "u2")
HOURS = 48


@dataclass(frozen=True, slots=True)
class Sent:
    """One record to produce."""

    at_s: float
    partition: int
    value: bytes | None
    hole: int


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
        self.meanings: dict[bytes | None, Meaning] = {None: Meaning((), (0,))}
        times = sorted(random.uniform(0, seconds) for _ in range(count))
        self.sent = [
            Sent(at_s, random.randrange(partitions), self._value(), random.choice([0, 0, 0, 0, 1, 3])) for at_s in times
        ]

    def _value(self) -> bytes | None:
        kind = self._random.choices(
            ("one", "several", "again", "other", "poison", "lines", "tombstone", "crowd", "huge", "call", "old"),
            (50, 8, 20, 6, 8, 5, 3, 2, 3, 25, 8),
        )[0]
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
        event = self._event()
        if kind == "old":
            days = self._random.choice([5, 25, 40, 60, 75])
            event |= {"tenant_id": ARCHIVE, "ended_at": _rfc3339(START_S - days * 86_400)}
            event.pop("user_id", None)
        if kind == "crowd":
            bad = self._random.choice([REFUSED_PER_RECORD_MAX, REFUSED_PER_RECORD_MAX + 1, 1_500])
            rows = range(min(bad, REFUSED_PER_RECORD_MAX + 1))  # the last of them stands for all further ones
            return self._remember(json.dumps([*[0] * bad, event]).encode(), Meaning((event,), tuple(rows)))
        return self._remember(json.dumps(event).encode(), Meaning((event,), ()))

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
