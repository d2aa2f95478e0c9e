"""Rows of totals that a writer has written before are changed without being looked for one by one: all of them, or none is."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, text

from rice_stream.proof.verification import verify
from rice_stream.store import postgres
from rice_stream.store.added_totals import copy_to_totals
from rice_stream.store.engine import open_engine
from rice_stream.store.known_totals import READ_MAX, ROWS_MIN
from rice_stream.store.totals_tables import DAYS, SLOTS
from rice_stream.store.writers import open_writer
from tests.support.databases import Databases
from tests.support.fakes import NOON_US, chunk_of, event, fake_pipeline
from tests.support.store_checks import assert_exact, expected_sums, rows_in, tenant_sums

TEAMS = ROWS_MIN + 20


@pytest.fixture
def engine(postgresql: Databases) -> Iterator[Engine]:
    """Without data."""
    engine = open_engine(postgresql.emptied())
    yield engine
    engine.dispose()


@pytest.fixture
def updated(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """Of each transaction, the tables whose rows were known to be there."""
    found: list[set[str]] = []

    def copy(cursor: Any, totals: Any, **options: Any) -> None:
        found.append({table.name for table in options["known"]})
        copy_to_totals(cursor, totals, **options)

    monkeypatch.setattr(postgres, "copy_to_totals", copy)
    return found


def batch_of(number: int, *, teams: int = TEAMS, **changes: Any) -> list[dict[str, Any]]:
    """An event of each team, of four tenants."""
    return [
        event(
            event_id=f"e-{number}-{k}", tenant_id=f"t-{k % 4}", team_id=f"team-{k}", input_tokens=10 + number, **changes
        )
        for k in range(teams)
    ]


def test_what_is_known_is_changed_and_what_is_new_is_made(engine: Engine, updated: list[set[str]]) -> None:
    sent: list[dict[str, Any]] = []
    with_a_new_team = batch_of(3, teams=TEAMS + 1)
    next_day = batch_of(4, started_at=None, ended_at="2026-11-23T12:00:00Z")
    writer = open_writer(engine)
    pipeline = fake_pipeline(writer, engine)
    for events in (batch_of(0), batch_of(1), batch_of(2), with_a_new_team, next_day, batch_of(5, teams=TEAMS + 1)):
        pipeline.process([chunk_of(events, offset=len(sent))], NOON_US)
        sent += events
    writer.close()
    both = {SLOTS.name, DAYS.name}
    assert updated == [set(), both, both, set(), set(), both]
    assert tenant_sums(rows_in(engine)) == expected_sums(sent)
    assert_exact(rows_in(engine))
    assert verify(engine)["ok"]


def test_rows_that_are_gone_are_made_again(engine: Engine, updated: list[set[str]]) -> None:
    """Whoever has taken rows of totals away has taken what they said: from then on they say what came after."""
    writer = open_writer(engine)
    pipeline = fake_pipeline(writer, engine)
    for number in range(2):
        pipeline.process([chunk_of(batch_of(number), offset=number * TEAMS)], NOON_US)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM slot_total WHERE tenant_key = (SELECT MAX(tenant_key) FROM tenant)"))
    for number in (2, 3):
        pipeline.process([chunk_of(batch_of(number), offset=number * TEAMS)], NOON_US)
    writer.close()
    both = {SLOTS.name, DAYS.name}
    # The third batch began again, knowing nothing; the fourth knows what it wrote.
    assert updated == [set(), both, both, set(), both]
    with engine.connect() as connection:
        slots = connection.execute(text("SELECT tenant_key, SUM(prompts) FROM slot_total GROUP BY 1 ORDER BY 1")).all()
        days = connection.execute(text("SELECT SUM(prompts) FROM day_total")).scalar()
    assert [int(count) for _, count in slots] == [TEAMS, TEAMS, TEAMS, TEAMS // 2]
    assert days == 4 * TEAMS


def test_a_few_rows_of_many_are_looked_for_one_by_one(engine: Engine, updated: list[set[str]]) -> None:
    """Rows that others wrote, of which this writer knows nothing, would all be read for them."""
    sent: list[dict[str, Any]] = []
    for part, teams in enumerate([2 * ROWS_MIN * READ_MAX, TEAMS]):
        writer = open_writer(engine)
        pipeline = fake_pipeline(writer, engine)
        for number in range(3):
            events = batch_of(100 * part + number, teams=teams)
            sent += events
            pipeline.process([chunk_of(events, partition=part, offset=number * teams)], NOON_US)
        writer.close()
    both = {SLOTS.name, DAYS.name}
    assert updated == [set(), both, both, set(), set(), set()]
    assert tenant_sums(rows_in(engine)) == expected_sums(sent)


def test_writers_that_change_the_same_rows_in_either_way_do_not_deadlock(
    engine: Engine, updated: list[set[str]]
) -> None:
    """One knows them and one does not, at the same time: both store each batch at the first try, and every event counts once."""
    start = threading.Barrier(2)
    sent = [[batch_of(100 * number + part) for part in range(12)] for number in range(2)]

    def work(number: int) -> None:
        for part, events in enumerate(sent[number]):
            if part == 0 or number:
                writer = open_writer(engine)
                pipeline = fake_pipeline(writer, engine)
            batch = pipeline.prepare([chunk_of(events, partition=number, offset=part * TEAMS)], NOON_US)
            start.wait(30)
            pipeline.commit(batch)
            if number:
                writer.close()
        if not number:
            writer.close()

    with ThreadPoolExecutor(2) as pool:
        for finished in [pool.submit(work, number) for number in (0, 1)]:
            finished.result(timeout=120)
    assert any(updated)
    assert not all(updated)
    assert tenant_sums(rows_in(engine)) == expected_sums([each for parts in sent for part in parts for each in part])
    assert_exact(rows_in(engine))
