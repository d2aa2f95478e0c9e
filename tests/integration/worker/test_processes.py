"""`rice-stream worker --processes N`: several processes that are one to whoever runs them, and count every event once."""

import json
import signal

import psutil

from tests.support.waiting import wait_until
from tests.support.worker_harness import Deployment, WorkerProcess
from tests.support.worker_load import Load
from tests.support.worker_truth import EventMaker, Sender, assert_exact


def children(worker: WorkerProcess) -> list[psutil.Process]:
    """Its worker processes (and not Python's tracker of shared memory)."""
    return [one for one in psutil.Process(worker.pid).children() if "spawn_main" in " ".join(one.cmdline())]


def is_shared(deployment: Deployment) -> bool:
    """Whether two members of the group have two of the four partitions each."""
    return sorted(map(len, deployment.assignments().values())) == [2, 2]


def acknowledged(deployment: Deployment) -> int:
    """Records that the group has acknowledged."""
    return sum(offset or 0 for offset in deployment.committed_offsets().values())


def is_ready(worker: WorkerProcess) -> bool:
    """Whether both processes have started and say that all is well."""
    return worker.get("/readyz")[0] == 200


def test_two_processes_are_one_and_outlive_a_kill_of_one(deployment: Deployment) -> None:
    """Both work and are shown under one address; one that is killed is started again, said in the metrics; SIGTERM ends both
    in order; all is counted once."""
    sender = Sender(deployment)
    with Load(sender, seed=81) as load:
        worker = deployment.start_worker("--processes", "2", batch_events_max=500)
        worker.until(lambda: is_ready(worker) and is_shared(deployment), "both processes to have partitions")
        worker.until(
            lambda: all(worker.metrics().get(f"rice_batches_total{{process={n}}}", 0) > 0 for n in (0, 1)),
            "both processes to commit",
        )
        victim = children(worker)[0]
        victim.kill()
        worker.until(lambda: worker.metrics().get("rice_worker_process_restarts_total") == 1, "a new process")
        assert worker.get("/healthz")[0] == 200
        worker.until(lambda: is_ready(worker) and is_shared(deployment), "both processes to have partitions again")
        load.finish()
        worker.until(lambda: deployment.recorded() == len(sender.truth.events), "everything to be stored")
        assert worker.metrics()["rice_worker_processes"] == 2
    assert worker.stop() == 0, worker.log
    assert "worker process" in worker.log
    assert " [0] " in worker.log
    assert " [1] " in worker.log
    assert "Traceback" not in worker.log, worker.log
    deployment.finish()
    assert_exact(deployment, sender.truth)


def test_processes_stop_in_order_when_their_parent_is_gone(deployment: Deployment) -> None:
    """kill -9 of the parent leaves no process behind, and what they had stored is acknowledged; a process that hangs is named in
    /readyz and fails /healthz."""
    sender, make = Sender(deployment), EventMaker(82)
    for _ in range(200):
        sender.send_event(make())
    sender.confirm()
    worker = deployment.start_worker("--processes", "2")
    worker.until(lambda: is_ready(worker) and is_shared(deployment), "both processes to have partitions")
    worker.until(lambda: deployment.recorded() == 200, "everything to be stored")
    # One that hangs long enough loses its partitions, and with them what it has not acknowledged.
    worker.until(lambda: acknowledged(deployment) == 200, "everything to be acknowledged")
    started = children(worker)
    started[0].send_signal(signal.SIGSTOP)
    wait_until(lambda: started[0].status() == psutil.STATUS_STOPPED, 10, "the process to be stopped")
    status, body = worker.get("/readyz")
    assert (status, len(json.loads(body)["silent"])) == (503, 1), body
    assert worker.get("/healthz")[0] == 503
    started[0].send_signal(signal.SIGCONT)
    worker.until(lambda: is_ready(worker), "both processes to answer")
    worker.kill()
    _, left = psutil.wait_procs(started, timeout=30)
    assert not left
    assert acknowledged(deployment) == 200
    assert_exact(deployment, sender.truth)


def test_processes_end_when_nothing_is_left_and_refuse_what_cannot_be(deployment: Deployment) -> None:
    """`--until-idle` ends all with 0, whichever ends first; SQLite, which has one writer, is refused at once."""
    sender, make = Sender(deployment), EventMaker(83)
    for _ in range(200):
        sender.send_event(make())
    sender.confirm()
    worker = deployment.start_worker("--processes", "2", "--until-idle", "0.5")
    assert worker.wait(120) == 0, worker.log
    assert_exact(deployment, sender.truth)
    on_sqlite = {"database_url": f"sqlite:///{deployment.folder}/rice.db"}
    assert deployment.run("migrate", **on_sqlite)[0] == 0
    assert deployment.run("worker", "--processes", "2", **on_sqlite) == (
        2,
        "rice-stream: --processes: SQLite has one writer, so one process; use PostgreSQL for more\n",
    )
