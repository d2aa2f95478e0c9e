"""From the event that crosses a budget to the alert on the alerts topic and to a webhook."""

import base64
import json
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product

from confluent_kafka import Consumer, Producer
from sqlalchemy import Engine

from benchmarks.feeding import feeder, sent_so_far
from benchmarks.harness import ALERTS, TOPIC, Row, seen, server, stack, worker
from benchmarks.traffic import events, produce
from rice_stream.alerting.channels import set_channel
from rice_stream.budgets.parsing import parse_budget
from rice_stream.channels.parsing import parse_channel
from rice_stream.runtime.secret_box import FernetBox
from rice_stream.sandbox.stack.stack import LocalStack
from rice_stream.store import budget_store
from rice_stream.store.audit import Actor
from rice_stream.store.engine import writing
from rice_stream.store.scope import EVERYTHING

_RATE = 5_000
_TENANTS = 150
_PREFIXES = ("crossing", "quiet", "busy")
"""Of the names of tenants with a budget."""
_BACKLOG = 400_000
_APART_S = (0.05, 0.25)
"""Between two crossings: not in step with the worker's batches."""
_MORE_THAN_ANY = 1_000_000
"""Events/s that no generator here reaches: it sends as many as it can."""
_NAMES_MET_S, _SATURATED_S = 5.0, 6.0
_DRAINED_WITHIN_S = 90.0
_LATE_S = 20.0
"""An alert that has not come so long after the last crossing counts as coming then: it is late, and no failure."""
_KEY = base64.b64encode(bytes(32)).decode()
"""What encrypts the secret of the webhook, in a database that is gone with the benchmark."""


