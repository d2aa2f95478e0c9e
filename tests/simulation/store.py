"""The store of a schedule: SQLite in memory, or plain dictionaries; either fails where and when the schedule says."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine

from rice_stream.alerting.judge import Judge
from rice_stream.budgets.definition import Budget
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.versions import AttributionVersion
from rice_stream.events.keyed import KeyedEvents
from rice_stream.meter.amounts import Totals
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.factors import FactorPolicy
from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.making import BatchInMaking
from rice_stream.pipeline.pipeline import Pipeline, Prepared
from rice_stream.proof.rebuild import Rebuild, whole_days
from rice_stream.quantities import Ints
from rice_stream.store.attribution_store import load_versions, propose_version
from rice_stream.store.batch import Batch, CommitResult, Conflict, Records
from rice_stream.store.budget_store import save_budget
from rice_stream.store.closed_months import ClosedMonth
from rice_stream.store.dimensions import Dimensions
from rice_stream.store.engine import StoreUnavailableError, open_engine, reading, writing
from rice_stream.store.entries import EntryGroup
from rice_stream.store.identity_rules import IdentityRules, KnownRules, StoredRules
from rice_stream.store.migrate import migrate
from rice_stream.store.retention import drop_records_before
from rice_stream.store.sqlite import SqliteWriter
from rice_stream.store.totals_tables import DAYS, SLOTS, USER_SLOTS, TotalsTable
from rice_stream.store.watching import watch_user
from rice_stream.store.writer import LedgerStanding, Writer
from tests.simulation.settings_changes import SeldomLooked
from tests.support.damage import DAMAGES, damage_totals
from tests.support.fakes import NOON_US, OPERATOR, TOKEN_DEFAULTS, FakeMethod, fake_reference
from tests.support.store_checks import Rows, rows_in

STEPS = ("begin", "records", "totals", "quarantine", "conflicts", "progress", "committed")
"""Where a transaction may fail; at `committed` it is stored and only the word of it is lost."""

NOT_JUDGED = (SLOTS, USER_SLOTS, DAYS)
"""Totals that no budget of a schedule is judged by."""

WrapWriter = Callable[[Writer], Writer]


class Store(Protocol):
    """What a schedule needs of a store, whichever it is."""

    @property
    def name(self) -> str:
        """As the command line calls it."""
        ...

    @property
    def rows(self) -> Rows:
        """What the tables hold."""
        ...

    def empty(self) -> None:
        """Forget everything."""
        ...

    def pipeline(self, faults: "Faults") -> Pipeline:
        """A new worker's pipeline, with a writer that fails as `faults` say."""
        ...

    def judge(self, now: datetime) -> None:
        """Judge all budgets, states and alerts in one transaction each."""
        ...

    def set_budgets(self, budgets: Iterable[Budget]) -> None:
        """Make these budgets."""
        ...

    def watch_user(self, tenant_id: str, user_id: str) -> None:
        """Keep totals of this user."""
        ...

    def damage(self, random: Random) -> None:
        """Harm a table of totals, though none that budgets are judged by: false alerts would be right then."""
        ...

    def rebuild(self) -> Generator[object, None, None]:
        """Put all totals right, a piece of work at a time; batches may commit in between."""
        ...

    @property
    def versions(self) -> Sequence[AttributionVersion]:
        """The settings of who is charged, in the order in which they came."""
        ...

    def change_settings(self, settings: str, now_us: int) -> None:
        """A worker is started with these settings of who is charged."""
        ...

    def drop_records_before(self, moment: datetime) -> None:
        """Retention: records of whole months before the moment's go, and are never recorded again."""
        ...


@dataclass
class Faults:
    """What is wrong with the store at the moment."""

    random: Random
    away: bool = False
    share: float = 0.0
    """The share of transactions that fail at a random step while the store is there."""
    seen: dict[str, int] = field(default_factory=dict)

    def plan(self) -> str | None:
        """The step at which the next transaction fails; None: it succeeds."""
        if self.away:
            return "begin"
        return self.random.choice(STEPS) if self.random.random() < self.share else None

    def fail(self, step: str) -> None:
        """Fail as a broken connection does."""
        self.seen[step] = self.seen.get(step, 0) + 1
        raise StoreUnavailableError(f"simulated failure at {step}")


