"""Sums and comparisons that need records have the same answers from the archive, or say that records are nowhere."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from rice_stream.errors import UsageError
from rice_stream.estimator.loading import load_calibrated
from rice_stream.events.mappings import COST_CENTRE, TEAM, MappedName
from rice_stream.instants import DAY_US, epoch_us
from rice_stream.ledger.recharging import check_recharges
from rice_stream.ledger.voiding import void_record
from rice_stream.meter.estimator_at import EstimatorAt
from rice_stream.meter.factors import FactorPolicy
from rice_stream.meter.what_if import Change
from rice_stream.proof.verification import verify
from rice_stream.reports.capped import capped_prompts_later
from rice_stream.reports.comparison import compare
from rice_stream.reports.coverage import coverage
from rice_stream.reports.durations import narrowed_kinds
from rice_stream.reports.name_filter import NameFilter
from rice_stream.reports.prompt_neighbours import neighbours_later
from rice_stream.reports.record_keys import find_key
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.reports.traffic_records import Traffic
from rice_stream.store.contract_store import TenantMonth, used_energy
from rice_stream.store.engine import reading
from rice_stream.store.retention import drop_records_before, move_horizon
from rice_stream.store.scope import EVERYTHING, Scope
from rice_stream.store.scoped import confined
from rice_stream.store.watching import watch_user
from tests.behaviours.test_archive import EVENTS, LATE, NOVEMBER, archived, filled
from tests.behaviours.test_cost_centres import by as prompts_by
from tests.behaviours.test_cost_centres import recharge
from tests.behaviours.test_restating import BY_BOTH, restate
from tests.support.databases import Databases
from tests.support.fakes import NOON_US, OPERATOR, TOKEN_DEFAULTS, FakeMethod, fake_reference
from tests.support.reports_store import NOON, Store, at, open_store
from tests.support.store_checks import rows_in

OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)
OF_SEARCH = Scope(frozenset({"acme"}), frozenset({"search"}))


def corrected(store: Store) -> Engine:
    """The months of `filled`, some of it restated and some voided."""
    engine = filled(store)
    restate(engine, BY_BOTH, from_us=epoch_us(OCTOBER), to_us=epoch_us(OCTOBER) + 9 * DAY_US, tenant_id="acme")
    for event_id in (EVENTS[3], EVENTS[20]):
        found = find_key(engine, EVERYTHING, event_id, "acme")
        void_record(engine, found.key, "acme", event_id, reason="wrong", by=OPERATOR)
    return engine


def dropped(engine: Engine, warehouse: Path) -> None:
    """Archive October and drop its records."""
    archived(engine, warehouse)
    drop_records_before(engine, NOVEMBER)


ASKED: list[dict[str, Any]] = [
    {"by": ("user",)},
    {"by": ("user", "basis", "model"), "bucket": "day"},
    {"by": ("user",), "bucket": "day", "time_zone": "Asia/Kolkata"},
    {"by": ("user",), "bucket": "month", "time_zone": "America/New_York"},
    {"by": ("basis", "team"), "bucket": "hour", "ranges": False},
    {"by": ("user", "hour", "day"), "time_zone": "Asia/Kathmandu"},
    {"by": ("data_tier", "user")},
    {"by": ("user",), "start": date(2026, 10, 4), "end": date(2026, 11, 10)},
    {
        "by": ("team",),
        "start": datetime(2026, 10, 4, 8, 0, 1, tzinfo=UTC),
        "end": datetime(2026, 10, 5, 8, 0, 1, 5, tzinfo=UTC),
    },
    {"start": datetime(2026, 10, 4, 7, 59, 59, tzinfo=UTC), "end": datetime(2026, 10, 20, 8, 0, 2, 1, tzinfo=UTC)},
    {"by": ("user",), "where": NameFilter(user=("u-1", ""), team=("ads",))},
    {"by": ("user",), "amounts": "reported"},
    {"by": ("user",), "top": 1, "only": ("energy",)},
]
"""Each needs records: of users, of flags, or at an edge."""


def test_sums_that_need_records_are_the_same_once_these_are_gone(store: Store, tmp_path: Path) -> None:
    """By any name and time, with corrections and without, as of an instant, to a team as well; also between the two steps of
    retention, and on an engine that PostgreSQL itself holds to the scope."""
    engine = corrected(store)
    limited = confined(engine) if engine.dialect.name == "postgresql" else confined(engine, role=None)
    moments = [datetime.now(UTC)]
    store.add(at("2026-10-21T09:00:00Z", team_id="search", user_id="u-later"))
    moments.append(datetime.now(UTC))
    as_of = [
        {"by": by, "as_of": moment, "amounts": amounts}
        for by in (("team",), ("user", "day"))
        for moment in moments
        for amounts in ("restated", "reported")
    ]

    def told() -> list[Any]:
        return [
            totals(limited, scope, TotalsQuery(**{"tenant": "acme", **asked}), NOON)
            for scope in (EVERYTHING, OF_SEARCH)
            for asked in (*ASKED, *as_of)
        ]

    before = told()
    assert {row["user"] for row in before[0]["rows"]} == {"u-0", "u-1", "u-2", "u-3", "u-late", "u-later", None}
    archived(engine, tmp_path)
    move_horizon(engine, epoch_us(NOVEMBER))
    assert told() == before
    drop_records_before(engine, NOVEMBER)
    assert told() == before


def test_sums_of_several_tenants_have_what_each_of_them_has_archived(store: Store, tmp_path: Path) -> None:
    """Tenants of several time zones by their own days; and as soon as prompts of one are nowhere, no sum is too small."""
    store.set_time_zone("globex", "Asia/Tokyo")
    engine = filled(store)
    asked = TotalsQuery(by=("tenant", "user"), bucket="day")
    before = totals(engine, EVERYTHING, asked, NOON)
    dropped(engine, tmp_path)
    assert len([row for row in before["rows"] if row["tenant"] == "globex"]) == 1
    with pytest.raises(UsageError, match=r"those of 1 prompts before .* no longer kept .*, nor all in the archive"):
        totals(engine, EVERYTHING, asked, NOON)
    with pytest.raises(UsageError, match="nor all in the archive"):
        totals(engine, Scope(frozenset({"globex"})), TotalsQuery(by=("user",)), NOON)
    own = totals(engine, Scope(frozenset({"acme"})), asked, NOON)
    assert own["rows"] == [row for row in before["rows"] if row["tenant"] == "acme"]


def test_traffic_is_compared_from_the_archive(store: Store, tmp_path: Path) -> None:
    """As from the database, without voided prompts and for a team; times of requests are read there as well."""
    engine = corrected(store)
    by = EstimatorAt(fake_reference(), FactorPolicy(), FakeMethod(), NOON_US)
    month = Traffic(epoch_us(OCTOBER), epoch_us(NOON), "acme")

    def told() -> list[Any]:
        return [
            [
                compare(engine, scope, traffic, Change(model="big"), estimator=by, defaults=TOKEN_DEFAULTS)
                for scope in (EVERYTHING, OF_SEARCH)
                for traffic in (month, month._replace(model="small"), month._replace(from_us=month.from_us + DAY_US))
            ],
            [each[0::2] for each in narrowed_kinds(engine, EVERYTHING, month, load_calibrated())],
        ]

    before = told()
    assert before[0][0]["total"]["prompts"] == 30
    dropped(engine, tmp_path)
    assert told() == before
    for tenant in (None, "globex"):
        with pytest.raises(UsageError, match="not all from 2026-10-05T08:00:00Z on are in the archive"):
            compare(
                engine,
                EVERYTHING,
                month._replace(tenant=tenant),
                Change(model="big"),
                estimator=by,
                defaults=TOKEN_DEFAULTS,
            )


def test_a_few_hours_that_are_nowhere_are_not_passed_over(store: Store, tmp_path: Path) -> None:
    """Within a day, which has totals from before."""
    engine = filled(store)
    dropped(engine, tmp_path)
    of_that_hour = epoch_us(datetime(2026, 10, 5, 7, 30, tzinfo=UTC)), epoch_us(datetime(2026, 10, 5, 9, tzinfo=UTC))
    with pytest.raises(UsageError, match="are in the archive"):
        restate(engine, BY_BOTH, from_us=of_that_hour[0], to_us=of_that_hour[1], tenant_id="globex")
    assert (
        restate(engine, BY_BOTH, from_us=of_that_hour[1], to_us=epoch_us(NOVEMBER), tenant_id="globex")["records"] == 0
    )


def test_neighbours_lead_from_the_archive_to_what_is_kept(store: Store, tmp_path: Path) -> None:
    """From end to end and back, passing over other teams' where these are not seen."""
    engine = filled(store)
    keys = {each: find_key(engine, EVERYTHING, each, "acme").key for each in (*EVENTS, LATE, "2026-11-02T08:00:00Z")}

    def told(scope: Scope) -> list[Any]:
        return [neighbours_later(engine, scope, key)() for key in keys.values()]

    before = [told(scope) for scope in (EVERYTHING, OF_SEARCH)]
    dropped(engine, tmp_path)
    assert [told(scope) for scope in (EVERYTHING, OF_SEARCH)] == before


