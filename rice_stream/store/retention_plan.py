"""When the retention horizon may move, and where to. Pure: the clock, the ledger and the state come from the caller.

A clock that is wrong must not drop anything, for what is dropped cannot be had back:

- the horizon never passes what the ledger itself has seen: its latest commit and its latest event, less the days to keep;
- a clock that has moved by more than 40 days since the last run is not believed until somebody confirms the date;
- a move is announced one run before it is made.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from rice_stream.instants import DAY_US, SECOND_US, datetime_of, epoch_us, rfc3339
from rice_stream.store.retention_state import RetentionState

CLOCK_JUMP_US = 40 * DAY_US
"""Between two runs lies an hour, or as long as no worker ran: more than this is a wrong clock, or wants a word."""
ANNOUNCED_US = 50 * 60 * SECOND_US
"""How long a move is announced before it is made: just less than the hour between two runs."""
CONFIRMED_FOR = timedelta(days=2)


class Seen(NamedTuple):
    """What says how late it is, in epoch microseconds: the clock, the latest commit and the end of the latest day with
    events (None: the ledger is empty)."""

    now_us: int
    committed_us: int | None
    ended_us: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does: `move_to_us` is the new horizon, `announce_us` one that is only announced (at most one is given)."""

    move_to_us: int | None = None
    announce_us: int | None = None


def month_floor_us(moment: datetime) -> int:
    """Epoch microseconds of the first of the month (UTC) that the moment lies in."""
    first = moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return epoch_us(first)


def clock_problem(state: RetentionState, now_us: int, confirmed: date | None) -> str | None:
    """Why the clock is not believed, and what to do; None: it is.

    `confirmed` is a date of which somebody says that it is today's.
    """
    if state.run_at_us is None or -DAY_US <= now_us - state.run_at_us <= CLOCK_JUMP_US:
        return None
    now = datetime_of(now_us)
    if confirmed is not None and abs(now.date() - confirmed) <= CONFIRMED_FOR:
        return None
    return (
        f"retention does nothing: the clock says {rfc3339(now_us)}, and at its last run it said"
        f" {rfc3339(state.run_at_us)}. Set the clock right; if it is (no worker ran for weeks), say so with"
        f" RICE_RETENTION_CLOCK_CONFIRMED={now.date()}"
    )


def horizon_problem(state: RetentionState, now_us: int) -> str | None:
    """What is wrong with a horizon in the future, and what to do; None: it lies in the past, where it belongs."""
    if state.records_from_us <= now_us:
        return None
    return (
        f"the retention horizon, {rfc3339(state.records_from_us)}, lies in the future: a clock was wrong when it was set, and"
        " every event is counted as older than retention. With all workers stopped, set it to now in the database: UPDATE"
        f" retention SET records_from_us = {now_us}; what ended before that stays left out, for it may have been counted"
    )


def plan_move(state: RetentionState, seen: Seen, days: int) -> Plan:
    """What becomes of the horizon, whole months, so that the records of the last `days` days stay."""
    target_us = _target_us(seen, days)
    if target_us is None or target_us <= state.records_from_us:
        return Plan()
    if state.planned_from_us != target_us or state.planned_at_us is None or seen.now_us < state.planned_at_us:
        return Plan(announce_us=target_us)
    return Plan(move_to_us=target_us) if seen.now_us - state.planned_at_us >= ANNOUNCED_US else Plan()


def _target_us(seen: Seen, days: int) -> int | None:
    if seen.committed_us is None or seen.ended_us is None:
        return None
    latest_us = min(seen.now_us, seen.committed_us, seen.ended_us)
    return month_floor_us(datetime_of(latest_us - days * DAY_US))
