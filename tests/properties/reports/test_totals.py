"""Totals over any stretch, by any names, are what adding up the events by hand gives; days tile time in every zone."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rice_stream.events.canonical import wire_time
from rice_stream.instants import day_start, epoch_us
from rice_stream.proof.verification import verify
from rice_stream.reports.name_filter import NameFilter
from rice_stream.reports.spans import Span, calendar_spans, day_text, split_at_buckets
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.totals_tables import TOTALS_TABLES, TotalsTable
from tests.support.databases import SqliteDatabases
from tests.support.fakes import CARBON_UGCO2E_PER_TOKEN, weighted_tokens
from tests.support.reports_store import NOON, Store, at, open_store

START = datetime(2026, 10, 24, tzinfo=UTC)
HOURS = 72
"""Three days around the end of summer time in Europe."""
ZONES = {"acme": "Europe/Berlin", "globex": "Asia/Kolkata", "initech": "UTC"}
BUSY_ZONES = (
    "Europe/Berlin",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "America/Havana",
    "Pacific/Apia",
)


def made_events(count: int) -> list[dict[str, Any]]:
    """Events of every combination of names, bunched around the boundaries of minutes, slots and hours."""
    draw = random.Random(7)
    events = []
    for number in range(count):
        moment = (
            START
            + timedelta(seconds=900 * draw.randrange(HOURS * 4))
            + timedelta(microseconds=draw.choice([0, 1, -1, 59_999_999, 450_000_000, 451_234_567]))
        )
        events.append(
            at(
                wire_time(moment),
                event_id=f"e{number}",
                tenant_id=draw.choice(list(ZONES)),
                team_id=draw.choice(["a", "b", None]),
                user_id=draw.choice(["u1", "u2", None]),
                request_model=draw.choice(["small", "tiny"]),
                input_tokens=draw.randrange(1000),
                output_tokens=draw.randrange(100),
            )
        )
    return events


EVENTS = made_events(600)


@pytest.fixture(scope="module")
def store(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    databases = SqliteDatabases(sqlite_template, tmp_path_factory.mktemp("store"))
    with open_store(databases.migrated()) as store:
        store.add(*EVENTS)
        for tenant, zone in ZONES.items():
            store.set_time_zone(tenant, zone)
        yield store


def value_of(event: dict[str, Any], field: str, zone: str) -> Any:
    ended_at = datetime.fromisoformat(event["ended_at"])
    return {
        "tenant": event["tenant_id"],
        "team": event["team_id"],
        "user": event["user_id"],
        "model": event["request_model"],
        "day": str(ended_at.astimezone(ZoneInfo(zone)).date()),
        "hour": ended_at.strftime("%Y-%m-%dT%H:00:00Z"),
    }[field]


def added_by_hand(
    by: list[str], start: datetime, end: datetime, tenant: str | None, events: list[dict[str, Any]]
) -> dict[tuple[Any, ...], Any]:
    sums: dict[tuple[Any, ...], Any] = {}
    for event in events:
        if start <= datetime.fromisoformat(event["ended_at"]) < end and tenant in (None, event["tenant_id"]):
            zone = ZONES[event["tenant_id"]] if tenant or "tenant" in by else "UTC"
            group = tuple(value_of(event, field, zone) for field in by)
            prompts, carbon = sums.get(group, (0, 0))
            sums[group] = prompts + 1, carbon + weighted_tokens(event) * CARBON_UGCO2E_PER_TOKEN
    return sums


moments = st.integers(-900, HOURS * 3600 + 900).flatmap(
    lambda second: st.sampled_from([0, 1, 999_999, 500_000]).map(
        lambda micro: START + timedelta(seconds=second, microseconds=micro)
    )
)
aligned = st.integers(0, HOURS * 4).map(lambda slot: START + timedelta(minutes=15 * slot))


@settings(max_examples=40, deadline=None)
@given(
    by=st.lists(
        st.sampled_from(["tenant", "team", "user", "model", "day", "hour"]), min_size=1, max_size=4, unique=True
    ),
    bounds=st.tuples(st.one_of(moments, aligned), st.one_of(moments, aligned)),
    tenant=st.sampled_from([None, "acme", "globex"]),
)
def test_any_break_down_over_any_stretch_is_what_the_events_add_up_to(
    store: Store, by: list[str], bounds: tuple[datetime, datetime], tenant: str | None
) -> None:
    """Counts and carbon of every group, and no group too many."""
    start, end = min(bounds), max(bounds) + timedelta(microseconds=1)
    answer = totals(store.engine, EVERYTHING, TotalsQuery(by=by, start=start, end=end, tenant=tenant), NOON)
    told = {
        tuple(row[field] for field in by): (row["prompts"], round(row["carbon_gco2e"]["mid"] * 1e6))
        for row in answer["rows"]
    }
    assert told == added_by_hand(by, start, end, tenant, EVENTS)
    assert answer["total"]["prompts"] == sum(prompts for prompts, _ in told.values())


NAMES = {"team": ["a", "b", "", "nobody"], "user": ["u1", "u2", ""], "model": ["small", "tiny"]}


@settings(max_examples=40, deadline=None)
@given(
    where=st.fixed_dictionaries(
        {}, optional={field: st.lists(st.sampled_from(names), min_size=1, max_size=2) for field, names in NAMES.items()}
    ),
    by=st.lists(st.sampled_from(["tenant", "team", "user", "model", "day", "hour"]), max_size=3, unique=True),
    bounds=st.tuples(st.one_of(moments, aligned), st.one_of(moments, aligned)),
    tenant=st.sampled_from([None, "acme"]),
)
def test_what_is_narrowed_to_some_names_is_what_their_events_add_up_to(
    store: Store, where: dict[str, list[str]], by: list[str], bounds: tuple[datetime, datetime], tenant: str | None
) -> None:
    """Whatever it is broken down by: names given twice count once, "" is where there is none."""
    by = by or ["tenant"]
    start, end = min(bounds), max(bounds) + timedelta(microseconds=1)
    query = TotalsQuery(by=by, start=start, end=end, tenant=tenant, where=NameFilter.of(where))
    answer = totals(store.engine, EVERYTHING, query, NOON)
    chosen = [
        event
        for event in EVENTS
        if all((value_of(event, field, "UTC") or "") in names for field, names in where.items())
    ]
    told = {
        tuple(row[field] for field in by): (row["prompts"], round(row["carbon_gco2e"]["mid"] * 1e6))
        for row in answer["rows"]
    }
    assert told == added_by_hand(by, start, end, tenant, chosen)
    assert answer["total"]["prompts"] == sum(prompts for prompts, _ in told.values())


@settings(max_examples=15, deadline=None)
@given(
    field=st.sampled_from(["team", "project", "model", "provider", "region"]),
    bounds=st.tuples(st.one_of(moments, aligned), st.one_of(moments, aligned)),
)
def test_what_each_name_of_a_field_is_narrowed_to_is_its_row_and_together_they_are_the_whole(
    store: Store, field: str, bounds: tuple[datetime, datetime]
) -> None:
    """Its range as well: that of the selection, to the last digit."""
    asked: dict[str, Any] = {"by": [field], "start": min(bounds), "end": max(bounds) + timedelta(microseconds=1)}
    whole = totals(store.engine, EVERYTHING, TotalsQuery(**asked), NOON)
    each = [
        totals(store.engine, EVERYTHING, TotalsQuery(**asked, where=NameFilter.of({field: [row[field] or ""]})), NOON)
        for row in whole["rows"]
    ]
    assert [answer["rows"] for answer in each] == [[row] for row in whole["rows"]]
    assert sum(answer["total"]["prompts"] for answer in each) == whole["total"]["prompts"]
    carbon = (round(answer["total"]["carbon_gco2e"]["mid"] * 1e6) for answer in each)
    assert sum(carbon) == round(whole["total"]["carbon_gco2e"]["mid"] * 1e6)


@settings(max_examples=15, deadline=None)
@given(
    table=st.sampled_from([*(table.name for table in TOTALS_TABLES if not table.watched_only), "prompt_record"]),
    column=st.sampled_from(
        ["input_tokens", "output_tokens", "it_energy_uwh", "carbon_low_ugco2e", "carbon_high_ugco2e"]
    ),
    row=st.integers(0, 10_000),
    change=st.sampled_from([-1, 1, 1000]),
)
def test_any_changed_number_of_any_row_is_found(store: Store, table: str, column: str, row: int, change: int) -> None:
    """One number somewhere: verify is right before, wrong while it is changed, and right again after."""
    starts = {each.name: each.start for each in TOTALS_TABLES}
    key = starts.get(table, "event_id")
    rows = store.rows(f"SELECT tenant_key, {key} AS key FROM {table} ORDER BY 1, 2")
    chosen = rows[row % len(rows)]
    statement = f"UPDATE {table} SET {column} = {column} + :change WHERE tenant_key = :tenant AND {key} = :key"
    values = {"tenant": chosen["tenant_key"], "key": chosen["key"]}
    changed = store.execute(statement, change=change, **values)
    try:
        answer = verify(store.engine)
        expected = 7 if table == "prompt_record" else changed  # its minute, slot, hour, days of three kinds and month
        assert (answer["ok"], answer["differences_total"]) == (False, expected)
        assert {difference["measure"] for difference in answer["differences"]} == {column}
    finally:
        store.execute(statement, change=-change, **values)
    assert verify(store.engine)["ok"]


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(BUSY_ZONES),
    first=st.datetimes(datetime(2001, 1, 1), datetime(2098, 1, 1)),  # noqa: DTZ001
    days=st.integers(1, 400),
)
def test_days_tile_any_stretch_in_any_zone(zone: str, first: datetime, days: int) -> None:
    """Spans follow each other without gap, and each instant gets the day whose start (as budgets see it) it lies behind."""
    from_us = epoch_us(first.replace(tzinfo=UTC))
    to_us = from_us + days * 86_400_000_000
    spans = calendar_spans(zone, from_us, to_us)
    assert (spans[0].from_us, spans[-1].to_us) == (from_us, to_us)
    for before, after in pairwise(spans):
        assert before.to_us == after.from_us
    place = ZoneInfo(zone)
    for span in spans:
        for at_us in {span.from_us, (span.from_us + span.to_us) // 2, span.to_us - 1}:
            number = span.first_day + (at_us // 1_000_000 - span.origin_s) // 86_400
            day = datetime.fromisoformat(day_text(number)).date()
            assert epoch_us(day_start(day, place)) <= at_us < epoch_us(day_start(day + timedelta(days=1), place))


@given(bounds=st.tuples(st.integers(0, 10**10), st.integers(0, 10**10)), table=st.sampled_from(TOTALS_TABLES))
def test_buckets_and_edges_cover_every_stretch_once(bounds: tuple[int, int], table: TotalsTable) -> None:
    """Together they are as long as the stretch, do not overlap, and whole buckets are whole."""
    span = Span("UTC", min(bounds), max(bounds) + 1)
    whole, edges = split_at_buckets([span], table)
    pieces = sorted([*whole, *edges])
    assert pieces[0].from_us == span.from_us
    assert pieces[-1].to_us == span.to_us
    assert all(a.to_us == b.from_us for a, b in pairwise(pieces))
    ends_us = [end_us for piece in whole for end_us in piece[1:3]]
    assert all(table.floor_s(end_us // 10**6) * 10**6 == end_us for end_us in ends_us)