class FaultyWriter(Writer):
    """The order of steps is the real one; each is the inner writer's, and may fail once it is done."""

    def __init__(self, inner: Writer, faults: Faults) -> None:
        super().__init__()
        self._inner = inner
        self._faults = faults
        self._plan: str | None = None

    def _at(self, step: str) -> None:
        if self._plan == step:
            self._faults.fail(step)

    def commit(self, batch: Batch) -> CommitResult:
        self._plan = self._faults.plan()
        self._at("begin")
        result = super().commit(batch)
        self._at("committed")
        return result

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._inner._transaction():
            yield

    def _check_rules(self, rules: KnownRules, latest_end_us: int) -> None:
        self._inner._check_rules(rules, latest_end_us)

    def _watched_users(self) -> set[tuple[int, int]]:
        return self._inner._watched_users()

    def _standing(self) -> LedgerStanding:
        return self._inner._standing()

    def _closed_months(self, tenant_keys: list[int], earliest_us: int) -> list[ClosedMonth]:
        return self._inner._closed_months(tenant_keys, earliest_us)

    def _post(self, group: EntryGroup, now_us: int) -> None:
        self._inner._post(group, now_us)
        self._at("late")

    def _insert(self, records: Records) -> None:
        self._inner._insert(records)
        self._at("records")

    def _probe(self, records: Records) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        return self._inner._probe(records)

    def _hold_days(self, *, even: bool, odd: bool) -> None:
        self._inner._hold_days(even=even, odd=odd)

    def _stored(self, tenant_keys: Ints, event_keys: NDArray[np.uint8]) -> NDArray[np.bool_]:
        return self._inner._stored(tenant_keys, event_keys)

    def _add_totals(self, totals: Mapping[TotalsTable, Totals]) -> None:
        self._inner._add_totals(totals)
        self._at("totals")

    def _insert_quarantine(self, batch: Batch) -> None:
        self._inner._insert_quarantine(batch)
        self._at("quarantine")

    def _insert_conflicts(self, conflicts: Sequence[Conflict], batch: Batch) -> None:
        self._inner._insert_conflicts(conflicts, batch)
        self._at("conflicts")

    def _save_progress(self, rows: list[dict[str, Any]], committed_at_us: int) -> None:
        self._inner._save_progress(rows, committed_at_us)
        self._at("progress")

    def ensure_partitions(self, ended_at_us: NDArray[np.int64]) -> None:
        self._inner.ensure_partitions(ended_at_us)

    def close(self) -> None:
        self._inner.close()


class FaultyPipeline(Pipeline):
    """Also looking names up fails while the store is away."""

    faults: Faults
    amid_a_record = False
    """Whether the last batch took some items of a record and left others."""

    def add(
        self,
        making: BatchInMaking,
        chunks: Sequence[Chunk],
        received_at_us: int,
        *,
        items_max: int | None,
        looks_up: bool = True,
    ) -> Sequence[KeyedEvents]:
        if self.faults.away:
            self.faults.fail("prepare")
        added = super().add(making, chunks, received_at_us, items_max=items_max, looks_up=looks_up)
        assert items_max is None or making.items <= items_max, "a transaction is bounded"
        return added

    def made(self, making: BatchInMaking, received_at_us: int) -> Prepared:
        if self.faults.away:
            self.faults.fail("prepare")
        prepared = super().made(making, received_at_us)
        self.amid_a_record = bool(prepared.left) and prepared.left[0].opened is not None
        return prepared


def faulty_pipeline(
    dimensions: Dimensions, writer: Writer, faults: Faults, look: Callable[[], IdentityRules]
) -> Pipeline:
    """The pipeline of one worker; `look` gives the rules as they are."""
    pipeline = FaultyPipeline(
        dimensions=dimensions,
        writer=FaultyWriter(writer, faults),
        estimator=Estimator(fake_reference(), FactorPolicy(), FakeMethod()),
        defaults=TOKEN_DEFAULTS,
        rules=SeldomLooked(look, faults.random),
    )
    pipeline.faults = faults
    return pipeline


class SqliteStore:
    """An in-memory database for each schedule: made once, copied for each."""

    name = "sqlite"

    def __init__(self, wrap: WrapWriter = lambda writer: writer) -> None:
        self._wrap = wrap
        self.engine: Engine = open_engine("sqlite://")
        migrate(self.engine)
        self._empty = self._driver().serialize()
        self.rows: Rows = rows_in(self.engine)

    def _driver(self) -> Any:
        return self.engine.raw_connection().driver_connection

    def empty(self) -> None:
        """A database as it is after the migrations.

        On a connection of its own: SQLite 3.40 crashes now and then where statements of before run after a `deserialize`.
        """
        self.engine.dispose()
        self.engine = open_engine("sqlite://")
        self._driver().deserialize(self._empty)
        self.rows = rows_in(self.engine)

    def pipeline(self, faults: Faults) -> Pipeline:
        """See `Store`."""
        look = StoredRules(self.engine, FormatOptions()).look
        return faulty_pipeline(Dimensions(self.engine), self._wrap(SqliteWriter(self.engine)), faults, look)

    @property
    def versions(self) -> Sequence[AttributionVersion]:
        """See `Store`."""
        with reading(self.engine) as connection:
            return load_versions(connection)

    def change_settings(self, settings: str, now_us: int) -> None:
        """See `Store`."""
        propose_version(self.engine, settings, now_us=now_us)

    def judge(self, now: datetime) -> None:
        """See `Store`."""
        Judge(self.engine).judge_all(now)

    def set_budgets(self, budgets: Iterable[Budget]) -> None:
        """See `Store`."""
        with writing(self.engine) as connection:
            for budget in budgets:
                save_budget(connection, budget, NOON_US)

    def watch_user(self, tenant_id: str, user_id: str) -> None:
        """See `Store`."""
        watch_user(self.engine, tenant_id, user_id)

    def damage(self, random: Random) -> None:
        """See `Store`."""
        damage_totals(self.engine, random.choice(NOT_JUDGED), random.choice(DAMAGES), random)

    def rebuild(self) -> Generator[object, None, None]:
        """See `Store`."""
        run = Rebuild(self.engine, whole_days(self.engine, None, None, None), OPERATOR)
        yield from run.steps()
        assert run.document["ok"]

    def drop_records_before(self, moment: datetime) -> None:
        """See `Store`."""
        drop_records_before(self.engine, moment)
