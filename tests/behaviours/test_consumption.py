"""What budgets consumed: the sum of the records of their scope and period, wherever it is taken from."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random
from typing import Any, get_args

from sqlalchemy import event as sqlalchemy_event

from rice_stream.budgets.definition import Budget, PeriodName
from rice_stream.budgets.parsing import parse_budget
from rice_stream.budgets.periods import Period, period_at
from rice_stream.budgets.states import Consumed
from rice_stream.instants import epoch_us
from rice_stream.store.consumption import consumed_in, consumed_in_each
from rice_stream.store.engine import reading
from rice_stream.store.watching import watch_user
from tests.support.reports_store import Store, at

ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/Los_Angeles")
SCOPES: tuple[dict[str, str], ...] = (
    {},
    {"team_id": "red"},
    {"project_id": "p-1"},
    {"team_id": "blue", "project_id": "p-2"},
    {"model": "big"},
    {"team_id": "red", "model": "small"},
    {"user_id": "u-1"},
    {"user_id": "u-1", "team_id": "red"},
    {"user_id": "u-1", "model": "big", "project_id": "p-2"},
)
NOWS = tuple(
    datetime.fromisoformat(text)
    for text in ("2026-10-25T00:30:00+00:00", "2026-11-01T06:59:59+00:00", "2026-11-22T23:59:30+00:00")
)
_FIRST = datetime(2026, 8, 20, tzinfo=UTC)


def traffic(store: Store, count: int, seed: int) -> list[dict[str, Any]]:
    """Events over a hundred days, many of them on the first and last seconds of a local day."""
    random = Random(seed)
    events = []
    for number in range(count):
        moment = _FIRST + timedelta(seconds=random.randrange(100 * 86_400))
        if random.random() < 0.5:
            edge = moment.replace(hour=random.choice((0, 7, 18, 22, 23)), minute=random.choice((0, 15)), second=0)
            moment = edge + timedelta(seconds=random.choice((-1, 0, 1)))
        events.append(
            at(
                f"{moment:%Y-%m-%dT%H:%M:%S}Z",
                event_id=f"e-{number}",
                tenant_id=random.choice(("acme", "acme", "acme", "globex")),
                team_id=random.choice(("red", "blue")),
                project_id=random.choice(("p-1", "p-2")),
                user_id=random.choice(("u-1", "u-2")),
                request_model=random.choice(("big", "small")),
                response_model=...,
            )
        )
    store.add(*events, received_at_us=epoch_us(_FIRST + timedelta(days=100)))
    return events


def of_scope(event: dict[str, Any], scope: dict[str, str]) -> bool:
    names = {**event, "model": event["request_model"]}
    return event["tenant_id"] == "acme" and all(names[name] == value for name, value in scope.items())


Recorded = list[tuple[datetime, dict[str, Any]]]
"""(end of the prompt, its record) of some events."""


def recorded(store: Store, events: list[dict[str, Any]], scope: dict[str, str]) -> Recorded:
    """The records of the events in scope."""
    records = {row["event_id"]: row for row in store.rows("SELECT * FROM prompt_record")}
    return [
        (datetime.fromisoformat(event["ended_at"]), records[event["event_id"]])
        for event in events
        if of_scope(event, scope)
    ]


def summed(records: Recorded, scope: dict[str, str], period: Period) -> Consumed:
    """Those of the records that lie in the period, added up one by one."""
    # Narrower scopes begin and end on quarter hours: a rolling window of them is up to two of them longer.
    bucket = timedelta(minutes=15 if scope else 1)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    start = period.start - (period.start - epoch) % bucket
    end = period.end + (epoch - period.end) % bucket
    chosen = [record for ended_at, record in records if start <= ended_at < end]
    return Consumed(**{name: sum(record[name] for record in chosen) for name in Consumed.__slots__})


def budget_of(scope: dict[str, str], period: str, zone: str) -> Budget:
    name = f"{period} {zone}".replace("/", " ")
    return parse_budget(
        {"name": name, "tenant_id": "acme", "limit_kwh": 1, "period": period, "time_zone": zone, **scope}
    )


def budgets() -> Iterator[tuple[Budget, dict[str, str]]]:
    for scope, period, zone in product(SCOPES, get_args(PeriodName), ZONES):
        if zone == "UTC" or not period.startswith("rolling"):
            yield budget_of(scope, period, zone), scope


class TestConsumption:
    """On every database."""

    def test_every_scope_and_period_is_the_sum_of_its_records(self, store: Store) -> None:
        """Every kind of scope, every period, zones on both sides of UTC, at instants where days and months meet."""
        watch_user(store.engine, "acme", "u-1")
        events = traffic(store, 700, seed=1)
        records = {tuple(scope.items()): recorded(store, events, scope) for scope in SCOPES}
        cache: dict[Any, Consumed] = {}
        wrong = []
        asked = [(budget, scope, period_at(budget, now)) for (budget, scope), now in product(list(budgets()), NOWS)]
        with reading(store.engine) as connection:
            together = consumed_in_each(connection, [(budget, period) for budget, _, period in asked], with_ranges=True)
            alone = [consumed_in(connection, *question[::2]) for question in asked[::17]]
        assert alone == together[::17]
        for (budget, scope, period), consumed in zip(asked, together, strict=True):
            key = (tuple(scope.items()), period)
            cache[key] = cache.get(key) or summed(records[key[0]], scope, period)
            if consumed != cache[key]:
                wrong.append((budget.name, scope, period))
        assert not wrong, f"{len(wrong)} differ, first {wrong[0]}"
        assert sum(consumed.carbon_mid_ugco2e > 0 for consumed in cache.values()) > len(cache) / 2

    def test_a_long_period_reads_few_rows(self, store: Store) -> None:
        """A month is judged from its days: no statement asks the finer totals for more than a day at either end.

        For a range the same stretches are asked for once more, by use of factors.
        """
        asked: list[tuple[int, int]] = []

        def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
            values = parameters.values() if isinstance(parameters, dict) else parameters
            for given in (json.loads(value) for value in values if str(value).startswith('[{"stretch"')):
                asked.extend((stretch["low_s"], stretch["high_s"]) for stretch in given)
            assert "prompt_record" not in statement

        asked_for: list[list[float]] = []
        for with_ranges in (False, True):
            asked.clear()
            for scope in SCOPES[:2]:
                budget = budget_of(scope, "year", "Asia/Kathmandu")
                with reading(store.engine) as connection:
                    sqlalchemy_event.listen(store.engine, "before_cursor_execute", note)
                    consumed_in_each(connection, [(budget, period_at(budget, NOWS[0]))], with_ranges=with_ranges)
                    sqlalchemy_event.remove(store.engine, "before_cursor_execute", note)
            asked_for.append(sorted(high - low for low, high in asked))
        once = [5.75 * 3600, 18.25 * 3600, 364 * 86_400]
        assert asked_for == [sorted(once * 2), sorted(once * 4)]
