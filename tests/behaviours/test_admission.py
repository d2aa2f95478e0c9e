"""Events of the future: up to a day is a wrong clock and counts, more is held until its time has come."""

import pytest

from rice_stream.instants import DAY_US, SECOND_US, rfc3339
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.factors import FactorPolicy
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.pipeline.quarantine_replay import replay
from rice_stream.proof.verification import verify
from rice_stream.store.budget_store import watermarks_us
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.dimensions import Dimensions
from rice_stream.store.engine import reading
from rice_stream.store.quarantine import Choice
from tests.support.databases import partitions
from tests.support.fakes import NOON_US, OPERATOR, TOKEN_DEFAULTS, FakeMethod, chunk_of, fake_reference
from tests.support.reports_store import Store, at, picked


def after_noon(us: int, **changes: object) -> dict[str, object]:
    """An event that ends so many microseconds after the time at which it arrives."""
    return at(rfc3339(NOON_US + us, "microseconds"), **changes)


class TestFuture:
    """On every database."""

    def test_an_event_that_ends_up_to_a_day_from_now_counts_with_a_flag(self, store: Store) -> None:
        assert store.add(after_noon(0), after_noon(DAY_US)).recorded == 2
        assert picked(store.rows("SELECT names FROM basis ORDER BY names"), "names") == [("",), ("clock_skew",)]

    def test_what_ends_later_is_held_and_moves_nothing(self, store: Store) -> None:
        """No record, no total, no partition, and budgets' `event_time_watermark` stays."""
        result = store.add(after_noon(DAY_US + 1), after_noon(0), at("2099-01-01T00:00:00Z"))
        assert (result.recorded, result.quarantined) == (1, 2)
        rows = store.rows('SELECT "offset", reason, detail FROM quarantine ORDER BY "offset"')
        assert picked(rows, "offset", "reason") == [(0, "in_the_future"), (2, "in_the_future")]
        assert rows[0]["detail"].startswith("ended_at: lies more than a day in the future")
        assert store.rows("SELECT SUM(prompts) AS n FROM minute_total") == [{"n": 1}]
        with reading(store.engine) as connection:
            assert watermarks_us(connection, ["acme"]) == {"acme": NOON_US}
        if store.engine.dialect.name == "postgresql":
            assert partitions(store.engine) == ["prompt_record_p202611"]
        assert verify(store.engine)["ok"]

    def test_it_is_taken_up_once_when_its_time_has_come(self, store: Store) -> None:
        store.add(after_noon(3 * DAY_US))
        answers = [
            replay(
                store.engine,
                store.pipeline,
                Choice(),
                patches={},
                fetch=lambda *_: None,
                now_us=NOON_US + days * DAY_US,
                by=OPERATOR,
            )
            for days in (1, 2, 2)
        ]
        assert [(answer["held"], answer["recorded"]) for answer in answers] == [(1, 0), (0, 1), (0, 0)]
        assert store.add(after_noon(3 * DAY_US), received_at_us=NOON_US + 3 * DAY_US).duplicates == 1
        assert verify(store.engine)["ok"]

    def test_all_items_of_one_record_are_bounded(self, store: Store) -> None:
        store.add([after_noon(2 * DAY_US, event_id=f"e{n}") for n in range(150)])
        rows = store.rows("SELECT reason FROM quarantine ORDER BY item")
        assert picked(rows, "reason") == [("in_the_future",)] * 100 + [("further_items",)]

    @pytest.mark.parametrize("years", [-2, 2])
    def test_the_databases_clock_decides_whatever_the_worker_takes_for_now(self, store: Store, years: int) -> None:
        """A worker whose clock is two years ahead or back takes and refuses the same events."""
        with reading(store.engine) as connection:
            now_us = database_now_us(connection)
        dimensions = Dimensions(store.engine)
        store.pipeline = Pipeline(
            dimensions=dimensions,
            writer=store.writer,
            estimator=Estimator(fake_reference(), FactorPolicy(), FakeMethod()),
            defaults=TOKEN_DEFAULTS,
            now_us=dimensions.now_us,
        )
        events = [at(rfc3339(now_us + us, "microseconds")) for us in (0, DAY_US - 60 * SECOND_US, 2 * DAY_US)]
        result = store.pipeline.process([chunk_of(events)], now_us + years * 365 * DAY_US)
        assert (result.recorded, result.quarantined) == (2, 1)
