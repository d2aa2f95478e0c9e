"""Budget alerts: every crossing announced, each under one id, whatever dies between the store and the alerts topic."""

import json
import random
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType

from rice_stream.sandbox.stack.processes import poll_until
from tests.support.cases import drawn, size
from tests.support.changed_workers import DatabaseClock
from tests.support.waiting import wait_until
from tests.support.worker_harness import AS_OFTEN_AS_DEPLOYED, Deployment, WorkerProcess
from tests.support.worker_truth import Event, EventMaker, Sender, assert_exact, measures_of, range_of

THRESHOLDS = (0.5, 0.8, 1.0)
RATIOS = (0.3, 0.6, 0.9, 1.2, 3.0)
"""How much of its limit a budget's scope will have consumed in the end; none of it near a threshold."""
SETTINGS = {"budget_sweep_s": 0.2, "budget_judge_interval_s": 0.01, "batch_events_max": 300, **AS_OFTEN_AS_DEPLOYED}
BACKLOG = 12_000
"""Events, in forty batches."""
RIGHT_AFTER_US = 3_000_000
"""A wait, a judgement and the publishing of alerts, on a machine that is busy."""


class Change(NamedTuple):
    """A state change that must be announced, once."""

    tenant_id: str
    budget: str
    threshold: float
    state: str


def noon_zone() -> str:
    """A time zone in which it is about noon now, so that no calendar day ends during the test."""
    ahead = (12 - datetime.now(UTC).hour + 12) % 24 - 12
    # The names of these zones have their sign the other way round.
    return f"Etc/GMT{-ahead:+d}" if ahead else "UTC"


def recent_events(seed: int, count: int) -> list[Event]:
    """Events of the last 50 minutes."""
    make, draw, now_s = EventMaker(seed), random.Random(seed), time.time()
    times = (datetime.fromtimestamp(now_s - draw.uniform(0, 3000), UTC) for _ in range(count))
    return [make(ended_at=moment.isoformat().replace("+00:00", "Z")) for moment in times]


def crossings(tenant_id: str, budget: str, ratio: float) -> list[Change]:
    """What must be announced of a budget that is consumed up to `ratio`."""
    reached = [threshold for threshold in THRESHOLDS if ratio >= threshold]
    return [Change(tenant_id, budget, t, "exceeded" if t >= 1 else "warning") for t in reached]


def budgets_for(deployment: Deployment, events: Iterable[Event]) -> tuple[list[dict[str, Any]], set[Change]]:
    """Budgets of every kind with limits made from what the events will consume, and the changes that follow."""
    given = list(events)
    measures = measures_of(given, deployment.folder / "limits")
    scopes: list[tuple[dict[str, str], str, dict[str, str]]] = [
        ({}, "carbon_mid_ugco2e", {"period": "rolling-24h"}),
        ({}, "facility_energy_uwh", {"period": "day", "time_zone": noon_zone()}),
        ({"team_id": "search"}, "carbon_high_ugco2e", {"period": "rolling-7d", "estimate": "high"}),
        ({"user_id": "u-1"}, "carbon_low_ugco2e", {"period": "day", "time_zone": noon_zone(), "estimate": "low"}),
    ]
    budgets: list[dict[str, Any]] = []
    changes: set[Change] = set()
    for tenant_number in range(6):
        tenant_id = f"tenant-{tenant_number}"
        for number, (scope, measure, how) in enumerate(scopes):
            wanted = {"tenant_id": tenant_id, **scope}
            matching = [e for e in given if wanted.items() <= {k: e[k] for k in wanted}.items()]
            of_scope = [measures[e["tenant_id"], e["event_id"]] for e in matching]
            if end := how.get("estimate"):
                total = getattr(range_of(of_scope, deployment.folder / "limits"), end)
            else:
                total = sum(each[measure] for each in of_scope)
            ratio = RATIOS[(tenant_number + number) % len(RATIOS)]
            unit, micro = ("limit_kwh", 1e9) if measure.endswith("uwh") else ("limit_gco2e", 1e6)
            name = f"budget-{number}"
            budgets.append({"name": name, **wanted, unit: f"{total / ratio / micro:.6f}", **how})
            changes.update(crossings(tenant_id, name, ratio))
    return budgets, changes


