"""kill -9 of workers at random moments under load: afterwards everything counts exactly once, also what comes late into a month
that is closed meanwhile."""

from rice_stream.sandbox.stack.processes import poll_until
from rice_stream.store.watching import watch_user
from tests.support.cases import drawn, size
from tests.support.closed_under_load import UNTIL_S, assert_late_once, close_months
from tests.support.databases import Databases
from tests.support.worker_harness import AS_OFTEN_AS_DEPLOYED, Deploy, Deployment, WorkerProcess
from tests.support.worker_load import Load
from tests.support.worker_truth import Sender, assert_exact

SETTINGS = {"batch_events_max": 500, "batch_wait_s": 0.02}
"""Many small transactions, so that a kill meets every stage of one."""
LINGER_S = 0.6
"""After its first commit a worker lives for up to this long before it is killed."""
NO_COMMIT_SHARE = 0.2
"""Share of the kills that do not wait for a first commit: they hit the start, the joining of the group, or a rebalance."""


class Killer:
    """Kills workers of a deployment at moments drawn from the run's seed."""

    def __init__(self, deployment: Deployment, **settings: object) -> None:
        self._deployment = deployment
        self._random = drawn("crashes")
        self._settings = {**SETTINGS, **settings}
        self.workers: list[WorkerProcess] = []

    def start(self) -> None:
        """One more worker joins."""
        self.workers.append(self._deployment.start_worker(**self._settings))

    def kill_one(self) -> None:
        """kill -9 of one of the workers at a random moment."""
        victim = self._random.choice(self.workers)
        self.workers.remove(victim)
        if self._random.random() >= NO_COMMIT_SHARE:
            victim.until(victim.has_committed, "a first commit")
        # Whoever ends by itself before its moment has come fails the test, in `kill`.
        poll_until(lambda: victim.exit_code is not None, self._random.uniform(0, LINGER_S))
        victim.kill()

    def kill_all(self) -> None:
        """The rest, at once."""
        while self.workers:
            self.workers.pop().kill()


def test_kills_under_load_with_every_record_sent_twice(deployment: Deployment) -> None:
    """One worker killed twice, then six kills among two workers (in a drill 4 and 16); every record twice, hours out of
    order, poison in between, and users whose own totals are asked for in the middle of it, as a month is closed: records, totals,
    quarantine and offsets are exactly what was sent, and what came late is posted once."""
    killer = Killer(deployment)
    sender = Sender(deployment)
    watch_user(deployment.engine, "tenant-1", "u-1")
    with Load(sender, seed=21, until_s=UNTIL_S) as load:
        for _ in range(size(2, 4)):
            killer.start()
            killer.kill_one()
        watch_user(deployment.engine, "tenant-2", "u-2")
        killer.start()
        close_months(deployment)
        for _ in range(size(4, 14)):
            killer.start()
            killer.kill_one()
        watch_user(deployment.engine, "tenant-3", "u-3")
        killer.start()
        killer.kill_one()
        killer.kill_all()
        load.finish()
    deployment.finish()
    print(f"{len(sender.truth.events)} events, {len(sender.truth.refused)} poisoned, {deployment.recorded()} recorded")
    assert_exact(deployment, sender.truth)
    assert_late_once(deployment)


def test_kills_under_load_on_sqlite(deploy: Deploy, sqlite: Databases) -> None:
    """The same with one worker and fewer kills (one, in a drill three), on the other store, with batches as they are deployed."""
    deployment = deploy(sqlite)
    killer = Killer(deployment, **AS_OFTEN_AS_DEPLOYED)
    sender = Sender(deployment)
    with Load(sender, seed=22, until_s=UNTIL_S) as load:
        for _ in range(size(1, 3)):
            killer.start()
            killer.kill_one()
        killer.start()
        close_months(deployment)
        killer.kill_all()
        load.finish()
    deployment.finish()
    assert_exact(deployment, sender.truth)
    assert_late_once(deployment)