def test_what_is_added_up_of_corrections_alone_is_told_of_nothing_dropped(store: Store, tmp_path: Path) -> None:
    """Energy that contracts may cover stays what it was; prompts at the cap and totals of a user are those that are kept."""
    engine = corrected(store)
    month = TenantMonth(1, "2026-10", epoch_us(OCTOBER), epoch_us(NOVEMBER))
    with reading(engine) as connection:
        before = used_energy(connection, month)
    assert len(before) >= 29
    dropped(engine, tmp_path)
    with reading(engine) as connection:
        assert used_energy(connection, month) == before
        assert capped_prompts_later(connection, EVERYTHING, 0)() == 0
    assert coverage(engine, EVERYTHING, now=NOON)["records_from"] == "2026-11-01T00:00:00Z"
    assert "records_from" not in coverage(engine, EVERYTHING, now=NOON, days=7)
    watch_user(engine, "acme", "u-3")  # of whom one prompt was voided
    assert rows_in(engine)("user_slot_total") == []


def test_archived_prompts_are_charged_otherwise_as_those_of_the_database(database: Databases, tmp_path: Path) -> None:
    """The same is moved, and what is not archived is refused."""
    moved = []
    for is_dropped in (False, True):
        with open_store(database.migrated()) as store:
            engine = filled(store)
            if is_dropped:
                dropped(engine, tmp_path)
                with pytest.raises(UsageError, match="are in the archive"):
                    check_recharges(engine, MappedName(COST_CENTRE, "search", "CC-9", 0, "globex", TEAM))
            answer = recharge(engine, COST_CENTRE, "search", "CC-9")
            moved.append(
                (answer["moves"], answer["records"], prompts_by(engine, "cost_centre", "team", "user", tenant="acme"))
            )
            assert verify(engine)["ok"]
    assert moved[0] == moved[1]
    assert moved[0][1] == 32
