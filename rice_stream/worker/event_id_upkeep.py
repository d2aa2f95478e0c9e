"""Keeps the lists of event ids few, and lists what was recorded before there were lists."""

import asyncio
import logging
from functools import partial
from threading import Event

from rice_stream.errors import ServiceUnavailableError
from rice_stream.store.engine import Engine
from rice_stream.store.event_id_gaps import list_gaps
from rice_stream.store.event_id_merging import merge_event_ids

log = logging.getLogger(__name__)

INTERVAL_S = 60.0


async def keep_event_ids_listed(engine: Engine) -> None:
    """Look now and then, at once to begin with, until cancelled. Ids are found all the same, only later and by more reading."""
    stop = Event()
    try:
        while True:
            try:
                if months := await asyncio.to_thread(partial(list_gaps, engine, is_over=stop.is_set)):
                    log.info("the event ids of %d months are listed", months)
                await asyncio.to_thread(partial(merge_event_ids, engine, is_over=stop.is_set))
            except ServiceUnavailableError as error:
                log.warning("lists of event ids were not kept, trying again in %.0f s: %s", INTERVAL_S, error)
            await asyncio.sleep(INTERVAL_S)
    finally:
        stop.set()  # a thread goes on until it looks