def apply_budgets(deployment: Deployment, budgets: list[dict[str, Any]]) -> None:
    """Set them with the command that users have."""
    file = deployment.folder / "budgets.yaml"
    file.write_text(json.dumps({"budgets": budgets}))
    exit_code, output = deployment.run("budget", "apply", str(file))
    assert exit_code == 0, output


def stored_changes(deployment: Deployment) -> Counter[Change]:
    """What the alert table holds."""
    return Counter(Change(*row) for row in deployment.rows("SELECT tenant_id, budget, threshold, state FROM alert"))


def undelivered(deployment: Deployment) -> int:
    return int(deployment.value("SELECT COUNT(*) FROM alert WHERE delivered_at_us IS NULL"))


def announced(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """Alert id -> its message, from the topic. Repeats must be the same message; keys and fields are checked."""
    by_id: dict[str, dict[str, Any]] = {}
    for key, message in deployment.alerts_on_topic():
        assert by_id.setdefault(message["id"], message) == message, "one id, one message"
        assert key == message["data"]["tenant_id"]
    for message in by_id.values():
        check_fields(message)
    return by_id


def check_fields(message: Mapping[str, Any]) -> None:
    """The message is the CloudEvent that the documentation promises."""
    assert message["specversion"] == "1.0"
    assert message["type"] == "dev.rice.carbon.budget.v1"
    data = message["data"]
    assert data["state"] in {"ok", "warning", "exceeded", "resolved"}
    assert data["severity"] == {"warning": "warning", "exceeded": "critical", "resolved": "info"}[data["state"]]
    assert data["basis"] == "actual"
    assert data["threshold"] in THRESHOLDS
    assert ("limit_gco2e" in data) != ("limit_kwh" in data)
    assert set(data["consumed_gco2e"]) == {"low", "mid", "high"}
    if data["state"] != "resolved":
        assert data["ratio"] >= data["threshold"]
    period = datetime.fromisoformat(data["period_start"]), datetime.fromisoformat(data["period_end"])
    assert period[0] < period[1]
    assert period[0] - timedelta(minutes=1) <= datetime.fromisoformat(data["event_time_watermark"]) < period[1]
    assert isinstance(data["scope"], dict)


def assert_announced(deployment: Deployment, changes: Iterable[Change]) -> None:
    """Exactly these changes: each once in the table, each under one id on the topic, numbered without a hole."""
    assert stored_changes(deployment) == Counter(changes)
    messages = announced(deployment)
    told = [Change(*(m["data"][name] for name in Change._fields)) for m in messages.values()]
    assert Counter(told) == Counter(changes)
    stored = {row[0] for row in deployment.rows("SELECT id FROM alert")}
    assert set(messages) == stored
    sequences: dict[tuple[str, str], list[int]] = {}
    for message in messages.values():
        data = message["data"]
        sequences.setdefault((data["tenant_id"], data["budget"]), []).append(data["sequence"])
    for budget, numbers in sequences.items():
        assert sorted(numbers) == list(range(1, len(numbers) + 1)), budget


def test_every_crossing_is_announced_under_random_kills_of_two_workers(deployment: Deployment) -> None:
    """24 budgets of all kinds, two workers of which one judges all of them, kills (three, in a drill twelve) at random moments
    between commit, judgement and publication; and a rolling window that empties while nothing arrives: all changes, no
    other, ids unique."""
    clock = DatabaseClock(deployment)
    draw, kills = drawn("alerts"), size(3, 12)
    events = recent_events(61, 1000 * kills)
    budgets, changes = budgets_for(deployment, events)
    leaving = {"name": "window", "tenant_id": "leaving", "limit_gco2e": "0.001", "period": "rolling-24h"}
    apply_budgets(deployment, [*budgets, leaving])
    sender = Sender(deployment)
    workers = [deployment.start_worker(**SETTINGS) for _ in range(2)]
    workers[0].until(lambda: any(map(has_judged, workers)), "the first judgement, by whoever judges all")
    leaves_at_s = send_leaving(sender)
    changes |= {*crossings("leaving", "window", 9)}
    workers[0].until(lambda: stored_changes(deployment).total() == 3, "the crossings of the first budget")
    changes |= {Change("leaving", "window", threshold, "resolved") for threshold in THRESHOLDS}
    for number, event in enumerate(events):
        sender.send_event(event)
        if number % 1000 == 999:
            sender.confirm()
            kill_and_replace(deployment, workers, draw)
    everything = Counter(changes).total()
    survivor = workers[0]
    survivor.until(lambda: deployment.recorded() == len(events) + 1, "everything to be stored")
    clock.move_on(max(0, round(leaves_at_s - time.time()) + 1))
    survivor.until(lambda: stored_changes(deployment).total() >= everything, "the last change to be judged", 60)
    survivor.until(lambda: undelivered(deployment) == 0, "the last alert to be delivered")
    for worker in workers:  # the last to be started may hardly have begun
        worker.until(lambda: worker.get("/readyz")[0] == 200, "both to be ready")  # noqa: B023
    # What the dead had stored and not acknowledged is read again when the group has noticed that they are dead.
    survivor.until(lambda: all_acknowledged(deployment), "all to be acknowledged")
    assert [worker.stop() for worker in workers] == [0, 0]
    assert_announced(deployment, changes)
    assert_exact(deployment, sender.truth)


def all_acknowledged(deployment: Deployment) -> bool:
    return deployment.committed_offsets() == {place: end or None for place, end in deployment.ends().items()}


def has_judged(worker: WorkerProcess) -> bool:
    return worker.metrics().get("rice_judge_seconds_count", 0) > 0


def send_leaving(sender: Sender) -> float:
    """One event at the old end of the rolling 24 hours, whose minute leaves them in two to three minutes; returns when."""
    make = EventMaker(62)
    minute_s = time.time() // 60 * 60 + 120
    ended_at = datetime.fromtimestamp(minute_s + 59 - 86_400, UTC).isoformat().replace("+00:00", "Z")
    sender.send_event(
        make(tenant_id="leaving", ended_at=ended_at, event_id="leaving", gateway_cache_hit=..., status=...)
    )
    sender.confirm()
    return minute_s + 60


def kill_and_replace(deployment: Deployment, workers: list[WorkerProcess], draw: random.Random) -> None:
    """kill -9 of one of them, at once when alerts are on their way, else at a random moment."""
    victim = workers.pop(draw.randrange(len(workers)))
    poll_until(lambda: undelivered(deployment) > 0, draw.uniform(0.05, 1))
    victim.kill()
    workers.append(deployment.start_worker(**SETTINGS))


def one_budget(deployment: Deployment) -> tuple[Sender, set[Change]]:
    """300 events of a tenant, on the topic, and a budget of theirs that they will exceed."""
    events = [{**event, "tenant_id": "acme"} for event in recent_events(63, 300)]
    total = sum(m["carbon_mid_ugco2e"] for m in measures_of(events, deployment.folder / "limit").values())
    budget = {"name": "all", "tenant_id": "acme", "limit_gco2e": f"{total / 2e6:.6f}", "period": "rolling-24h"}
    apply_budgets(deployment, [budget])
    sender = Sender(deployment)
    for event in events:
        sender.send_event(event, partition=0)
    sender.confirm()
    return sender, set(crossings("acme", "all", 2))


def test_alerts_published_but_not_marked_are_published_again_under_the_same_ids(deployment: Deployment) -> None:
    """The worker dies between the broker's confirmation and the mark in the store: the next one publishes again."""
    with deployment.engine.begin() as connection:
        # Marking an alert as delivered waits for as long as the test holds the lock.
        connection.exec_driver_sql(
            "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_advisory_xact_lock_shared(61); RETURN NEW; END'"
        )
        connection.exec_driver_sql("CREATE TRIGGER hold BEFORE UPDATE ON alert FOR EACH ROW EXECUTE FUNCTION hold()")
    with deployment.engine.connect() as locker:
        locker.exec_driver_sql("SELECT pg_advisory_lock(61)")
        _, changes = one_budget(deployment)
        # All events in one batch: a first alert that were published alone would hold up the others as it waits to be marked.
        worker = deployment.start_worker(batch_wait_s=2)
        worker.until(lambda: len(deployment.alerts_on_topic()) >= 3, "the alerts to be on the topic")
        worker.kill()
        assert undelivered(deployment) == 3
        locker.exec_driver_sql("SELECT pg_advisory_unlock(61)")
    deployment.finish(idle_s=1)
    assert undelivered(deployment) == 0
    assert Counter(message["id"] for _, message in deployment.alerts_on_topic()).most_common()[-1][1] >= 2
    assert_announced(deployment, changes)


def test_alerts_wait_in_the_outbox_while_the_broker_takes_none(deployment: Deployment) -> None:
    """The alerts topic refuses records: events go on being counted, and the alerts come when it takes them again, from
    the next worker if this one dies. A raised limit resolves them, announced as well."""
    set_alerts_topic(deployment, "max.message.bytes", "10")
    sender, changes = one_budget(deployment)
    worker = deployment.start_worker()
    worker.until(lambda: undelivered(deployment) == 3, "the alerts to be in the outbox")
    worker.until(lambda: deployment.recorded() == 300, "the events to be counted")
    worker.until(lambda: worker.metrics().get("rice_alert_delivery_failures_total", 0) > 1, "a second attempt to fail")
    worker.kill()
    assert deployment.alerts_on_topic() == []
    set_alerts_topic(deployment, "max.message.bytes", "1000000")
    worker = deployment.start_worker(**SETTINGS)
    worker.until(lambda: undelivered(deployment) == 0, "the alerts to be delivered")
    raised = deployment.json(
        "budget", "set", "all", "--tenant", "acme", "--limit-gco2e", "1e6", "--period", "rolling-24h"
    )
    assert [budget["ratio"] < 0.4 for budget in raised["budgets"]] == [True]
    changes |= {Change("acme", "all", threshold, "resolved") for threshold in THRESHOLDS}
    worker.until(lambda: stored_changes(deployment).total() == 6, "the budget to be resolved")
    assert worker.stop() == 0, worker.log
    assert undelivered(deployment) == 0
    assert_announced(deployment, changes)
    assert_exact(deployment, sender.truth)


def set_alerts_topic(deployment: Deployment, setting: str, value: str) -> None:
    """Change a setting of the alerts topic."""
    admin = AdminClient({"bootstrap.servers": deployment.bootstrap_servers, "log_level": 0})
    entry = ConfigEntry(setting, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, deployment.alerts_topic, incremental_configs=[entry])
    admin.incremental_alter_configs([resource])[resource].result(30)

    def known_to_the_broker() -> bool:
        asked = ConfigResource(ResourceType.TOPIC, deployment.alerts_topic)
        (described,) = admin.describe_configs([asked]).values()
        return bool(described.result(30)[setting].value == value)

    # The controller has it; the broker hears of it a moment later.
    wait_until(known_to_the_broker, 30, "the broker to know the setting")


def test_a_backlog_delays_the_alerts_behind_it_by_its_own_length(deployment: Deployment) -> None:
    """By the database's clock: what crosses at the beginning of a backlog is announced while the rest is read, and what lies behind
    it right after; so an alert of today waits for what was there before it, and for nothing else."""
    budgets = [
        {"name": "all", "tenant_id": tenant_id, "limit_gco2e": "0.000001", "period": "rolling-24h"}
        for tenant_id in ("ahead", "behind")
    ]
    apply_budgets(deployment, budgets)
    ahead, behind = recent_events(65, 2)
    make = EventMaker(66)
    sender = Sender(deployment)
    for event in (
        {**ahead, "tenant_id": "ahead"},
        *(make() for _ in range(BACKLOG)),
        {**behind, "tenant_id": "behind"},
    ):
        sender.send_event(event, partition=0)
    sender.confirm()
    worker = deployment.start_worker(**SETTINGS)
    worker.until(lambda: deployment.recorded() == BACKLOG + 2, "the backlog to be read")
    worker.until(lambda: len({change.tenant_id for change in stored_changes(deployment)}) == 2, "both to be announced")
    announced_us = dict(deployment.rows("SELECT tenant_id, MIN(created_at_us) FROM alert GROUP BY tenant_id"))
    read_us = int(deployment.value("SELECT MAX(recorded_us) FROM prompt_record"))
    assert announced_us["ahead"] < read_us
    assert announced_us["behind"] - read_us < RIGHT_AFTER_US
