"""Commits, damage, retention and rebuilds of any stretch, in any order: what a rebuild was asked for is right after it, and
nothing else has changed."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine
from sqlalchemy import Engine

from rice_stream.errors import UsageError
from rice_stream.instants import DAY_S, SECOND_US, SLOT_S, epoch_us
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.proof import rebuild as rebuilding
from rice_stream.proof.rebuild import Rebuild, rebuild, whole_days
from rice_stream.proof.verification import verify
from rice_stream.store.engine import reading
from rice_stream.store.horizon import minutes_from_us, records_from_us
from rice_stream.store.minute_folding import fold_minutes
from rice_stream.store.retention import drop_records_before
from rice_stream.store.totals_tables import TOTALS_TABLES
from rice_stream.store.watching import watch_user
from tests.simulation.store import SqliteStore
from tests.support.cases import size
from tests.support.damage import DAMAGES, damage_totals
from tests.support.fakes import NOON_US, OPERATOR, chunk_of, event
from tests.support.store_checks import TABLES, Sums, recomputed_totals, stored_totals
from tests.support.store_running import new_pipeline

FIRST = datetime(2026, 10, 29, 22, tzinfo=UTC)
HOURS = 96
TENANTS, USERS = ("acme", "globex"), ("u-1", "u-2")
MOMENTS = st.integers(-30, HOURS + 30).map(lambda hours: FIRST + timedelta(hours=hours))

Wrong = dict[tuple[str, tuple[int, ...]], tuple[Any, Any]]
"""(table, key) of rows that are not what the records add up to -> (stored, recomputed); None: no such row."""


class Ledger(RuleBasedStateMachine):
    """One database; `wrong` is worked out in plain Python, apart from the code under test."""

    store = SqliteStore()

    def __init__(self) -> None:
        super().__init__()
        self.store.empty()
        self.engine: Engine = self.store.engine
        self.pipeline: Pipeline = new_pipeline(self.engine)
        self.offset = 0

    def wrong(self) -> Wrong:
        found: Wrong = {}
        for table in TABLES:
            stored, right = stored_totals(self.store.rows, table), recomputed_totals(self.store.rows, table)
            if table == "minute_total":
                stored, right = self.folded(stored), self.folded(right)
            for key in stored.keys() | right.keys():
                if stored.get(key) != right.get(key):
                    found[table, key] = stored.get(key), right.get(key)
        return found

    def folded(self, minutes: Sums) -> Sums:
        """Old minutes by quarter hours: which minute of it a row is kept under is of no account."""
        with reading(self.engine) as connection:
            folded_before_s = minutes_from_us(connection) // SECOND_US
        sums: dict[tuple[int, ...], list[int]] = {}
        for (tenant_key, start_s), values in minutes.items():
            bucket_s = start_s - start_s % SLOT_S if start_s < folded_before_s else start_s
            before = sums.get((tenant_key, bucket_s), [0] * len(values))
            sums[tenant_key, bucket_s] = [a + b for a, b in zip(before, values, strict=True)]
        return {key: tuple(values) for key, values in sums.items()}

    def is_within(self, table: str, start_s: int, low_s: int, high_s: int) -> bool:
        """Whether a bucket lies in the stretch or, of a month, reaches into it; and all of its records are kept."""
        [described] = [each for each in TOTALS_TABLES if each.name == table]
        low_s = max(low_s, self.horizon_us() // SECOND_US)
        end_s = described.ceil_s(start_s + 1) if described.by_month else start_s + 1
        return self.horizon_us() <= start_s * SECOND_US and low_s < end_s and start_s < high_s

    def horizon_us(self) -> int:
        with reading(self.engine) as connection:
            return records_from_us(connection)

    @rule(hours=st.lists(st.integers(0, HOURS * 60), min_size=1, max_size=8), random=st.randoms(use_true_random=False))
    def commit(self, hours: list[int], random: Random) -> None:
        events = [
            event(
                event_id=f"e-{self.offset}-{number}",
                ended_at=(FIRST + timedelta(minutes=minutes)).isoformat(),
                started_at=...,
                tenant_id=random.choice(TENANTS),
                user_id=random.choice(USERS),
                team_id=random.choice(["a", "b"]),
                input_tokens=random.choice([None, 0, 7]),
            )
            for number, minutes in enumerate(hours)
        ]
        self.pipeline.process([chunk_of(events, offset=self.offset)], NOON_US)
        self.offset += len(events)

    @rule(tenant=st.sampled_from(TENANTS), user=st.sampled_from(USERS))
    def watch(self, tenant: str, user: str) -> None:
        watch_user(self.engine, tenant, user)

    @rule(
        table=st.sampled_from(TOTALS_TABLES),
        damage=st.sampled_from(DAMAGES),
        random=st.randoms(use_true_random=False),
    )
    def damage(self, table: Any, damage: str, random: Random) -> None:
        damage_totals(self.engine, table, damage, random)

    @rule()
    def fold_october(self) -> None:
        fold_minutes(self.engine, epoch_us(datetime(2026, 12, 15, tzinfo=UTC)))

    @precondition(lambda self: self.offset > 0)
    @rule()
    def drop_old_records(self) -> None:
        drop_records_before(self.engine, datetime(2026, 11, 15, tzinfo=UTC))

    @rule(
        moments=st.tuples(MOMENTS, MOMENTS).map(lambda two: (min(two), max(two))),
        tenant=st.sampled_from([None, *TENANTS]),
        taken=st.sampled_from([None, None, 1, 3, 6, 12]),
        rows_max=st.sampled_from([1, 3, 20_000]),
    )
    def rebuild(self, moments: tuple[datetime, datetime], tenant: str | None, taken: int | None, rows_max: int) -> None:
        """All of it, or so many steps of it."""
        before = self.wrong()
        try:
            stretch = whole_days(self.engine, *moments, tenant)
        except UsageError:
            return  # no such tenant so far, or dropped by retention, or empty: all refused before anything is done
        low_s, high_s = (
            moment.timestamp() // DAY_S * DAY_S for moment in (moments[0], moments[1] - timedelta.resolution)
        )
        asked = {
            (table, key)
            for table, key in before
            if self.is_within(table, key[1], int(low_s), int(high_s) + DAY_S) and stretch.tenant_key in (None, key[0])
        }
        assert rebuild(self.engine, by=OPERATOR, start=moments[0], end=moments[1], tenant_id=tenant, dry_run=True)[
            "differences_before"
        ] == len(asked)
        assert self.wrong() == before, "a dry run changes nothing"
        rows_max_before, rebuilding.ROWS_MAX = rebuilding.ROWS_MAX, rows_max
        run = Rebuild(self.engine, stretch, OPERATOR)
        for _ in islice(run.steps(), taken):
            pass
        rebuilding.ROWS_MAX = rows_max_before
        after = self.wrong()
        assert all(before[place] == difference for place, difference in after.items()), "nothing else has changed"
        assert before.keys() - after.keys() <= asked
        if taken is None:
            assert run.document["ok"]
            assert not asked & after.keys()

    def teardown(self) -> None:
        """In the end everything is put right."""
        assert rebuild(self.engine, by=OPERATOR)["ok"]
        assert all(key[1] * SECOND_US < self.horizon_us() for _, key in self.wrong())
        assert self.horizon_us() or verify(self.engine)["ok"]


def test_a_rebuild_of_any_stretch_after_anything() -> None:
    """Also one that is cut short, and beside retention."""
    run_machine(Ledger, settings=settings(max_examples=size(15, 300), stateful_step_count=20, deadline=None))
