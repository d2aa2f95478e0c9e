"""Where channels exist and no server sends to them, workers and `check` say so."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from rice_stream.instants import datetime_of
from rice_stream.runtime.delivery_checks import delivery_checks
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import open_engine, writing
from rice_stream.worker.delivery_watch import DeliveryWatch
from rice_stream.worker.metrics import Metrics
from tests.support.databases import Databases
from tests.support.delivering import made_channel, send_to, stored


def test_deliveries_that_no_server_takes_are_seen_by_workers_and_by_check(
    either_database: Databases, caplog: pytest.LogCaptureFixture
) -> None:
    """After a minute; the worker warns once. Channels that fail are named."""
    url = either_database.emptied()
    engine = open_engine(url)
    settings = Settings.model_validate({"database_url": url})
    metrics = Metrics()
    watch = DeliveryWatch(engine, metrics, interval_s=0.001)

    def found() -> list[tuple[bool, str]]:
        now = datetime_of(stored(engine)[0].created_at_us) + timedelta(seconds=1)
        return [(each.ok, each.detail) for each in delivery_checks(settings, lambda: now)]

    send_to(engine, made_channel(engine), ["a", "b"], lane="x")
    watch.look()
    assert (found(), metrics.delivery_overdue._value.get()) == ([(True, "1 besides Kafka; 0 deliveries held")], 0)
    with writing(engine) as connection:
        connection.execute(text("UPDATE delivery SET next_at_us = next_at_us - 90000000"))
        connection.execute(text("UPDATE channel SET state = 'failing'"))

    async def looks() -> None:
        task = asyncio.create_task(watch.run())
        while metrics.delivery_overdue._value.get() < 90:
            await asyncio.sleep(0.001)
        task.cancel()

    asyncio.run(looks())
    watch.look()
    [overdue, failing] = found()
    assert overdue[1].startswith("deliveries have waited since ")
    assert overdue[1].endswith(" (1), and no server sends them")
    assert failing == (False, "nothing arrives at ops")
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "1 channel(s), and no server sends to them: run `rice-stream serve` on this database"
    ]
    engine.dispose()


def test_check_says_nothing_of_channels_where_it_cannot_ask(sqlite: Databases) -> None:
    """Other checks say that the database is not there, or is another version's."""
    for url in ("sqlite:////nonexistent/rice.db", sqlite.empty()):
        settings = Settings.model_validate({"database_url": url})
        assert list(delivery_checks(settings, lambda: datetime_of(0))) == []
