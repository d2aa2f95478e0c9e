"""Where the processor time of an event goes: worker by thread, PostgreSQL by process, broker; catching up, live, and at rest.

`run` is all of it in one run, for people who look for what to make cheaper (docs/costs.md keeps the account). `run_live` is the
rows with bars.
"""

import time
from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Engine, text

from benchmarks.feeding import feeder
from benchmarks.harness import TOPIC, Row, named_worker, seen, stack
from benchmarks.processor_time import Usage, between, by_process, of_events, running, used
from benchmarks.stages import stages_of
from benchmarks.traffic import TENANTS, events, produce
from rice_stream.budgets.parsing import parse_budget
from rice_stream.sandbox.stack.stack import LocalStack
from rice_stream.store import budget_store
from rice_stream.store.engine import reading, writing
from rice_stream.store.event_id_merging import merge_event_ids

EVENTS = 600_000
LIVE = (500, 5_000)
SETTLED_S = 8.0
"""The worker joins its group, meets the names."""
WARM_S = 30.0
"""At the highest rate: until then the broker's machine runs much of its code without having compiled it, for half as much again."""
MEASURED_S = 14.0
FED_S = 6.0
FED_EVENTS = 300_000
"""At once, as a backlog is."""
BACKLOG, LIVE_AT, FED_AT = "a backlog fed and not read", "live at {:,}/s", "fed {:,}/s and not read"
_LOOK_S = 0.25


class Stretch(NamedTuple):
    """What was used over some seconds, and for how many events, transactions and bytes of PostgreSQL's log.

    What the broker's compilers took is told, and counts neither by event nor by second: its machine has just started. What
    autovacuum took does not count by event.
    """

    usage: Usage
    seconds: float
    events: int
    transactions: int
    wal_bytes: int

    def us_per_event(self, *processes: str) -> float:
        """Processor time, in microseconds; all processes together where none is named."""
        found = by_process(of_events(self.usage))
        return 1e6 * sum(found[name].processor_s for name in processes or found) / max(self.events, 1)

    @property
    def processors(self) -> float:
        """How many processors were kept busy."""
        return sum(usage.processor_s for usage in running(self.usage).values()) / self.seconds


def run(scale: float = 1.0) -> list[dict[str, object]]:
    """All of it."""
    stretches = measured(int(EVENTS * scale), MEASURED_S * min(1.0, 2 * scale))
    parts = [row for name, stretch in stretches.items() for row in _parts(name, stretch)]
    return [row.as_dict() for row in (*stages_of(int(200_000 * scale)), *parts, *_bars(stretches))]


def _parts(name: str, stretch: Stretch) -> list[Row]:
    """Each process and part of it, by event, or by second where there are none; what wakes them; what PostgreSQL logs."""
    unit, times = ("us an event", 1e6 / stretch.events) if stretch.events else ("us a second", 1e6 / stretch.seconds)
    whole = times * sum(used_.processor_s for used_ in stretch.usage.values())
    rows = [
        Row.against(f"{name}: {part}", times * used_.processor_s, unit, "all of it", whole)
        for part, used_ in sorted(stretch.usage.items())
        if used_.processor_s
    ]
    rows += [
        Row.against(
            f"{name}: {part} woken", used_.wake_ups / stretch.seconds, "a second", "processors", stretch.processors
        )
        for part, used_ in sorted(stretch.usage.items())
        if used_.wake_ups
    ]
    logged, transactions = stretch.wal_bytes / max(stretch.events, 1), stretch.transactions / stretch.seconds
    rows.append(
        Row.against(f"{name}: log of PostgreSQL", logged, "bytes an event", "transactions a second", transactions)
    )
    return rows


def run_live(scale: float = 1.0) -> list[dict[str, object]]:
    """Live traffic beside catching up."""
    return [row.as_dict() for row in _bars(measured(int(EVENTS * scale), MEASURED_S * min(1.0, 2 * scale)))]


def _bars(stretches: Mapping[str, Stretch]) -> list[Row]:
    """Live traffic beside catching up: with what being fed takes the broker on both sides, and on neither; a backlog is fed before
    it is read."""
    whole = {name: stretch.us_per_event() for name, stretch in stretches.items()}
    catching_up = whole["catching up"]
    fed_us = 1e6 * stretches[FED_AT.format(LIVE[-1])].processors / LIVE[-1]
    busiest = LIVE_AT.format(LIVE[-1])
    seldom = LIVE_AT.format(LIVE[0])
    return [
        *(
            Row.against(name, us, "us an event", beside, caught_up)
            for rate in (busiest, f"{busiest} with budgets")
            for name, us, beside, caught_up in (
                (
                    f"{rate}: worker, PostgreSQL and broker",
                    whole[rate],
                    "catching up, and feeding the backlog",
                    catching_up + whole[BACKLOG],
                ),
                (
                    f"{rate}: beyond what being fed takes the broker",
                    whole[rate] - fed_us,
                    "catching up",
                    catching_up,
                ),
            )
        ),
        Row.against(f"{seldom}: processors used", stretches[seldom].processors, "processors", "a processor", 1.0),
        Row.against("at rest: processors used", stretches["at rest"].processors, "processors", "a processor", 1.0),
    ]


