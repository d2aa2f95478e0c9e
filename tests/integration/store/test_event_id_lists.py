"""An event is found by its id alone from the lists of ids, whatever has become of them: never none that is there."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from sqlalchemy import Engine, delete, func, insert, select, text

from rice_stream.errors import NotFoundError, UsageError
from rice_stream.reports.record_lookup import find_record
from rice_stream.store import event_id_merging, schema
from rice_stream.store.engine import open_engine, reading, writing
from rice_stream.store.event_id_gaps import list_gaps
from rice_stream.store.event_id_lists import LISTED_MAX, SPLIT_BITS, ListedIds, copy_lists, list_rows, tag_of
from rice_stream.store.event_id_merging import MERGED_FROM, STAGGERED, merge_event_ids
from rice_stream.store.event_id_places import places_of
from rice_stream.store.migrate import migrate
from rice_stream.store.retention import drop_records_before
from rice_stream.store.scope import EVERYTHING, Scope
from rice_stream.store.scoped import confined, scoped_reading
from tests.support.databases import Databases
from tests.support.fakes import chunk_of, event
from tests.support.reports_store import at
from tests.support.store_running import store

pytestmark = pytest.mark.services
BEFORE_LISTS = "0034"
_MONTH = 682


@pytest.fixture
def engine(postgresql: Databases) -> Iterator[Engine]:
    opened = open_engine(postgresql.emptied())
    yield opened
    opened.dispose()


def lists(engine: Engine) -> int:
    with reading(engine) as connection:
        return connection.scalar(select(func.count()).select_from(schema.event_id_list)) or 0


def is_listed(engine: Engine, event_id: str) -> int:
    """In how many places."""
    with reading(engine) as connection:
        found = places_of(connection, EVERYTHING, event_id)
    assert found is not None
    return len(found)


def found(engine: Engine, event_id: str, scope: Scope = EVERYTHING, tenant: str | None = None) -> str:
    with scoped_reading(engine, scope) as connection:
        ended_at = find_record(connection, scope, event_id, tenant).view["ended_at"]
    return str(ended_at)


def test_what_is_recorded_is_listed_at_once_and_after_every_merge(engine: Engine) -> None:
    """Batches of a few and of hundreds, over two months; each id is in one place, before and after."""
    random = Random(5)
    known: list[tuple[str, str]] = []
    for batch in range(2 * MERGED_FROM):
        some = [f"e-{batch}-{number}" for number in range(random.choice((1, 3, 400)))]
        days = [(f"2026-{random.choice((10, 11))}-{random.randrange(1, 20):02d}T12:00:00Z") for _ in some]
        store(
            engine, chunk_of([at(day, event_id=name) for day, name in zip(days, some, strict=True)], offset=len(known))
        )
        known += list(zip(some, days, strict=True))
        if batch % 11 == 0:
            merge_event_ids(engine)
    merge_event_ids(engine)
    with reading(engine) as connection:
        buckets = connection.execute(text("SELECT splits, COUNT(*) FROM event_id_list GROUP BY splits, bucket, month"))
        depths, several = zip(*buckets, strict=True)
    assert max(several) < MERGED_FROM + STAGGERED
    assert set(depths) == {0, SPLIT_BITS}
    assert merge_event_ids(engine) == 0
    for name, day in random.sample(known, 200):
        assert is_listed(engine, name) == 1
        assert found(engine, name) == day


def test_ids_that_come_again_are_listed_once(engine: Engine) -> None:
    chunk = chunk_of([event(event_id=name) for name in ("one", "two")])
    for _ in range(3):
        store(engine, chunk)
    assert is_listed(engine, "one") == 1


def test_a_merge_that_is_cut_short_has_not_happened(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"e-{number}" for number in range(MERGED_FROM)]
    for number, name in enumerate(names):
        store(engine, chunk_of([event(event_id=name)], offset=number))

    def fails(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(event_id_merging, "copy_lists", fails)
        with pytest.raises(KeyboardInterrupt):
            merge_event_ids(engine)
    assert [is_listed(engine, name) for name in names] == [1] * MERGED_FROM
    assert merge_event_ids(engine) == MERGED_FROM
    assert [is_listed(engine, name) for name in names] == [1] * MERGED_FROM
    assert lists(engine) == 1


def test_an_id_of_several_records_is_told_as_such_also_where_they_are_in_different_lists(engine: Engine) -> None:
    store(engine, chunk_of([at("2026-10-01T00:00:00Z", event_id="twice")]))
    store(engine, chunk_of([at("2026-11-01T00:00:00Z", event_id="twice", tenant_id="globex")], offset=1))
    with pytest.raises(UsageError, match="2 records have the event id 'twice'"):
        found(engine, "twice")
    assert found(engine, "twice", tenant="globex") == "2026-11-01T00:00:00Z"


def test_what_was_there_before_the_lists_is_found_and_gets_listed(engine: Engine) -> None:
    """By the filters meanwhile; a month that was listed half is listed again, and nothing is in two places."""
    store(engine, chunk_of([at(f"2026-{month}-03T00:00:00Z", event_id=f"of-{month}") for month in (10, 11)]))
    with writing(engine) as connection:
        connection.execute(delete(schema.event_id_list))
        connection.execute(insert(schema.event_id_gap), [{"month": month} for month in (_MONTH - 1, _MONTH)])
    store(engine, chunk_of([at("2026-11-04T00:00:00Z", event_id="new")], offset=2))
    with reading(engine) as connection:
        assert places_of(connection, EVERYTHING, "new") is None
    assert found(engine, "of-10") == "2026-10-03T00:00:00Z"
    assert found(engine, "new") == "2026-11-04T00:00:00Z"
    assert list_gaps(engine, is_over=[False, False, True].pop) == 0
    assert list_gaps(engine, is_over=iter([False, True]).__next__) == 1
    with writing(engine) as connection:
        connection.execute(insert(schema.event_id_gap), {"month": _MONTH})
    assert (list_gaps(engine), list_gaps(engine)) == (2, 0)
    assert [is_listed(engine, name) for name in ("of-10", "of-11", "new")] == [1, 1, 1]


def test_what_was_listed_twice_is_merged_into_one(engine: Engine) -> None:
    for number in range(MERGED_FROM // 2):
        store(engine, chunk_of([event(event_id=f"e-{number}")], offset=number))
    with writing(engine) as connection:
        connection.execute(insert(schema.event_id_gap), {"month": _MONTH})
        twice = "INSERT INTO event_id_list SELECT splits, bucket, month, list_key / 2, tags, places FROM event_id_list"
        connection.execute(text(twice))
    list_gaps(engine)
    assert merge_event_ids(engine) == MERGED_FROM + 1
    with reading(engine) as connection:
        assert connection.scalars(select(func.cardinality(schema.event_id_list.c.tags))).all() == [MERGED_FROM // 2]


def test_a_store_of_the_version_before_is_listed_once_it_is_migrated(postgresql: Databases) -> None:
    """Its months are known to be unlisted, and nothing is lost on the way down and up again."""
    migrated = open_engine(postgresql.migrated())
    days = [f"2026-{month}-03T00:00:00Z" for month in (10, 11)]
    store(migrated, chunk_of([at(day, event_id=day) for day in days]))
    migrate(migrated, BEFORE_LISTS)
    migrate(migrated)
    with reading(migrated) as connection:
        gaps = connection.scalars(select(schema.event_id_gap.c.month).order_by(schema.event_id_gap.c.month)).all()
    assert gaps == [_MONTH - 1, _MONTH]
    assert [found(migrated, day) for day in days] == days
    assert list_gaps(migrated) == len(days)
    assert [(is_listed(migrated, day), found(migrated, day)) for day in days] == [(1, day) for day in days]
    migrated.dispose()


def test_an_id_that_no_list_has_is_looked_for_in_the_filters(engine: Engine) -> None:
    store(engine, chunk_of([event(event_id="there")]))
    with writing(engine) as connection:
        connection.execute(delete(schema.event_id_list))
    assert found(engine, "there") == "2026-11-22T12:00:00Z"
    with pytest.raises(NotFoundError):
        found(engine, "nowhere")


def test_ids_that_somebody_made_to_have_one_tag_do_no_harm(engine: Engine) -> None:
    """Merging ends, and the id among them is found."""
    store(engine, chunk_of([event(event_id="meant")]))
    same = ListedIds(
        tags=np.full(40 * LISTED_MAX, tag_of(b"meant"), dtype=np.uint32),
        places=np.arange(40 * LISTED_MAX),
    )
    with writing(engine) as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        with driver.cursor() as cursor:
            copy_lists(cursor, list_rows(_MONTH, same, 0))
    assert merge_event_ids(engine) > 0
    assert merge_event_ids(engine) == 0
    assert found(engine, "meant") == "2026-11-22T12:00:00Z"


def test_who_sees_some_tenants_is_told_nothing_of_the_lists(engine: Engine) -> None:
    """They are found what is theirs by the filters, and nothing else."""
    for number, tenant in enumerate(("acme", "globex")):
        store(engine, chunk_of([event(event_id=f"of-{tenant}", tenant_id=tenant)], offset=number))
    held, scope = confined(engine), Scope(frozenset({"acme"}))
    with scoped_reading(held, scope) as connection:
        assert places_of(connection, scope, "of-acme") is None
        assert connection.scalar(text("SELECT COUNT(*) FROM event_id_list")) == 0
    assert found(held, "of-acme", scope) == "2026-11-22T12:00:00Z"
    with pytest.raises(NotFoundError):
        found(held, "of-globex", scope)
    assert found(held, "of-globex") == "2026-11-22T12:00:00Z"


def test_lists_go_with_the_records(engine: Engine) -> None:
    days = [f"2026-{month:02d}-01T00:00:00Z" for month in (8, 9, 10)]
    store(engine, chunk_of([at(day, event_id=day) for day in days]))
    assert lists(engine) == len(days)
    for _, after in pairwise(days):
        drop_records_before(engine, datetime.fromisoformat(after).astimezone(UTC))
    assert lists(engine) == 1
    assert found(engine, days[-1]) == days[-1]
