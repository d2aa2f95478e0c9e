"""A worker that is fed at half of its saturating rate, beside a server that answers reads: whether its lag grows.

Real Kafka and PostgreSQL, a worker process, a server process, a process that feeds; reads are asked from here, at a steady rate
however long the answers take, over 16 connections. What the worker saturates at is measured in the same run, as it fills the store.
"""

import asyncio
import itertools
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

import numpy as np
import psutil
from confluent_kafka import Consumer, TopicPartition
from sqlalchemy import Engine

from benchmarks.bench_api import TENANTS, questions, served
from benchmarks.feeding import feeder
from benchmarks.harness import PARTITIONS, TOPIC, Row, rate_until, seen, stack, worker
from benchmarks.http_load import CONNECTIONS, Question, once
from benchmarks.traffic import events, produce
from rice_stream.sandbox.stack.stack import LocalStack

STORED = 600_000
READS_PER_S = 100
FED_S = 20.0
_SETTLED_S = 8.0
"""How much of that is left out: the worker joins its group, the server opens its connections."""
_SAMPLE_S = 0.5
_ASKED = ("totals of a tenant", "pages of prompts", "explanations of listed prompts", "budgets of a tenant")


def run(scale: float = 1.0) -> list[dict[str, object]]:
    """The growth of the lag, reads a second, and the processor time of each process."""
    stored = int(STORED * scale)
    with stack() as (servers, engine):
        produce(servers.bootstrap_servers, TOPIC, events(stored, tenants=TENANTS))
        with worker(servers) as process:
            saturating = rate_until(engine, stored, process)
        return [row.as_dict() for row in _fed(servers, engine, saturating)]


def _fed(servers: LocalStack, engine: Engine, saturating: float) -> list[Row]:
    rate = int(saturating / 2)
    assert servers.postgres is not None
    with (
        worker(servers) as working,
        served(servers, engine) as (port, token, serving),
        feeder(servers.bootstrap_servers, rate, TENANTS) as feeding,
    ):
        pids = {
            "the worker": working.pid,
            "the server": serving.pid,
            "PostgreSQL": servers.postgres.pid,
            "Kafka": servers.kafka.pid,
            "the feeder, no part of the product": feeding.pid,
        }
        lags, times, answered_s, cores = asyncio.run(_beside(servers, engine, pids, port, token))
    waiting = np.array(lags).T[2]
    accounted_per_s, growth_per_s = grown_per_s(lags)
    # Infinite: it was refused.
    ordered = sorted(min(taken, 60.0) for taken in times)
    return [
        Row.against("fed", accounted_per_s + growth_per_s, "events/s", "the worker alone", saturating),
        Row.against("growth of the lag", growth_per_s, "events/s", "fed", accounted_per_s + growth_per_s),
        Row.against("lag", float(np.median(waiting)), "events", "fed in a second", accounted_per_s + growth_per_s),
        Row.against("reads", len(times) / answered_s, "requests/s", "asked", READS_PER_S),
        Row.against("reads, p50", 1_000 * statistics.median(ordered), "ms", "limit", 50.0),
        Row.against("reads, p99", 1_000 * ordered[int(0.99 * (len(ordered) - 1))], "ms", "limit", 50.0),
        *(
            Row.against(f"processor of {name}", used, "cores", "of the machine", psutil.cpu_count() or 1)
            for name, used in cores.items()
        ),
    ]


LagSample = tuple[float, int, int]
"""Seconds since the beginning, events accounted for, events on Kafka that are not."""


async def _beside(
    servers: LocalStack, engine: Engine, pids: Mapping[str, int], port: int, token: str
) -> tuple[list[LagSample], list[float], float, dict[str, float]]:
    """Samples of the lag, seconds that each answer took and all of them together, cores that each process kept busy."""
    question, times, tickets = _mixed(engine), list[float](), itertools.count()
    await asyncio.sleep(_SETTLED_S)
    began = time.perf_counter()
    asking = [
        asyncio.create_task(_ask(question, port, token, tickets, began, random.Random(number), times))
        for number in range(CONNECTIONS)
    ]
    before = processor_s(pids)
    samples = await asyncio.to_thread(sampled_lag, servers, engine, began, lambda sample: sample[0] < FED_S)
    cores = {name: (used - before[name]) / (time.perf_counter() - began) for name, used in processor_s(pids).items()}
    await asyncio.gather(*asking)
    return samples, times, time.perf_counter() - began, cores


def _mixed(engine: Engine) -> Question:
    """Questions about a tenant, and links that its pages have, in equal parts."""
    kinds = [question for name, question in questions(engine, 1).items() if name in _ASKED]
    return lambda random_: random_.choice(kinds)(random_)


async def _ask(
    question: Question,
    port: int,
    token: str,
    tickets: Iterator[int],
    began: float,
    random_: random.Random,
    times: list[float],
) -> None:
    """One connection's questions, each when its turn has come; what an answer is late by counts as time that it took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for ticket in tickets:
        due = began + ticket / READS_PER_S
        if due >= began + FED_S:
            break
        await asyncio.sleep(max(due - time.perf_counter(), 0.0))
        late = time.perf_counter() - due
        times.append(late + await once(question(random_), reader, writer, token))
    writer.close()


def sampled_lag(
    servers: LocalStack, engine: Engine, began: float, goes_on: Callable[[LagSample], bool]
) -> list[LagSample]:
    """The lag of the worker, twice a second until `goes_on` says otherwise of one of them."""
    consumer = Consumer({"bootstrap.servers": servers.bootstrap_servers, "group.id": "lag"})
    samples: list[LagSample] = []
    while not samples or goes_on(samples[-1]):
        if samples:
            time.sleep(_SAMPLE_S)
        accounted = seen(engine)
        there = sum(
            consumer.get_watermark_offsets(TopicPartition(TOPIC, number), timeout=10)[1] for number in range(PARTITIONS)
        )
        samples.append((time.perf_counter() - began, accounted, there - accounted))
    consumer.close()
    return samples


def grown_per_s(lags: Sequence[LagSample]) -> tuple[float, float]:
    """By how many a second the events that are accounted for, and the lag, have grown."""
    of_time, accounted, waiting = np.array(lags, dtype=np.float64).T
    return float(np.polyfit(of_time, accounted, 1)[0]), float(np.polyfit(of_time, waiting, 1)[0])


def processor_s(pids: Mapping[str, int]) -> dict[str, float]:
    """Processor time of each process and its children, those that have ended included."""
    found = {}
    for name, pid in pids.items():
        process = psutil.Process(pid)
        times = [process.cpu_times()]
        for child in process.children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # it has ended just now, and is among those
                times.append(child.cpu_times())
        ended = process.cpu_times()
        found[name] = sum(one.user + one.system for one in times) + ended.children_user + ended.children_system
    return found
