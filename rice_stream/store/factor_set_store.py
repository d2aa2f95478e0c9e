"""Factor sets in the database: each with its content, and the instant from which events are estimated with it.

A set holds for events that end after everything that is recorded already, so no record would be estimated otherwise today, and
what holds at the end of an event never changes once such an event is recorded.
"""

from collections.abc import Collection
from functools import partial
from threading import Lock
from typing import NamedTuple

from sqlalchemy import Connection, Engine, insert, select

from rice_stream.errors import UsageError
from rice_stream.instants import rfc3339
from rice_stream.reference.sets.columns import LAID_KINDS
from rice_stream.reference.sets.factor_set import FactorSet
from rice_stream.store import schema
from rice_stream.store.attribution_store import latest_end_us
from rice_stream.store.audit import Actor, AuditedChange, record
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import reading, writing
from rice_stream.store.mapping_store import LEAD_US, REFRESH_US
from rice_stream.store.rules_lock import lock_rules
from rice_stream.store.trying_again import tried_again

FactorSets = tuple[tuple[int, bytes], ...]
"""(effective from, content) of each, in the order in which they are laid."""
_LOCK_TRIES = 30
_COLUMNS = [column for column in schema.factor_set.c if column.name != "content"]


class StoredSet(NamedTuple):
    """A row of `factor_set` without its content."""

    digest: str
    kind: str
    name: str
    source: str
    licence: str
    published: str
    row_count: int
    valid_from_us: int | None
    valid_to_us: int | None
    effective_from_us: int
    added_by: str
    added_at_us: int


class AddedSet(NamedTuple):
    """What became of a set that was to be added; `is_new` False: it was there."""

    stored: StoredSet
    is_new: bool


def load_sets(connection: Connection) -> tuple[StoredSet, ...]:
    """All sets in the order in which they are laid."""
    table = schema.factor_set.c
    query = select(*_COLUMNS).order_by(table.effective_from_us, table.digest)
    return tuple(StoredSet(*row) for row in connection.execute(query))


class KnownSets:
    """All sets with their content, looked up again by `look`. What is known is not read a second time: sets never change."""

    def __init__(self) -> None:
        self.begun: tuple[tuple[int, str], ...] = ()
        """(effective from, digest) of each."""
        self._sets: FactorSets = ()

    def look(self, connection: Connection) -> FactorSets:
        """(effective from, content) of each in the order in which they are laid; the same object until one was added."""
        table = schema.factor_set.c
        rows = connection.execute(select(table.effective_from_us, table.digest)).all()
        begun = tuple(sorted((int(row[0]), str(row[1])) for row in rows))
        if begun != self.begun:
            known = {digest: content for (_, digest), (_, content) in zip(self.begun, self._sets, strict=True)}
            known |= load_contents(connection, [digest for _, digest in begun if digest not in known])
            self._sets = tuple((start_us, known[digest]) for start_us, digest in begun)
            self.begun = begun
        return self._sets


class FollowedSets:
    """Called with the present time (epoch microseconds), gives the sets, at most REFRESH_US old. For several threads."""

    def __init__(self, engine: Engine) -> None:
        """`engine` must see everything: who sees less sees no sets."""
        self._engine = engine
        self._known = KnownSets()
        self.latest: FactorSets | None = None
        """As they were known last; None: the database never answered."""
        self._looked_at_us = 0
        self._lock = Lock()

    def __call__(self, now_us: int) -> FactorSets:
        """The same object until a set was added. StoreUnavailableError: the database did not answer."""
        with self._lock:
            if self.latest is None or not 0 <= now_us - self._looked_at_us < REFRESH_US:
                with reading(self._engine) as connection:
                    self.latest = self._known.look(connection)
                self._looked_at_us = now_us
            return self.latest


def load_contents(connection: Connection, digests: Collection[str]) -> dict[str, bytes]:
    """Digest -> content of those sets."""
    table = schema.factor_set.c
    query = select(table.digest, table.content).where(table.digest.in_(digests))
    return {row.digest: bytes(row.content) for row in connection.execute(query)}


def add_set(engine: Engine, factor_set: FactorSet, effective_from_us: int | None, by: Actor) -> AddedSet:
    """Let events that end at or after an instant (epoch microseconds) be estimated with the set; None: as soon as every
    worker knows of it. A batch that is being stored is waited for. A set that is there already is not added again.

    Raises:
        UsageError: an event that ended then or later is recorded already; or the set is there, from another instant on.
        StoreUnavailableError: the database did not answer, or batches were in the way for a minute.
    """
    return tried_again(partial(_add_alone, engine, factor_set, effective_from_us, by), _LOCK_TRIES)


def _add_alone(engine: Engine, factor_set: FactorSet, effective_from_us: int | None, by: Actor) -> AddedSet:
    with writing(engine) as connection:
        lock_rules(connection)
        found = _found(connection, factor_set.digest, effective_from_us)
        if found is not None:
            return AddedSet(found, is_new=False)
        now_us = database_now_us(connection)
        if factor_set.kind in LAID_KINDS:
            start_us = _start_us(effective_from_us, now_us, latest_end_us(connection))
        else:  # it is in no estimate, of whatever time
            start_us = now_us if effective_from_us is None else effective_from_us
        stored = StoredSet(
            digest=factor_set.digest,
            kind=factor_set.kind,
            name=factor_set.name,
            source=factor_set.source,
            licence=factor_set.licence,
            published=factor_set.published,
            row_count=len(factor_set.rows),
            valid_from_us=factor_set.valid_from_us,
            valid_to_us=factor_set.valid_to_us,
            effective_from_us=start_us,
            added_by=str(by),
            added_at_us=now_us,
        )
        connection.execute(insert(schema.factor_set).values(**stored._asdict(), content=factor_set.content))
        told = {name: getattr(stored, name) for name in ("kind", "name", "source", "licence", "published")}
        after = {**told, "rows": stored.row_count, "effective_from": rfc3339(start_us)}
        record(connection, by, [AuditedChange("factors.add", "factor_set", stored.digest, after=after)])
        return AddedSet(stored, is_new=True)


def _found(connection: Connection, digest: str, effective_from_us: int | None) -> StoredSet | None:
    row = connection.execute(select(*_COLUMNS).where(schema.factor_set.c.digest == digest)).one_or_none()
    if row is None:
        return None
    found = StoredSet(*row)
    if effective_from_us not in (None, found.effective_from_us):
        raise UsageError(
            f"effective_from: this set is there, effective from {rfc3339(found.effective_from_us)}, which never changes; to let"
            " its content hold again, give it another `published` or `note`"
        )
    return found


def _start_us(asked_us: int | None, now_us: int, latest_us: int | None) -> int:
    """When the set begins to hold; every worker knows of it by then, and nothing that ended then is recorded yet."""
    # Events are ordered by milliseconds.
    recorded_until_us = 0 if latest_us is None else (latest_us // 1000 + 1) * 1000
    if asked_us is None:
        return max(now_us + LEAD_US, recorded_until_us)
    if asked_us < recorded_until_us:
        raise UsageError(
            f"effective_from: events that ended up to {rfc3339(recorded_until_us)} are recorded, and keep their estimates: give"
            " a later instant, or none; the past changes only by `rice-stream restate`"
        )
    return asked_us
