"""One request is one record, for any pattern of deliveries within a day, in any order, batches and partitions.

A request without a time of its own has another timestamp at each delivery; one with a time of its own has it always.
"""

from collections.abc import Iterator, Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from rice_stream.instants import DAY_US
from rice_stream.pipeline.chunks import Chunk
from rice_stream.store.engine import open_engine, writing
from rice_stream.store.migrate import migrate
from rice_stream.store.totals_tables import TOTALS_TABLES
from tests.support.fakes import NOON_US, value_of
from tests.support.reports_store import at
from tests.support.store_checks import assert_exact, rows_in
from tests.support.store_running import new_pipeline
from tests.support.untimed import TOPIC, Log, reply, version_before_0007

PARTITIONS = 2
ROWS = ("prompt_record", "conflict", "quarantine", "kafka_progress", "minute_total", "slot_total", "tenant_day_total")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """A database in memory that every example finds empty."""
    engine = open_engine("sqlite://")
    migrate(engine)
    yield engine
    engine.dispose()


def empty(engine: Engine) -> None:
    with writing(engine) as connection:
        for table in (*ROWS, *(each.name for each in TOTALS_TABLES)):
            connection.execute(text(f"DELETE FROM {table}"))


# Milliseconds of the day within which all deliveries of a request lie: its ends, and midnight, are where it can go wrong.
MOMENTS = st.one_of(st.integers(0, DAY_US // 1000), st.sampled_from([0, 1, DAY_US // 2000, DAY_US // 1000]))
DAYS = st.one_of(st.integers(0, DAY_US // 1000), st.sampled_from([0, 1, DAY_US // 1000 - 1]))
DELIVERIES = st.lists(
    st.tuples(st.integers(0, 3), MOMENTS, st.integers(0, PARTITIONS - 1), st.sampled_from([5, 5, 5, 7])),
    min_size=1,
    max_size=14,
)


def log_of(deliveries: Sequence[tuple[int, int, int, int]], first_ms: Sequence[int], *, timed: bool) -> Log:
    """Request, moment, partition and output tokens of each delivery; the request's day begins at `first_ms`."""
    log = Log(PARTITIONS)
    for request, moment_ms, partition, output_tokens in deliveries:
        event_id = f"id-{request}"
        own = at("2026-11-20T12:00:00Z", event_id=event_id, output_tokens=output_tokens)
        value = value_of(own) if timed else reply(event_id, output_tokens=output_tokens)
        log.add(value, NOON_US - 3 * DAY_US + (first_ms[request] + moment_ms) * 1000, partition)
    return log


def deliver(engine: Engine, log: Log, random: Random, *, again: bool) -> None:
    """In batches of some chunks each, by several workers in turn; perhaps all of it a second time."""
    workers = [new_pipeline(engine) for _ in range(2)]
    for _ in range(1 + again):
        positions = [0] * PARTITIONS
        while left := [p for p in range(PARTITIONS) if positions[p] < len(log.records[p])]:
            chunks = []
            for partition in random.sample(left, random.randint(1, len(left))):
                first = positions[partition]
                positions[partition] = min(first + random.randint(1, 5), len(log.records[partition]))
                records = log.records[partition][first : positions[partition]]
                chunks.append(Chunk(TOPIC, partition, records))
            random.choice(workers).process(chunks, NOON_US)


@settings(max_examples=60, deadline=None)
@given(
    DELIVERIES, st.lists(DAYS, min_size=4, max_size=4), st.randoms(use_true_random=False), st.booleans(), st.booleans()
)
def test_every_request_is_recorded_once_and_the_topic_agrees(
    engine: Engine,
    deliveries: list[tuple[int, int, int, int]],
    first_ms: list[int],
    random: Random,
    again: bool,
    timed: bool,
) -> None:
    empty(engine)
    log = log_of(deliveries, first_ms, timed=timed)
    deliver(engine, log, random, again=again)
    rows = rows_in(engine)
    recorded = sorted(row["event_id"] for row in rows("prompt_record"))
    assert recorded == sorted({f"id-{request}" for request, *_ in deliveries}), "each request once"
    said = {(request, tokens) for request, _, _, tokens in deliveries}
    assert len(rows("conflict")) == len(said) - len(recorded), "what differs is kept, once"
    assert_exact(rows)
    assert log.verify(engine)["differences"] == []


@settings(max_examples=60, deadline=None)
@given(DELIVERIES, DELIVERIES, st.lists(DAYS, min_size=4, max_size=4), st.randoms(use_true_random=False))
def test_what_an_older_version_recorded_is_not_recorded_again_when_the_topic_is_read_again(
    engine: Engine,
    before: list[tuple[int, int, int, int]],
    after: list[tuple[int, int, int, int]],
    first_ms: list[int],
    random: Random,
) -> None:
    """And with deliveries after the upgrade, records and topic still agree."""
    empty(engine)
    log = log_of(before, first_ms, timed=False)
    with version_before_0007():
        deliver(engine, log, random, again=False)
    recorded = len(rows_in(engine)("prompt_record"))
    deliver(engine, log, random, again=True)
    assert len(rows_in(engine)("prompt_record")) == recorded
    for partition, records in enumerate(log_of(after, first_ms, timed=False).records):
        for record in records:
            log.add(record.value or b"", record.timestamp_us, partition)
    deliver(engine, log, random, again=True)
    assert_exact(rows_in(engine))
    assert log.verify(engine)["differences"] == []
