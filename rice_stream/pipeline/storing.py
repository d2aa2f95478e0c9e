"""Storing chunks in one thread: in as many transactions as they need, all but the culprits, which are refused."""

import time
from collections.abc import Callable, Sequence

from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.culprits import CulpritSearch
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.store.batch import Batch
from rice_stream.store.identity_rules import RulesChangedError


def store_chunks(
    pipeline: Pipeline,
    chunks: Sequence[Chunk],
    commit: Callable[[Batch], None],
    *,
    items_max: int | None = None,
    received_at_us: int | None = None,
) -> None:
    """Prepare the chunks and give them to `commit`, batch by batch, of up to `items_max` items each (None: no bound).

    What the database refuses for what it holds, or decoding and estimating choke on, is found by halves and refused, as by
    the worker. `commit` must store all of a batch or raise; `received_at_us` None: now.
    """
    search = CulpritSearch(chunks)
    for group in search:
        now_us = time.time_ns() // 1000 if received_at_us is None else received_at_us
        try:
            prepared = pipeline.prepare_some(group, now_us, items_max=items_max)
            search.only(prepared.taken, prepared.left)
            _commit(search, commit, prepared.batch, prepared.taken)
        except Exception as error:
            if search.takes(error, pipeline.formats):
                pipeline.forget()
                continue
            raise


def _commit(search: CulpritSearch, commit: Callable[[Batch], None], batch: Batch, chunks: Sequence[Chunk]) -> None:
    try:
        commit(batch)
    except RulesChangedError:
        search.again(chunks)  # to be prepared again, by what holds now
