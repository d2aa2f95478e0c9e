"""Alerts delivered by real servers to real receivers over HTTP."""

import base64
import random
import secrets
import subprocess
import sys
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from rice_stream.alerting.budgets import set_budgets
from rice_stream.alerting.channels import set_channel
from rice_stream.alerting.delivering import DeliveryTimes
from rice_stream.alerting.judge import Judge
from rice_stream.api.metrics import ServerMetrics
from rice_stream.budgets.parsing import parse_budget
from rice_stream.channels.parsing import parse_channel
from rice_stream.channels.schedule import Schedule
from rice_stream.reports.alerts import latest_alerts
from rice_stream.runtime.opening_delivery import delivering
from rice_stream.runtime.secret_box import FernetBox
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.channel_store import StoredChannel, load_channels
from rice_stream.store.engine import open_engine, reading, writing
from rice_stream.store.scope import EVERYTHING
from tests.integration.api.test_real_sources import Gateway
from tests.support.cases import size
from tests.support.databases import Databases, PostgresDatabases
from tests.support.delivering import send_to, states, stored
from tests.support.fakes import NOON_US, OPERATOR
from tests.support.hook_receiver import HookReceiver, Reply, hook_receiver
from tests.support.reports_store import NOON, at, open_store
from tests.support.waiting import wait_until
from tests.support.worker_harness import Deployment

THRESHOLDS = [0.25, 0.5, 0.75, 1.0]
KEY = base64.b64encode(bytes(32)).decode()


@pytest.fixture
def receiver() -> Iterator[HookReceiver]:
    """On loopback."""
    with hook_receiver() as receiver:
        yield receiver


def settings_for(url: str, receiver: HookReceiver) -> Settings:
    """Of a server."""
    return Settings.model_validate({"database_url": url, "alert_allowed_hosts": receiver.allowed, "secrets_key": KEY})


def hook(engine: Engine, url: str, name: str) -> StoredChannel:
    """A webhook with a secret; `url` ends where its name begins, which the receiver sees as the path."""
    asked = parse_channel({"name": name, "type": "webhook", "url": f"{url}/{name}"})
    return set_channel(engine, EVERYTHING, FernetBox.parse(KEY), asked, OPERATOR).stored


def test_a_thousand_alerts_at_once_arrive_at_a_receiver_that_refuses_half_of_them(
    either_database: Databases, receiver: HookReceiver
) -> None:
    """Each is taken exactly once, those of a budget in their order, and the log accounts for every request."""
    luck = random.Random(15)
    refusals = [Reply(500), Reply(429, {"Retry-After": "0"})]

    def answer(_path: str, _message_id: str, _count: int) -> Reply:
        return Reply() if luck.random() < 0.5 else luck.choice(refusals)

    receiver.answer = answer
    url = either_database.emptied()
    budgets = size(60, 250)
    with open_store(url) as store:
        fields = {"tenant_id": "acme", "limit_gco2e": 5, "period": "day", "thresholds": THRESHOLDS}
        wanted = [parse_budget({**fields, "name": f"b{number:03}"}) for number in range(budgets)]
        set_budgets(store.engine, wanted, NOON_US, OPERATOR)
        store.add(at("2026-11-22T11:00:00Z"), at("2026-11-22T11:30:00Z"))
        hook(store.engine, receiver.url, "ops")
        assert Judge(store.engine).judge_all(NOON).changes == budgets * len(THRESHOLDS)
        metrics = ServerMetrics()
        schedule = Schedule((0.0, *[0.01] * 40, 3600.0), later_min_s=0.01)
        times = DeliveryTimes(poll_s=0.02, idle_s=0.2)
        with delivering(settings_for(url, receiver), metrics, times=times, schedule=schedule):
            wait_until(lambda: set(states(store.engine)) == {"done"}, size(120, 900), "all alerts were not delivered")
        alerts = {row["id"]: row for row in latest_alerts(store.engine, EVERYTHING)}
        deliveries = stored(store.engine)
    taken = Counter(each.body["id"] for each in receiver.taken)
    assert taken == dict.fromkeys(alerts, 1)
    sequences = defaultdict(list)
    for each in receiver.taken:
        sequences[each.body["data"]["budget"]].append(each.body["data"]["sequence"])
    assert set(map(tuple, sequences.values())) == {(1, 2, 3, 4)}
    tries = Counter(each.message_id for each in receiver.arrived if each.status != 429)
    assert {each.message_id: each.attempts for each in deliveries} == tries
    assert {(each.answered_status, each.problem, each.lease_by) for each in deliveries} == {(204, None, None)}
    counted = {
        outcome: metrics.delivery_tries.labels("webhook", outcome)._value.get()
        for outcome in ("done", "failed", "dead")
    }
    assert counted == {"done": len(alerts), "failed": len(receiver.arrived) - len(alerts), "dead": 0}


