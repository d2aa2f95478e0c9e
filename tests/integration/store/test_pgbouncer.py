"""The store behind PgBouncer in transaction mode: every transaction may run in another server session."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import make_url

from rice_stream.alerting.budgets import set_budgets
from rice_stream.alerting.judge import Judge
from rice_stream.budgets.parsing import parse_budget
from rice_stream.proof.verification import verify
from rice_stream.reports.figures import read_figures
from rice_stream.sandbox.stack.postgres import PostgresServer
from rice_stream.store.engine import Engine, open_engine
from rice_stream.store.migrate import migrate
from rice_stream.store.retention import drop_records_before
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.writers import open_writer
from tests.support.databases import Databases
from tests.support.fakes import NOON_US, OPERATOR, chunk_of, event, fake_pipeline
from tests.support.pgbouncer import PgBouncer
from tests.support.reports_store import NOON
from tests.support.store_checks import assert_exact, rows_in


@pytest.fixture
def pooled(shared_directory: Path, postgres: PostgresServer, postgresql: Databases) -> Iterator[Engine]:
    """An empty database through a pooler with three server sessions for everybody."""
    database = make_url(postgresql.empty()).database
    assert database is not None
    with PgBouncer(shared_directory / "pooler", postgres, sessions=3) as pooler:
        engine = open_engine(pooler.url(database))
        yield engine
        engine.dispose()


def test_everything_works_through_a_pooler_that_changes_sessions(pooled: Engine) -> None:
    """Migration, writers at the same time with repeats and contradictions, budgets on users, reports, retention, `verify`."""
    migrate(pooled)
    user = parse_budget({"name": "u", "tenant_id": "acme", "limit_gco2e": 5, "period": "day", "user_id": "u-1"})

    def work(number: int) -> None:
        writer = open_writer(pooled)
        pipeline = fake_pipeline(writer, pooled)
        for k in range(12):
            # Every other batch comes again; of those one event contradicts the first of its id.
            events = [event(event_id=f"e-{k // 2}-{j}", user_id=f"u-{j % 3}") for j in range(20)]
            events[0]["output_tokens"] = 7 + k % 2
            pipeline.process([chunk_of(events, partition=number, offset=20 * k)], NOON_US)
            if k == 6:
                set_budgets(pooled, [user], NOON_US, OPERATOR)
            Judge(pooled).judge_all(NOON)
        writer.close()

    with ThreadPoolExecutor(4) as pool:
        for working in [pool.submit(work, number) for number in range(4)]:
            working.result(timeout=120)
    assert len(rows_in(pooled)("prompt_record")) == 6 * 20
    assert read_figures(pooled, EVERYTHING, NOON).totals.prompts == 6 * 20
    assert_exact(rows_in(pooled))
    migrate(pooled)
    drop_records_before(pooled, NOON)
    assert verify(pooled)["ok"]
