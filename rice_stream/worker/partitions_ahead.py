"""Keeps the partitions of the coming months there, so that no batch has to make one at midnight of the 1st."""

import asyncio
import logging

from rice_stream.errors import ServiceUnavailableError
from rice_stream.store.engine import Engine
from rice_stream.store.partition_ddl import make_partitions_ahead

log = logging.getLogger(__name__)

INTERVAL_S = 3_600.0
RETRY_S = 60.0


async def keep_partitions_ahead(engine: Engine) -> None:
    """Look every hour, at once to begin with, until cancelled. A batch makes those that are missing all the same."""
    while True:
        try:
            await asyncio.to_thread(make_partitions_ahead, engine)
        except ServiceUnavailableError as error:
            log.warning("partitions of the coming months were not made, trying again in %.0f s: %s", RETRY_S, error)
            await asyncio.sleep(RETRY_S)
        else:
            await asyncio.sleep(INTERVAL_S)