@contextmanager
def server(url: str, receiver: HookReceiver, log: Path, *, lease_s: float = 60.0) -> Iterator["subprocess.Popen[str]"]:
    """A process that delivers; stopped in order unless the test has killed it."""
    command = [sys.executable, "-m", "tests.support.delivery_server_program", url, receiver.allowed, KEY, str(lease_s)]
    with (
        log.open("a") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "delivering\n"
        try:
            yield process
        finally:
            process.terminate()
            code = process.wait(20)
        assert code in (0, -9)


@pytest.fixture
def own_login(postgresql: PostgresDatabases) -> Iterator[tuple[Engine, str]]:
    """A database, and its URL for a server that has a login of its own, as it is to be run."""
    login = f"http_{secrets.token_hex(4)}"
    engine = open_engine(postgresql.migrated())
    with writing(engine) as connection:
        connection.execute(text(f"CREATE ROLE {login} LOGIN IN ROLE rice_api"))
    yield engine, engine.url.set(username=login).render_as_string(hide_password=False)
    with writing(engine) as connection:
        connection.execute(text(f"DROP ROLE {login}"))
    engine.dispose()


@pytest.mark.services
def test_what_a_killed_server_sent_and_did_not_mark_is_sent_again_under_its_id_and_nothing_else_twice(
    own_login: tuple[Engine, str], receiver: HookReceiver, tmp_path: Path
) -> None:
    """`kill -9` between the receiver's answer and the mark; then two servers share what there is. They see to it with the
    rights of the role `rice_api` alone."""
    engine, url = own_login
    log = tmp_path / "log"
    channel = hook(engine, receiver.url, "ops")
    send_to(engine, channel, ["lost"], lane="a")
    with server(url, receiver, log, lease_s=1.0) as first, writing(engine) as connection:
        connection.execute(text("SELECT id FROM channel FOR UPDATE"))  # the mark waits for this row
        wait_until(lambda: len(receiver.taken) == 1, 20, "nothing was sent")
        first.kill()
        first.wait(20)
    [lost] = stored(engine)
    assert (lost.state, lost.attempts) == ("sending", 1)
    send_to(engine, channel, ["behind"], lane="a")
    for lane in range(12):
        send_to(engine, channel, [f"{lane}/{number}" for number in range(5)], lane=f"l{lane}")
    with server(url, receiver, log), server(url, receiver, log):
        wait_until(lambda: set(states(engine)) == {"done"}, 30, "not everything was delivered")
    ids = {each.message_id: each for each in stored(engine)}
    assert receiver.counts == {message: 2 if each.cause == "lost" else 1 for message, each in ids.items()}
    order = [ids[each.message_id].cause for each in receiver.arrived]
    assert order.index("behind") > len(order) - 1 - order[::-1].index("lost")
    assert log.read_text() == ""


def test_receivers_that_hang_cut_off_or_are_gone_harm_no_other(
    either_database: Databases, receiver: HookReceiver
) -> None:
    """Each is dealt with by itself; a status that has come counts, whatever becomes of the rest of the answer."""
    replies = {
        "/hangs": Reply(after_s=30),
        "/slow": Reply(after_s=0.3),
        "/cuts": Reply(200, cut=True),
        "/gone": Reply(410),
        "/moved": Reply(302, {"Location": f"{receiver.url}/well"}),
        "/well": Reply(),
    }
    receiver.answer = lambda path, _message_id, _count: replies[path]
    url = either_database.emptied()
    engine = open_engine(url)
    for path in replies:
        send_to(engine, hook(engine, receiver.url, path.removeprefix("/")), ["a", "b"], lane="x")
    closed, forbidden = (
        hook(engine, "http://127.0.0.1:1", "closed"),
        hook(engine, "http://169.254.169.254", "forbidden"),
    )
    for channel in (closed, forbidden):
        send_to(engine, channel, ["a"])

    def by_channel() -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for each in stored(engine):
            if each.kind == "alert":
                found[each.channel].append(each.state)
        return found

    expected = {
        "hangs": ["failed", "due"],
        "slow": ["done", "done"],
        "cuts": ["done", "done"],
        "gone": ["dead", "dead"],
        "moved": ["failed", "due"],
        "well": ["done", "done"],
        "closed": ["failed"],
        "forbidden": ["failed"],
    }
    times = DeliveryTimes(poll_s=0.02, idle_s=0.2, send_s=1.0)
    with delivering(settings_for(url, receiver), ServerMetrics(), times=times, schedule=Schedule((0.0, 3600.0))):
        wait_until(lambda: by_channel() == expected, 30, "other states than expected")
    problems = {each.channel: each.problem for each in stored(engine) if each.state == "failed"}
    assert problems["moved"] == "it answered 302, a redirect, which is not followed: set the address that it leads to"
    assert problems["hangs"] == "it took longer than 1 s"
    assert "RICE_ALERT_ALLOWED_HOSTS" in str(problems["closed"])
    assert "clouds keep credentials" in str(problems["forbidden"])
    with reading(engine) as connection:
        assert {each.channel.name for each in load_channels(connection) if each.state == "disabled"} == {"gone"}
    engine.dispose()


@pytest.mark.services
def test_serve_delivers_and_shows_how_that_goes(deployment: Deployment, receiver: HookReceiver) -> None:
    """The command itself; it stops in order."""
    channel = hook(deployment.engine, receiver.url, "ops")
    send_to(deployment.engine, channel, ["a"])
    gateway = Gateway(deployment, RICE_SECRETS_KEY=KEY, RICE_ALERT_ALLOWED_HOSTS=receiver.allowed)
    try:
        wait_until(lambda: states(deployment.engine) == {"done": 1}, 30, "nothing was delivered")
        wait_until(
            lambda: b'rice_delivery_tries_total{outcome="done",type="webhook"} 1.0' in metrics_of(gateway), 10, ""
        )
    finally:
        assert gateway.process.stop() == 0, gateway.process.log
    assert len(receiver.taken) == 1


def metrics_of(gateway: Gateway) -> bytes:
    """What it shows."""
    with urllib.request.urlopen(f"{gateway.address}/metrics", timeout=30) as answer:  # noqa: S310 - our own address
        found: bytes = answer.read()
        return found
