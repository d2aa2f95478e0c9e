"""What a worker drops once an hour: old records (whole months), and old rows of what else would grow for ever."""

import asyncio
import logging
from collections.abc import Callable
from datetime import date
from typing import NamedTuple
from uuid import uuid4

from rice_stream.errors import ServiceUnavailableError
from rice_stream.instants import DAY_US, rfc3339
from rice_stream.runtime.settings.database import DatabaseSettings
from rice_stream.store.engine import Engine, reading
from rice_stream.store.failures import first_line, meaning_of
from rice_stream.store.horizon import records_from_us
from rice_stream.store.lease import Lease
from rice_stream.store.minute_folding import fold_minutes
from rice_stream.store.pruning import drop_alerts, drop_conflicts, drop_deliveries, drop_quarantined, forget_files
from rice_stream.store.retention import drop_what_is_past, move_horizon, seen_by
from rice_stream.store.retention_plan import clock_problem, horizon_problem, plan_move
from rice_stream.store.retention_state import changing_state, retention_state, save_state
from rice_stream.store.unused_names import forget_unused_names
from rice_stream.worker.health import Telemetry

log = logging.getLogger(__name__)

INTERVAL_S = 3_600.0
RETRY_S = 60.0
_LEASE_S = 3_600.0
"""A run is over in seconds; the first of a large ledger may take longer. Who died in the midst is waited for as long."""


class RetentionDays(NamedTuple):
    """How long things are kept, in days; None: for ever. `clock_confirmed` is a date that somebody says is today's."""

    records: int | None
    quarantine: int | None
    """What is held in quarantine."""
    settled: int
    """What was settled in quarantine, contradictions, delivered alerts, and deliveries that ended."""
    clock_confirmed: date | None = None
    only_archived: bool = False
    """Whether records of signed months wait until they are in the archive."""


def retention_days(settings: DatabaseSettings) -> RetentionDays:
    """How long the settings say that things are kept."""
    return RetentionDays(
        records=settings.retention_days,
        quarantine=settings.quarantine_retention_days,
        settled=settings.settled_retention_days,
        clock_confirmed=settings.retention_clock_confirmed,
        only_archived=settings.archive_warehouse is not None,
    )


class Retention:
    """Runs at the start and every hour; of several workers one at a time does, and finds done what another did."""

    def __init__(self, engine: Engine, days: RetentionDays, telemetry: Telemetry, now_us: Callable[[], int]) -> None:
        """`now_us` is the database's clock."""
        self._engine = engine
        self._lease = Lease(engine, "drop what is old", uuid4().hex, seconds=_LEASE_S)
        self._days = days
        self._heartbeat = telemetry.heartbeat
        self._now_us = now_us

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.once)
            except ServiceUnavailableError as error:
                log.warning("retention did not finish, trying again in a minute: %s", error)
                await asyncio.sleep(RETRY_S)
            except Exception as error:
                if meaning_of(error) is not None:
                    # A role that may not drop partitions, say: events are accounted for all the same.
                    self._heartbeat.set_problem("retention", f"it did not finish: {first_line(error)}")
                    await asyncio.sleep(INTERVAL_S)
                    continue
                raise
            else:
                await asyncio.sleep(INTERVAL_S)

    def once(self) -> None:
        """One run, unless another worker is at it. A clock that is not believed drops nothing, and makes the worker not
        ready."""
        now_us = self._now_us()
        if self._lease.acquire(now_us):
            try:
                self._run_alone(now_us)
            finally:
                self._lease.release()

    def _run_alone(self, now_us: int) -> None:
        with reading(self._engine) as connection:
            state = retention_state(connection)
            seen = seen_by(connection, now_us)
        problem = clock_problem(state, now_us, self._days.clock_confirmed) or horizon_problem(state, now_us)
        self._heartbeat.set_problem("retention", problem)
        if problem is not None:
            log.error("%s", problem)
            return
        if self._days.records is not None:
            plan = plan_move(state, seen, self._days.records)
            if plan.announce_us is not None:
                self._announce(plan.announce_us, now_us)
            if plan.move_to_us is not None:
                self._move(plan.move_to_us)
        if dropped := drop_what_is_past(self._engine):
            log.info("dropped the old records: %d month(s), on SQLite records", dropped)
        self._drop_the_rest(now_us)
        with changing_state(self._engine) as connection:
            save_state(connection, run_at_us=now_us)

    def _move(self, horizon_us: int) -> None:
        is_moved = move_horizon(self._engine, horizon_us, only_archived=self._days.only_archived)
        with reading(self._engine) as connection:
            reached_us = records_from_us(connection)
        if is_moved:
            log.info("records from before %s are dropped now; totals stay", rfc3339(reached_us))
        if reached_us < horizon_us:
            log.warning(
                "records from before %s would be dropped, and stay: a closed month that began before is not in the archive;"
                " `rice-stream archive --before %s` archives it",
                rfc3339(horizon_us),
                rfc3339(horizon_us)[:7],
            )

    def _announce(self, horizon_us: int, now_us: int) -> None:
        with changing_state(self._engine) as connection:
            save_state(connection, planned_from_us=horizon_us, planned_at_us=now_us)
        log.warning(
            "in an hour records from before %s will be dropped (RICE_RETENTION_DAYS=%d); their totals stay",
            rfc3339(horizon_us),
            self._days.records,
        )

    def _drop_the_rest(self, now_us: int) -> None:
        settled_us = now_us - self._days.settled * DAY_US
        held_us = None if self._days.quarantine is None else now_us - self._days.quarantine * DAY_US
        engine = self._engine
        dropped = {
            "items of the quarantine": drop_quarantined(
                engine, settled_before_us=max(settled_us, held_us or 0), held_before_us=held_us
            ),
            "contradictions": drop_conflicts(engine, settled_us),
            "alerts": drop_alerts(engine, settled_us, now_us),
            "deliveries": drop_deliveries(engine, settled_us, now_us),
            "names of files": forget_files(engine),
            "names of users and API keys": forget_unused_names(engine, now_us),
        }
        for what, count in dropped.items():
            if count:
                log.info("dropped %d old %s", count, what)
        if fold_minutes(engine, now_us):
            log.info("old minutes of minute_total are quarter hours now")
