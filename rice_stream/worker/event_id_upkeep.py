"""Keeps the lists of event ids few, and lists what was recorded before there were lists."""

import asyncio
import logging
import time
from functools import partial
from threading import Event
from uuid import uuid4

from rice_stream.errors import ServiceUnavailableError
from rice_stream.store.engine import Engine
from rice_stream.store.event_id_gaps import list_gaps
from rice_stream.store.event_id_merging import merge_event_ids
from rice_stream.store.lease import Lease

log = logging.getLogger(__name__)

INTERVAL_S = 60.0
_LEASE_S = 120.0


async def keep_event_ids_listed(engine: Engine) -> None:
    """Look now and then, at once to begin with, until cancelled. Ids are found all the same, only later and by more reading."""
    stop, lease = Event(), Lease(engine, "list event ids", uuid4().hex, seconds=_LEASE_S)

    def is_over() -> bool:
        """Or another worker's turn."""
        return stop.is_set() or not lease.acquire(time.time_ns() // 1000)

    try:
        while True:
            try:
                if months := await asyncio.to_thread(partial(list_gaps, engine, is_over=is_over)):
                    log.info("the event ids of %d months are listed", months)
                await asyncio.to_thread(partial(merge_event_ids, engine, is_over=stop.is_set))
            except ServiceUnavailableError as error:
                log.warning("lists of event ids were not kept, trying again in %.0f s: %s", INTERVAL_S, error)
            await asyncio.sleep(INTERVAL_S)
    finally:
        stop.set()  # a thread goes on until it looks
