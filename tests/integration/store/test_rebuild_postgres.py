"""`rebuild` on PostgreSQL, whose writers wait for rows only: who waits for whom, for how long, and that nothing is added twice."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text

from rice_stream.instants import SECOND_US
from rice_stream.proof import rebuild as rebuilding
from rice_stream.proof.rebuild import rebuild
from rice_stream.store import totals_repair
from rice_stream.store.advisory_locks import AdvisoryLock, hold
from rice_stream.store.engine import StoreUnavailableError, open_engine
from rice_stream.store.revisions import head_revision
from rice_stream.store.totals_repair import correct_day
from rice_stream.store.totals_tables import TENANT_DAYS
from tests.support.databases import Databases
from tests.support.fakes import NOON_US, OPERATOR, chunk_of, event
from tests.support.store_checks import assert_exact, rows_in
from tests.support.store_running import new_pipeline
from tests.support.waiting import wait_until

DAY_S = NOON_US // SECOND_US // 86_400 * 86_400
ONE_MORE = text("UPDATE tenant_day_total SET prompts = prompts + 1")


@pytest.fixture
def engine(postgresql: Databases) -> Iterator[Engine]:
    """A migrated database of its own, with one prompt and its day's total one too many."""
    engine = open_engine(postgresql.migrated())
    new_pipeline(engine).process([chunk_of([event()])], NOON_US)
    with engine.begin() as connection:
        connection.execute(ONE_MORE)
    yield engine
    engine.dispose()


def waits(engine: Engine) -> bool:
    """Whether somebody waits for somebody else's lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with engine.connect() as connection:
        return bool(connection.scalar(text(query)))


@pytest.mark.parametrize("level", ["read committed", "repeatable read", "serializable"])
def test_what_another_run_has_put_right_meanwhile_is_not_corrected_twice(engine: Engine, level: str) -> None:
    """Whatever isolation level is the database's default: the difference is looked at when the other run has ended."""
    with engine.begin() as connection:
        connection.execute(text(f"ALTER DATABASE {engine.url.database} SET default_transaction_isolation = '{level}'"))
    engine.dispose()
    with ThreadPoolExecutor(1) as pool, engine.connect() as other:
        hold(other, AdvisoryLock.CORRECT_TOTALS)
        other.execute(text("UPDATE tenant_day_total SET prompts = prompts - 1"))
        corrected = pool.submit(correct_day, engine, TENANT_DAYS, DAY_S, [1], revision=head_revision(), by=OPERATOR)
        wait_until(lambda: corrected.done() or waits(engine), 60, "the second run to wait")
        other.commit()
        assert corrected.result(timeout=60) == 0
    assert_exact(rows_in(engine))


def test_a_batch_in_flight_on_the_same_row_is_waited_for_and_counted(engine: Engine) -> None:
    """The correction looked before the batch was there, and adds to what it made."""
    with ThreadPoolExecutor(1) as pool, engine.connect() as batch:
        batch.execute(text("UPDATE tenant_day_total SET prompts = prompts + 5"))
        run = pool.submit(rebuild, engine, by=OPERATOR)
        wait_until(lambda: run.done() or waits(engine), 60, "the run to wait for the row")
        batch.commit()
        answer = run.result(timeout=60)
    # The five have no records: to the correction they were a batch's, to the recount after it they are wrong.
    assert (answer["ok"], answer["rows_rebuilt"]) == (False, 1)
    assert [row["prompts"] for row in rows_in(engine)("tenant_day_total")] == [6]
    assert rebuild(engine, by=OPERATOR)["ok"]
    assert_exact(rows_in(engine))


def test_batches_on_other_rows_do_not_wait(engine: Engine) -> None:
    """Nor does a batch wait for a recount: a run that holds all that it ever holds lets one through."""
    with engine.connect() as run:
        totals_repair._begin_on_postgresql(run)
        run.execute(ONE_MORE)
        new_pipeline(engine).process([chunk_of([event(event_id="e-2", tenant_id="globex")], offset=1)], NOON_US)
        run.rollback()
    assert len(rows_in(engine)("prompt_record")) == 2


def test_a_row_that_stays_locked_ends_the_run_with_what_is_wrong(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again for a bounded time; nothing waits without an end."""
    monkeypatch.setattr(totals_repair, "LOCK_TIMEOUT_S", 0.2)
    monkeypatch.setattr(rebuilding, "RETRY_S", 0.5)
    with engine.connect() as somebody:
        somebody.execute(ONE_MORE)
        with pytest.raises(StoreUnavailableError, match="lock timeout"):
            rebuild(engine, by=OPERATOR)
    assert rebuild(engine, by=OPERATOR)["ok"]
    assert_exact(rows_in(engine))
