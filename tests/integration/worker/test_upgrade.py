"""The upgrade of operations.md, with the mistake that it warns of: `migrate` while the old workers still work.

There is no older release to start. The old version is this checkout; the new one is a copy of it with one more migration, which
adds up what is there, as steps do that bring new totals. Both are real processes that know different schemas.
"""

import shutil
from pathlib import Path

import pytest

from rice_stream.store.revisions import head_revision
from tests.support.places import ROOT
from tests.support.waiting import wait_until
from tests.support.worker_harness import STOP_DEADLINE_S, Deployment, WorkerProcess
from tests.support.worker_load import Load
from tests.support.worker_truth import Sender, assert_exact

STEP = """
from alembic import op

revision = "9999"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("CREATE TABLE prompts_at_upgrade AS SELECT SUM(prompts) AS prompts FROM minute_total")


def downgrade():
    op.execute("DROP TABLE prompts_at_upgrade")
"""
SAID = "rice-stream: the database is at schema 9999, this version works with {head}: start a version that works with it"


@pytest.fixture
def next_version(tmp_path: Path) -> Path:
    """A checkout of the version after this one."""
    folder = tmp_path / "next"
    for name in ("rice_stream", "migrations"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "migrations" / "versions" / "9999_next.py").write_text(STEP.format(head=head_revision()))
    return folder


def assert_stopped_by_itself(worker: WorkerProcess) -> None:
    """In order, with exit code 2 and the one sentence that says what to do."""
    wait_until(lambda: worker.exit_code is not None, STOP_DEADLINE_S, "the old worker to stop")
    assert worker.exit_code == 2, worker.log
    [said] = [line for line in worker.log.splitlines() if line.startswith("rice-stream: ")]
    assert said.startswith(SAID.format(head=head_revision()))
    assert "Traceback" not in worker.log


def test_an_old_worker_under_load_stops_and_the_new_one_takes_over_exactly(
    deployment: Deployment, next_version: Path
) -> None:
    """The step misses nothing that the old worker stored, the old worker stores nothing after it, the new one the rest."""
    with Load(Sender(deployment), seed=51) as load:
        old = deployment.start_worker()
        old.until(lambda: deployment.recorded() > 500, "records of the old version")
        deployment.environment["PYTHONPATH"] = str(next_version)
        exit_code, output = deployment.run("migrate")
        assert (exit_code, "went from" in output) == (0, True), output
        assert_stopped_by_itself(old)
        assert deployment.value("SELECT prompts FROM prompts_at_upgrade") == deployment.recorded() > 500
        new = deployment.start_worker()
        before = deployment.recorded()
        new.until(lambda: deployment.recorded() > before + 500, "records of the new version")
        load.finish()
        truth = load.sender.truth
        new.until(lambda: deployment.recorded() == len(truth.events), "everything to be stored")
    assert new.stop() == 0, new.log
    deployment.finish()
    assert deployment.json("rebuild")["differences_before"] == 0
    assert_exact(deployment, truth)


def test_an_old_worker_without_events_stops_too(deployment: Deployment, next_version: Path) -> None:
    """It would go on judging budgets on a schema that it does not know; and it refuses to start there."""
    old = deployment.start_worker()
    old.until(lambda: old.get("/readyz")[0] == 200, "the old worker to be ready")
    before = deployment.environment.copy()
    deployment.environment["PYTHONPATH"] = str(next_version)
    assert deployment.run("migrate")[0] == 0
    assert_stopped_by_itself(old)
    deployment.environment = before
    assert_stopped_by_itself(deployment.start_worker())
