"""A ledger of many prompts, made without Kafka and the worker's estimating: in minutes, where these would take an hour.

A sample of events goes through the pipeline; its records, given to other tenants, teams, users and instants, are committed by the
worker's own writer. So every number is one that the pipeline made, every total is what the writer makes of its records (`verify`
finds nothing), and rows lie on the disk as batches leave them.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
from sqlalchemy import Engine, text

from benchmarks.traffic import TEAMS, USERS, events
from rice_stream.events.keys import event_keys, key_hasher
from rice_stream.events.records import RawRecord
from rice_stream.instants import DAY_S, SECOND_US, epoch_us
from rice_stream.pipeline.chunks import Chunk
from rice_stream.runtime.opening_pipeline import open_pipeline
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.store.batch import Batch, PartitionProgress, Records, Repeats
from rice_stream.store.dimensions import AttributionIdentity, Dimensions
from rice_stream.store.event_id_merging import merge_event_ids
from rice_stream.store.writers import open_writer

TOPIC = "llm-requests"
_SOURCE = "/gateway/eu"
_SAMPLE = 20_000
_BATCH = 100_000
WHILE_FILLING = {"autovacuum": "off", "checkpoint_timeout": "30min", "max_wal_size": "24GB"}
"""Settings of PostgreSQL that save time; `fill` ends with what they put off, and turns vacuuming on again."""
_SEED = 17
_MERGED_EVERY = 16
"""Batches, of which a worker writes as many between two looks."""


class _Names(NamedTuple):
    """Keys of everybody who is charged: of a tenant by its number, of a team by tenant and number, and so on."""

    tenant_ids: list[str]
    tenants: np.ndarray
    attributions: np.ndarray
    users: np.ndarray


def event_id(number: int) -> str:
    """Of a prompt by its number in the ledger."""
    return f"{number:08x}-7f3a"


def tenant_id(number: int) -> str:
    """Of a tenant by its number."""
    return f"tenant-{number:02d}"


def fill(engine: Engine, database_url: str, prompts: int, *, tenants: int, days: int, until: datetime) -> None:
    """Commit so many prompts of so many tenants, evenly over so many days, to PostgreSQL."""
    template = _template(database_url, engine, tenants)
    names = _names(engine, tenants)
    start_us = epoch_us(until - timedelta(days=days))
    step_us = days * DAY_S * SECOND_US / prompts
    with ThreadPoolExecutor(1) as ahead:
        writer = open_writer(engine)
        batches = _batches(prompts, template, names, start_us, step_us)
        following = ahead.submit(next, batches, None)
        while (batch := following.result()) is not None:
            following = ahead.submit(next, batches, None)
            writer.ensure_partitions(batch.records.columns["ended_at_us"])
            writer.commit(batch)
            if batch.progress[0].first_offset // _BATCH % _MERGED_EVERY == 0:
                _keep_event_ids(engine)
        writer.close()
    _keep_event_ids(engine)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in (
            "VACUUM ANALYZE",
            "CHECKPOINT",
            "ALTER SYSTEM SET autovacuum = on",
            "SELECT pg_reload_conf()",
        ):
            connection.execute(text(statement))


def _keep_event_ids(engine: Engine) -> None:
    """As the worker and autovacuum do."""
    merge_event_ids(engine)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM event_id_list"))


def _template(database_url: str, engine: Engine, tenants: int) -> Records:
    """Records of the sample, as the pipeline makes them; they are not stored themselves."""
    settings = load_settings(None, {"RICE_DATABASE_URL": database_url})
    pipeline, writer = open_pipeline(settings, engine)
    made = events(_SAMPLE, tenants=tenants)
    records = [RawRecord(TOPIC, 0, offset, value, (), 0, key) for offset, (key, value) in enumerate(made)]
    try:
        return pipeline.prepare_some([Chunk(TOPIC, 0, records)], 0, items_max=None).batch.records
    finally:
        writer.close()


def _names(engine: Engine, tenants: int) -> _Names:
    dimensions = Dimensions(engine)
    ids = [tenant_id(number) for number in range(tenants)]
    key_of = dimensions.tenants(ids)
    keys = [key_of[name] for name in ids]
    charged = [
        AttributionIdentity(key, f"team-{team}", f"project-{team % 3}", _SOURCE)
        for key in keys
        for team in range(TEAMS)
    ]
    attributions = dimensions.attributions(charged)
    users = [
        (key, f"user-{(number * TEAMS + team) * USERS + user}")
        for number, key in enumerate(keys)
        for team in range(TEAMS)
        for user in range(USERS)
    ]
    principals = dimensions.principals("user", users)
    return _Names(
        ids,
        np.array(keys),
        np.array([attributions[each] for each in charged]).reshape(tenants, TEAMS),
        np.array([principals[each] for each in users]).reshape(tenants, TEAMS, USERS),
    )


def _batches(prompts: int, template: Records, names: _Names, start_us: int, step_us: float) -> Iterator[Batch]:
    draws = np.random.default_rng(_SEED)
    hashers = [key_hasher(name, _SOURCE) for name in names.tenant_ids]
    for first in range(0, prompts, _BATCH):
        numbers = np.arange(first, min(first + _BATCH, prompts))
        ended_at_us = (start_us + numbers * step_us).astype(np.int64)
        tenant = (len(names.tenants) * draws.random(len(numbers)) ** 2).astype(np.int64)
        team, user = draws.integers(TEAMS, size=len(numbers)), draws.integers(USERS, size=len(numbers))
        like = draws.integers(len(template), size=len(numbers))
        ids = [event_id(number).encode() for number in numbers.tolist()]
        columns = {name: column[like] for name, column in template.columns.items()} | {
            "tenant_key": names.tenants[tenant],
            "attribution_key": names.attributions[tenant, team],
            "user_key": names.users[tenant, team, user],
            "ended_at_us": ended_at_us,
        }
        keys = event_keys(ended_at_us, [hashers[number] for number in tenant.tolist()], ids)
        records = Records(keys, columns, ids, template.measures[like], np.zeros(len(numbers), dtype=np.bool_))
        halves = keys.view(">u8").astype(np.uint64)
        yield _batch(records.select(np.lexsort((halves[:, 1], halves[:, 0], columns["tenant_key"]))), first)


def _batch(records: Records, first: int) -> Batch:
    """As if they had been one chunk of one partition."""
    count = len(records)
    nothing = records.select(np.empty(0, dtype=np.intp))
    return Batch(
        records=records,
        refused=[],
        progress=[PartitionProgress(TOPIC, 0, first, first + count - 1, count, 0)],
        partition_of=np.zeros(count, dtype=np.intp),
        repeats=Repeats(np.zeros(1, dtype=np.int64), nothing, np.empty(0, dtype=np.intp)),
        received_at_us=int(records.columns["ended_at_us"].max()),
    )
