"""Kafka as far as a consumer group sees it: logs with holes, committed offsets, generations, who has which partition."""

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from typing import NamedTuple, Protocol

from faust.types import TP

TOPIC = "events"
TIMESTAMP_MS = 1_795_348_800_000
"""What Kafka says of records whose timestamp does not matter: 2026-11-22T12:00:00Z."""


Headers = tuple[tuple[str, bytes], ...]


class LogRecord(NamedTuple):
    """A record as the consumer library hands it out."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    headers: Headers = ()
    timestamp: int = TIMESTAMP_MS
    timestamp_type: int = 0
    key: bytes | None = None


class Member(Protocol):
    """What the coordinator needs of a worker."""

    name: str
    reachable: bool

    async def revoke(self) -> None:
        """Give everything back; may still commit with the old generation."""
        ...

    async def assign(self, partitions: frozenset[TP], generation: int) -> None:
        """Take these partitions and begin at the committed offsets."""
        ...


class Log:
    """One partition."""

    def __init__(self) -> None:
        self.records: list[LogRecord] = []
        self.end = 0

    def append(
        self, partition: int, value: bytes | None, timestamp_ms: int, headers: Headers, *, hole: int, marker: bool
    ) -> None:
        """Append a record, `hole` offsets behind the last one (compaction), perhaps with a transaction's marker."""
        offset = self.end + hole
        self.records.append(LogRecord(TOPIC, partition, offset, value, headers, timestamp_ms))
        self.end = offset + 1 + marker

    def read(self, position: int, count: int) -> list[LogRecord]:
        """Up to `count` records from `position` on."""
        return [record for record in self.records if record.offset >= position][:count]


class Broker:
    """The cluster. `on_commit(tp, offset)` is told of every offset commit that is taken."""

    def __init__(self, random: Random, partitions: int, on_commit: Callable[[TP, int], None]) -> None:
        self.logs = {TP(TOPIC, k): Log() for k in range(partitions)}
        self.committed: dict[TP, int] = {}
        self.generation = 0
        self.lose_commits = 0.0
        """The share of offset commits that fail."""
        self.commits_refused = 0
        self.members: list[Member] = []
        self.owner: dict[TP, Member] = {}
        self.more = asyncio.Event()
        """Set anew whenever something was appended."""
        self._random = random
        self._on_commit = on_commit
        self._rebalancing = asyncio.Lock()

    def append(
        self, tp: TP, value: bytes | None, timestamp_ms: int = TIMESTAMP_MS, headers: Headers = (), *, hole: int = 0
    ) -> None:
        """A producer's record; one in six ends a transaction."""
        marker = self._random.random() < 1 / 6
        self.logs[tp].append(tp.partition, value, timestamp_ms, headers, hole=hole, marker=marker)
        self.wake()

    def wake(self) -> None:
        """Let waiting fetches look again."""
        self.more.set()
        self.more = asyncio.Event()

    def recreate_topic(self) -> None:
        """Delete the topic and make it anew: logs are empty, offsets begin at 0, the group's offsets are gone."""
        for tp in self.logs:
            self.logs[tp] = Log()
        self.committed.clear()

    def commit(self, member: Member, generation: int, offsets: Mapping[TP, int]) -> bool:
        """Take an offset commit of the present generation; refuse any other."""
        known = member in self.members and generation == self.generation and member.reachable
        if not known or self._random.random() < self.lose_commits:
            self.commits_refused += 1
            return False
        for tp, offset in offsets.items():
            self.committed[tp] = offset
            self._on_commit(tp, offset)
        return True

    async def join(self, member: Member) -> None:
        """A worker comes (or comes back)."""
        if member not in self.members:
            self.members.append(member)
        await self.rebalance()

    async def leave(self, member: Member) -> None:
        """A worker goes, or its session timed out."""
        if member in self.members:
            self.members.remove(member)
            await self.rebalance()

    async def rebalance(self) -> None:
        """Everybody gives back everything, then the partitions are dealt out by chance under a new generation."""
        async with self._rebalancing:
            for member in self.members:
                if member.reachable:
                    await member.revoke()
            # Who left, died or fell silent in the meantime gets nothing.
            self.members = [member for member in self.members if member.reachable]
            self.generation += 1
            self.owner = {tp: self._random.choice(self.members) for tp in self.logs if self.members}
            for member in list(self.members):
                await member.assign(frozenset(self.owned_by(member)), self.generation)

    def owned_by(self, member: Member) -> list[TP]:
        """Partitions of a member, in order."""
        return [tp for tp, owner in self.owner.items() if owner is member]

    def lag(self) -> int:
        """Offsets that the group has not committed, as Kafka counts them: markers too."""
        return sum(log.end - self.committed.get(tp, 0) for tp, log in self.logs.items())
