"""`coverage` lists the ids that were recorded more than once, with different times, exactly; on every database."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from rice_stream.instants import DAY_US
from rice_stream.reports.coverage import coverage
from rice_stream.store.scope import EVERYTHING
from tests.support.fakes import NOON_US, chunk_of
from tests.support.reports_store import NOON, at
from tests.support.store_running import store
from tests.support.untimed import Log, reply


def test_ids_with_several_records_are_listed_with_how_many_and_when(engine: Engine) -> None:
    """Per tenant and source; repeats of one record are none; those without a time of their own are told by their day."""
    log = Log()
    for days in (-4, -2, 0):
        log.add(reply("msg"), NOON_US + days * DAY_US)
    store(
        engine,
        log.chunk(),
        chunk_of(
            [
                *(at(f"2026-11-22T11:00:0{k}Z", event_id="twice") for k in range(2)),
                at("2026-11-22T11:00:01Z", event_id="twice"),
                at("2026-11-22T11:00:00Z", event_id="once"),
                at("2026-11-22T11:00:01Z", event_id="once", tenant_id="globex"),
                at("2026-11-22T11:00:02Z", event_id="once", source="/other"),
            ],
            offset=10,
        ),
    )
    found = coverage(engine, EVERYTHING, now=NOON)
    assert found["repeated_ids"] == [
        {
            "tenant_id": "acme",
            "event_id": "msg",
            "records": 3,
            "first": "2026-11-18T12:00:00Z",
            "last": "2026-11-22T12:00:00Z",
        },
        {
            "tenant_id": "acme",
            "event_id": "twice",
            "records": 2,
            "first": "2026-11-22T11:00:00Z",
            "last": "2026-11-22T11:00:01Z",
        },
    ]
    assert (found["repeated_ids_total"], found["repeated_records"]) == (2, 5)
    limited = coverage(engine, EVERYTHING, now=NOON, limit=1)
    assert [row["event_id"] for row in limited["repeated_ids"]] == ["msg"]
    assert (limited["repeated_ids_total"], limited["repeated_records"]) == (2, 5)


def test_only_records_of_the_window_count(engine: Engine) -> None:
    log = Log()
    for days in (-4, -2, 0):
        log.add(reply("msg"), NOON_US + days * DAY_US)
    store(engine, log.chunk())
    now = datetime(2026, 11, 22, 12, 7, tzinfo=UTC)
    records = {days: coverage(engine, EVERYTHING, now=now, days=days)["repeated_records"] for days in (1, 2, 3, 5)}
    assert records == {1: 0, 2: 2, 3: 2, 5: 3}
    assert coverage(engine, EVERYTHING, now=now + timedelta(days=30), days=1)["repeated_ids"] == []