def run() -> list[dict[str, object]]:
    """p99 of crossing to alert at 5,000 events/s, against the limit of 1 s."""
    with stack() as (servers, engine):
        _budgets(engine)
        consumer = _alerts_consumer(servers)
        with worker(servers):
            sent, on_kafka = _cross(servers, consumer, _RATE)
        consumer.close()
    ordered = sorted(on_kafka[tenant] - sent[tenant] for tenant in sent)
    p99 = _p99(ordered)
    median = ordered[len(ordered) // 2]
    return [
        Row.against("alert after its crossing, p99", p99, "s", "limit", 1.0).as_dict(),
        Row.against("alert after its crossing, median", median, "s", "limit", 1.0).as_dict(),
    ]


def run_under_load() -> list[dict[str, object]]:
    """p99 of crossing to alert at 0.7 of what the worker saturates at beside its generator, against 1,000 events/s."""
    with stack() as (servers, engine):
        _budgets(engine)
        consumer = _alerts_consumer(servers)
        with worker(servers):
            saturating = _saturating(servers, engine)
            p99_at = {}
            for prefix, rate in (("quiet", 1_000), ("busy", int(0.7 * saturating))):
                sent, on_kafka = _cross(servers, consumer, rate, prefix, crossings=100, settle_s=6)
                p99_at[rate] = _p99(sorted(on_kafka[tenant] - sent[tenant] for tenant in sent))
        consumer.close()
    (_, quiet), (rate, busy) = p99_at.items()
    name = f"alert after its crossing at 0.7 of the saturating rate ({rate:,}/s), p99"
    return [Row.against(name, busy, "s", "at 1,000 events/s", quiet).as_dict()]


def _saturating(servers: LocalStack, engine: Engine) -> float:
    """Events/s that a worker stores while it is sent more than that, on the same processors; returns when it has caught up.

    Of a backlog alone it would be a rate that no generator on these processors leaves room for.
    """
    with feeder(servers.bootstrap_servers, _MORE_THAN_ANY):
        while not seen(engine):
            time.sleep(0.1)
        time.sleep(_NAMES_MET_S)
        before, began = seen(engine), time.monotonic()
        time.sleep(_SATURATED_S)
        rate = (seen(engine) - before) / (time.monotonic() - began)
    sent, deadline_s = sent_so_far(servers.bootstrap_servers), time.monotonic() + _DRAINED_WITHIN_S
    while (stored := seen(engine)) < sent:
        if time.monotonic() > deadline_s:
            raise RuntimeError(f"{sent - stored:,} of {sent:,} events were left after {_DRAINED_WITHIN_S:.0f} s")
        time.sleep(0.2)
    return rate


def run_behind_backlog(scale: float = 1.0) -> list[dict[str, object]]:
    """A backlog delays the alerts of what lies behind it by its own length and no more."""
    count = int(_BACKLOG * scale)
    with stack() as (servers, engine):
        _budgets(engine)
        consumer = _alerts_consumer(servers)
        consumer.poll(1.0)
        produce(servers.bootstrap_servers, TOPIC, events(count))
        tenants = [f"crossing-{number}" for number in range(_TENANTS)]
        produce(servers.bootstrap_servers, TOPIC, ((b"", _crossing_event(tenant)) for tenant in tenants))
        waits = dict.fromkeys(tenants, 0.0)
        came: dict[str, float] = {}
        with worker(servers):
            began = time.monotonic()
            while seen(engine) < count + _TENANTS:
                came |= _seen_on_kafka(consumer, waits, until=time.monotonic() + 0.05)
            read = time.monotonic()
            came |= _seen_on_kafka(consumer, waits, until=read + 5)
        consumer.close()
    if waits:
        raise RuntimeError(f"{len(waits)} alerts did not arrive")
    after = max(came.values()) - read
    return [
        Row.against(
            "alert of an event behind a backlog, after the backlog is read, last", after, "s", "limit", 1.0
        ).as_dict(),
        Row.against(
            "alert of an event behind a backlog, first", min(came.values()) - began, "s", "backlog", read - began
        ).as_dict(),
    ]


def _budgets(engine: Engine) -> None:
    with writing(engine) as connection:
        for number, prefix in product(range(_TENANTS), _PREFIXES):
            budget = parse_budget(
                {
                    "name": f"b{number}",
                    "tenant_id": f"{prefix}-{number}",
                    "limit_gco2e": 1000,
                    "period": "day",
                    "thresholds": [1.0],
                }
            )
            budget_store.save_budget(connection, budget, time.time_ns() // 1000)


def _alerts_consumer(servers: LocalStack) -> Consumer:
    consumer = Consumer(
        {"bootstrap.servers": servers.bootstrap_servers, "group.id": "bench-alerts", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([ALERTS])
    return consumer


def _crossing_event(tenant: str) -> bytes:
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps(
        {
            "event_id": "crossing",
            "tenant_id": tenant,
            "ended_at": now,
            "request_model": "gpt-4o",
            "input_tokens": 1_000_000,
            "output_tokens": 100_000_000,
        }
    ).encode()


def run_delivery() -> list[dict[str, object]]:
    """p99 of crossing to webhook: at 1,000 events/s against 1.5 s, at 5,000 events/s what it adds to the alert on Kafka."""
    rows: list[Row] = []
    with stack() as (servers, engine), _receiver() as (address, hooks):
        _budgets(engine)
        _webhook(engine, address)
        consumer = _alerts_consumer(servers)
        own = {"RICE_SECRETS_KEY": _KEY, "RICE_ALERT_ALLOWED_HOSTS": "127.0.0.1"}
        with worker(servers), server(servers, **own):
            for prefix, rate in (("quiet", 1_000), ("busy", _RATE)):
                sent, on_kafka = _cross(servers, consumer, rate, prefix, crossings=100)
                _wait_for(hooks, sent)
                total = sorted(hooks[tenant] - sent[tenant] for tenant in sent)
                added = sorted(hooks[tenant] - on_kafka[tenant] for tenant in sent)
                name = f"at {rate:,} events/s, p99"
                rows.append(Row.against(f"webhook after its crossing {name}", _p99(total), "s", "limit", 1.5))
                rows.append(Row.against(f"webhook after the alert on Kafka {name}", _p99(added), "s", "limit", 0.5))
        consumer.close()
    return [row.as_dict() for row in rows]


def _cross(
    servers: LocalStack,
    consumer: Consumer,
    rate: int,
    prefix: str = "crossing",
    crossings: int = _TENANTS,
    settle_s: float = 12,
) -> tuple[dict[str, float], dict[str, float]]:
    """When each crossing was sent, and when its alert was on Kafka, by tenant: background traffic at the rate, and now and then
    one event so large that it crosses its tenant's budget."""
    producer = Producer({"bootstrap.servers": servers.bootstrap_servers, "linger.ms": 5})
    sent: dict[str, float] = {}
    waits: dict[str, float] = {}
    on_kafka: dict[str, float] = {}
    with feeder(servers.bootstrap_servers, rate):
        consumer.poll(1.0)
        time.sleep(settle_s)  # let the worker join and meet the names: what is measured is a running system
        for number in range(crossings):
            tenant = f"{prefix}-{number}"
            sent[tenant] = waits[tenant] = time.monotonic()
            producer.produce(TOPIC, _crossing_event(tenant))
            producer.flush(5)
            on_kafka |= _seen_on_kafka(consumer, waits, until=time.monotonic() + random.uniform(*_APART_S))
        deadline_s = time.monotonic() + _LATE_S
        while waits and time.monotonic() < deadline_s:
            on_kafka |= _seen_on_kafka(consumer, waits, until=time.monotonic() + 0.05)
    if not on_kafka:
        raise RuntimeError(f"none of {crossings} alerts arrived")
    return sent, {**dict.fromkeys(waits, time.monotonic()), **on_kafka}


def _seen_on_kafka(consumer: Consumer, waits: dict[str, float], *, until: float) -> dict[str, float]:
    """When alerts of tenants that are waited for came, by tenant."""
    came = {}
    while time.monotonic() < until:
        message = consumer.poll(0.02)
        if message is not None and message.error() is None:
            tenant = json.loads(message.value() or b"")["data"]["tenant_id"]
            if waits.pop(tenant, None) is not None:
                came[tenant] = time.monotonic()
    return came


@contextmanager
def _receiver() -> Iterator[tuple[str, dict[str, float]]]:
    """A receiver of webhooks: its address, and when the first of each tenant came."""
    came: dict[str, float] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            came.setdefault(body["data"]["tenant_id"], time.monotonic())
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing."""

    receiver = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{receiver.server_port}/hook", came
    finally:
        receiver.shutdown()
        receiver.server_close()


def _webhook(engine: Engine, address: str) -> None:
    asked = parse_channel({"name": "hook", "type": "webhook", "url": address})
    set_channel(engine, EVERYTHING, FernetBox.parse(_KEY), asked, Actor("command line", "benchmark"))


def _wait_for(hooks: Mapping[str, float], sent: Mapping[str, float]) -> None:
    deadline_s = time.monotonic() + 30
    while missing := sent.keys() - hooks.keys():
        if time.monotonic() > deadline_s:
            raise RuntimeError(f"{len(missing)} of {len(sent)} webhooks did not arrive")
        time.sleep(0.05)


def _p99(ordered: Sequence[float]) -> float:
    return ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