def measured(count: int, seconds: float) -> dict[str, Stretch]:
    """A backlog of so many events, each rate for so many seconds, nothing, and the highest rate with budgets, all by one worker;
    then a broker that is fed and read by nobody. What the backlog leaves to be done later is not done beside live traffic."""
    found = {}
    with stack() as (servers, engine):
        produce(servers.bootstrap_servers, TOPIC, events(count))
        with named_worker(servers) as process:
            pids = _pids(servers, process.pid)
            while not seen(engine):
                if process.poll() is not None:
                    raise RuntimeError(f"the worker has ended ({process.poll()})")
                time.sleep(0.05)
            found["catching up"] = _stretch(engine, pids, until_seen=count)
            _tidy(engine)
            for rate in LIVE:
                with feeder(servers.bootstrap_servers, rate):
                    time.sleep(WARM_S if rate == LIVE[-1] else SETTLED_S)
                    found[LIVE_AT.format(rate)] = _stretch(engine, pids, seconds=seconds)
            time.sleep(5)
            found["at rest"] = _stretch(engine, pids, seconds=seconds)
            _add_distant_budgets(engine)
            with feeder(servers.bootstrap_servers, LIVE[-1]):
                time.sleep(SETTLED_S)
                found[f"{LIVE_AT.format(LIVE[-1])} with budgets"] = _stretch(engine, pids, seconds=seconds)
        # As warm as it is beside live traffic.
        broker = {"broker": servers.kafka.pid}
        with feeder(servers.bootstrap_servers, LIVE[-1]):
            time.sleep(FED_S / 2)
            found[FED_AT.format(LIVE[-1])] = _stretch(engine, broker, seconds=FED_S)
        usage, began = used(broker), time.perf_counter()
        produce(servers.bootstrap_servers, TOPIC, events(FED_EVENTS, seed=3))
        spent = between(usage, used(broker))
        found[BACKLOG] = Stretch(spent, time.perf_counter() - began, FED_EVENTS, 0, 0)
    return found


def _tidy(engine: Engine) -> None:
    """What a backlog leaves to be done later: its lists of ids to be merged, its rows to be looked at by autovacuum."""
    merge_event_ids(engine)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (ANALYZE)"))


def _add_distant_budgets(engine: Engine) -> None:
    """One of each tenant, far from its limit: alerts may have to be made at any time, and none is."""
    with writing(engine) as connection:
        for number in range(TENANTS):
            asked = {"name": "far", "tenant_id": f"tenant-{number:02d}", "limit_gco2e": 1e9, "period": "month"}
            budget_store.save_budget(connection, parse_budget(asked), time.time_ns() // 1000)


def _pids(servers: LocalStack, worker: int) -> dict[str, int]:
    assert servers.postgres is not None
    return {"worker": worker, "postgres": servers.postgres.pid, "broker": servers.kafka.pid}


def _stretch(engine: Engine, pids: Mapping[str, int], *, seconds: float | None = None, until_seen: int = 0) -> Stretch:
    before, began = _stand(engine), time.perf_counter()
    usage = used(pids)
    if seconds is not None:
        time.sleep(seconds)
    else:
        while seen(engine) < until_seen:
            time.sleep(_LOOK_S)
    spent = between(usage, used(pids))
    elapsed = time.perf_counter() - began
    after = _stand(engine)
    return Stretch(spent, elapsed, *(late - early for early, late in zip(before, after, strict=True)))


def _stand(engine: Engine) -> tuple[int, int, int]:
    """Events accounted for, transactions, bytes of the log."""
    query = text(
        "SELECT (SELECT COALESCE(SUM(recorded + duplicates + conflicts + quarantined), 0) FROM kafka_progress),"
        " (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()),"
        " pg_current_wal_lsn() - '0/0'::pg_lsn"
    )
    with reading(engine) as connection:
        return tuple(int(value) for value in connection.execute(query).one())  # type: ignore[return-value]
