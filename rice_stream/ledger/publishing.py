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


class Place(Protocol):
    """Somewhere that checkpoints are published to (`runtime.checkpoint_places`)."""

    @property
    def name(self) -> str:
        """Such as `file` or `channel:ops`; how far it has been told is kept under it."""

    def publish(self, engine: Engine, checkpoint: StoredCheckpoint) -> None:
        """Returns when the place has it. RiceError: it has not; it says why."""


def publish_checkpoints(engine: Engine, places: Sequence[Place], holder: str) -> int:
    """Tell every place what it has not been told yet; returns how many checkpoints were published, over all places.

    One server does so at a time (`holder` is its name). StoreUnavailableError: the database did not answer.
    """
    if not places:
        return 0
    lease = Lease(engine, "publish checkpoints", holder, seconds=_LEASE_S)
    with reading(engine) as connection:
        now_us = database_now_us(connection)
    if not lease.acquire(now_us):
        return 0
    try:
        return _publish(engine, {place.name: place for place in places})
    finally:
        lease.release()


def _publish(engine: Engine, places: dict[str, Place]) -> int:
    with writing(engine) as connection:
        begin_places(connection, list(places))
        states = [state for state in place_states(connection) if state.target in places]
        now_us = database_now_us(connection)
    due = [state for state in states if state.next_at_us is None or state.next_at_us <= now_us]
    return sum(_publish_to(engine, places[state.target], state) for state in due)


def _publish_to(engine: Engine, place: Place, state: PlaceState) -> int:
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
