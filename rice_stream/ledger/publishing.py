"""Checkpoints published: each place is told of every one, in order, at least once; what fails is counted and tried again."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from rice_stream.errors import RiceError
from rice_stream.instants import SECOND_US
from rice_stream.store.checkpoint_store import (
    PlaceState,
    StoredCheckpoint,
    begin_places,
    checkpoints_after,
    latest_id,
    note_published,
    note_unpublished,
    place_states,
)
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import Engine, reading, writing
from rice_stream.store.lease import Lease

log = logging.getLogger(__name__)

_AT_ONCE = 100
_LEASE_S = 300.0
_WAIT_S, _WAIT_MAX_S = 60, 3600


class CheckpointPlace(Protocol):
    """Somewhere that checkpoints are published to (`runtime.checkpoint_places`)."""

    @property
    def name(self) -> str:
        """Such as `file` or `channel:ops`; how far it has been told is kept under it."""

    def publish(self, engine: Engine, checkpoint: StoredCheckpoint) -> None:
        """Returns when the place has it. RiceError: it has not; it says why."""


def publish_checkpoints(engine: Engine, places: Sequence[CheckpointPlace], holder: str) -> int:
    """Tell every place what it has not been told yet; returns how many checkpoints were published, over all places.

    One server does so at a time (`holder` is its name). StoreUnavailableError: the database did not answer.
    """
    named = {place.name: place for place in places}
    with reading(engine) as connection:
        now_us = database_now_us(connection)
        states = {state.target: state for state in place_states(connection)}
        latest = latest_id(connection)
    # Looked at often, and mostly for nothing: so nothing is written for that.
    if latest == 0 or all(name in states and not _is_due(states[name], latest, now_us) for name in named):
        return 0
    lease = Lease(engine, "publish checkpoints", holder, seconds=_LEASE_S)
    if not lease.acquire(now_us):
        return 0
    try:
        with writing(engine) as connection:
            begin_places(connection, list(named))
            due = [each for each in place_states(connection) if each.target in named and _is_due(each, latest, now_us)]
        return sum(_publish_to(engine, named[state.target], state) for state in due)
    finally:
        lease.release()


def _is_due(state: PlaceState, latest: int, now_us: int) -> bool:
    return state.checkpoint_id < latest and (state.next_at_us is None or state.next_at_us <= now_us)


def _publish_to(engine: Engine, place: CheckpointPlace, state: PlaceState) -> int:
    published, last = 0, state.checkpoint_id
    while True:
        with reading(engine) as connection:
            waiting = checkpoints_after(connection, last, _AT_ONCE)
        if not waiting:
            return published
        for checkpoint in waiting:
            try:
                place.publish(engine, checkpoint)
            except RiceError as error:
                log.warning("checkpoint %d is not published to %s: %s", checkpoint.id, place.name, error)
                wait_s = min(_WAIT_S << min(state.attempts, 10), _WAIT_MAX_S)
                with writing(engine) as connection:
                    note_unpublished(connection, state, str(error), wait_s * SECOND_US)
                return published
            with writing(engine) as connection:
                note_published(connection, place.name, checkpoint.id)
            published, last, state = published + 1, checkpoint.id, replace(state, attempts=0, failing_since_us=None)
