"""`rice-stream check --deep`: one marked event through Kafka, the worker and the store, and a trial of channels, timed leg by leg.

The event is of a tenant of its own (`TENANT`) and says that a gateway answered it from its cache, without any tokens: it is
recorded and counted like every other, and no energy, carbon or token comes with it. So records, totals and topic go on agreeing,
and nobody's amounts change, not even the sum over all tenants; it is one prompt of a tenant that nobody is charged for.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

from rice_stream.alerting.channels import send_trial
from rice_stream.errors import NotFoundError, RiceError, ServiceUnavailableError
from rice_stream.instants import epoch_us, rfc3339
from rice_stream.kafka.producer import EventProducer, NotTakenError
from rice_stream.reports.deliveries import named_delivery
from rice_stream.reports.record_lookup import find_record, is_recorded
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.runtime.opening import open_store
from rice_stream.runtime.opening_kafka import kafka_config
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.audit import Actor
from rice_stream.store.engine import Engine, reading
from rice_stream.store.scope import EVERYTHING

TENANT = "rice-stream-check"
"""The tenant of the events of these checks, reserved for them."""
SOURCE = "/rice-stream/check"
_MODEL = "gpt-4o"
"""One that every table knows, so that no check shows among the names that are to be mapped."""
_POLL_S = 0.05
_POLL_MAX_S = 0.5
_PROGRESS = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Leg:
    """A stretch of the way. `seconds` is how long it took after the one before; None where it did not get there."""

    name: str
    ok: bool
    seconds: float | None
    detail: str
    what_to_do: str | None = None
    unreachable: bool = False


def deep_check(
    settings: Settings, by: Actor, *, channels: Sequence[str] = (), timeout_s: float = 30.0
) -> dict[str, Any]:
    """`{"ok", "reachable", "tenant_id", "event_id", "legs"}`; never raises for what it is meant to find.

    Each leg has up to `timeout_s`; what comes after one that failed is not tried, but channels are.
    """
    moment = datetime.now(UTC)
    # To the millisecond, as events say it.
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    event_id = f"check-{uuid4().hex}"
    legs: list[Leg] = []
    try:
        engine = open_store(settings)
    except RiceError as error:
        legs.append(_failed("store", error, "correct RICE_DATABASE_URL, or run `rice-stream migrate`"))
    else:
        try:
            for leg in _way_of(settings, engine, event_id, moment, timeout_s):
                legs.append(leg)
                if not leg.ok:
                    break
            legs += [_channel(engine, name, by, timeout_s) for name in channels]
        finally:
            engine.dispose()
    return {
        "ok": all(leg.ok for leg in legs),
        "reachable": not any(leg.unreachable for leg in legs),
        "tenant_id": TENANT,
        "event_id": event_id,
        "legs": [{name: value for name, value in asdict(leg).items() if name != "unreachable"} for leg in legs],
    }


def marked_event(event_id: str, ended_at: datetime) -> dict[str, Any]:
    """An event that costs nothing and is nobody's: answered by a gateway's cache, without tokens."""
    return {
        "schema_version": "1",
        "event_id": event_id,
        "ended_at": rfc3339(epoch_us(ended_at), "milliseconds"),
        "tenant_id": TENANT,
        "source": SOURCE,
        "provider": "openai",
        "request_model": _MODEL,
        "input_tokens": 0,
        "output_tokens": 0,
        "gateway_cache_hit": True,
    }


def _way_of(settings: Settings, engine: Engine, event_id: str, moment: datetime, timeout_s: float) -> Iterator[Leg]:
    topic = settings.events_topics[0]
    try:
        before = _prompts(engine, moment)
        yield _sent(settings, topic, marked_event(event_id, moment), timeout_s)
        sent_s = time.monotonic()
        if not _until(lambda: is_recorded(engine, EVERYTHING, event_id, TENANT, moment), bool, timeout_s):
            yield _not_recorded(settings, engine, event_id, moment, timeout_s)
            return
        yield _good("worker", time.monotonic() - sent_s, "a worker has recorded it")
        recorded_s = time.monotonic()
        if _until(lambda: _prompts(engine, moment), lambda count: count > before, timeout_s) is None:
            what = "run `rice-stream verify`: it shows totals that do not agree with the records"
            yield Leg(
                "total", ok=False, seconds=None, detail="its record is there, and no total has it", what_to_do=what
            )
            return
        yield _good("total", time.monotonic() - recorded_s, f"the totals of tenant {TENANT} have it")
    except RiceError as error:
        yield _failed("store", error, "see the check of the database")


def _sent(settings: Settings, topic: str, event: dict[str, Any], timeout_s: float) -> Leg:
    """On the topic, confirmed by all in-sync replicas."""
    begun_s = time.monotonic()
    told: list[str | None] = []
    try:
        producer = EventProducer(
            kafka_config(settings), {"delivery.timeout.ms": max(1, int(timeout_s * 1000))}, logger=_PROGRESS
        )
        problem = producer.topic_problem(topic, timeout_s)
        if problem is None:
            producer.send(topic, json.dumps(event).encode(), TENANT, told.append)
            producer.flush(timeout_s)
            problem = told[0] if told else f"the broker did not confirm it within {timeout_s:g} s"
    except NotTakenError as error:
        problem = str(error)
    except RiceError as error:
        return _failed("produce", error, "see the check of the broker")
    if problem is not None:
        what = f"may the login of RICE_KAFKA_* write to {topic}, and are its replicas in sync?"
        return Leg("produce", ok=False, seconds=None, detail=f"{topic}: {problem}", what_to_do=what)
    return _good("produce", time.monotonic() - begun_s, f"{topic} has it, confirmed by the broker")


def _not_recorded(settings: Settings, engine: Engine, event_id: str, moment: datetime, timeout_s: float) -> Leg:
    """Where it may be; the one place that looks into quarantine."""
    found = f"no worker has recorded it within {timeout_s:g} s"
    what = (
        f"is a worker running (group {settings.kafka_group_id}), with this database and topic, and does it keep up? When one"
        " does, it records the event, which costs nothing"
    )
    try:
        with reading(engine) as connection:
            find_record(connection, EVERYTHING, event_id, TENANT, moment)
    except NotFoundError as error:
        if "quarantine" in str(error):
            found, what = str(error), "look at the row that is named, and at the rules and trust of this deployment"
    return Leg("worker", ok=False, seconds=None, detail=found, what_to_do=what)


def _prompts(engine: Engine, moment: datetime) -> int:
    """Of the tenant of these checks in the minute of the event."""
    start = moment.replace(second=0, microsecond=0)
    query = TotalsQuery(tenant=TENANT, start=start, end=start + timedelta(minutes=1))
    return int(totals(engine, EVERYTHING, query, moment)["total"]["prompts"])


def _channel(engine: Engine, name: str, by: Actor, timeout_s: float) -> Leg:
    """A trial by the way of every delivery: stored here, sent by a server."""
    leg = f"channel {name}"
    begun_s = time.monotonic()
    try:
        delivery_id = send_trial(engine, EVERYTHING, name, by, datetime.now(UTC))
        ended = ("done", "failed", "dead", "held")

        def state() -> dict[str, Any]:
            return named_delivery(engine, EVERYTHING, delivery_id) or {"state": "gone"}

        found = _until(state, lambda each: each["state"] in ended, timeout_s)
    except RiceError as error:
        return _failed(leg, error, "see `rice-stream channel list`")
    if found is None:
        what = "is `rice-stream serve` running, with this database and RICE_SECRETS_KEY? Any number of them send"
        text = f"no server has sent it within {timeout_s:g} s"
        return Leg(leg, ok=False, seconds=None, detail=text, what_to_do=what)
    if found["state"] == "held":
        return _good(leg, time.monotonic() - begun_s, f"held over quiet hours until {found['next_at']}")
    if found["state"] != "done":
        what = f"correct the channel or its receiver; `rice-stream delivery list` shows delivery {delivery_id}"
        return Leg(leg, ok=False, seconds=None, detail=str(found.get("problem") or found["state"]), what_to_do=what)
    return _good(leg, time.monotonic() - begun_s, f"arrived; answered {found['answered_status'] or 'well'}")


def _until(ask: Callable[[], T], enough: Callable[[T], bool], timeout_s: float) -> T | None:
    """What is asked for as soon as it is enough; None: it was not within the time. Asked less often as time goes by."""
    begun_s, pause_s = time.monotonic(), _POLL_S
    while True:
        found = ask()
        if enough(found):
            return found
        if time.monotonic() - begun_s >= timeout_s:
            return None
        time.sleep(min(pause_s, timeout_s))
        pause_s = min(_POLL_MAX_S, pause_s * 1.2)


def _good(name: str, seconds: float, detail: str) -> Leg:
    return Leg(name, ok=True, seconds=round(seconds, 4), detail=detail)


def _failed(name: str, error: RiceError, what_to_do: str) -> Leg:
    unreachable = isinstance(error, ServiceUnavailableError)
    return Leg(name, ok=False, seconds=None, detail=str(error), what_to_do=what_to_do, unreachable=unreachable)
