"""What may wait: only what no judgement could make an alert of, by what is surely known."""

from datetime import UTC, datetime, timedelta

import pytest

from rice_stream.budgets.room import BOUNDLESS, Room
from rice_stream.pipeline.tenant_amounts import TenantAmount, TenantAmounts
from rice_stream.worker.headroom import Headroom

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ROOM = Room(100, BOUNDLESS, None)


def carbon(**by_tenant: int) -> TenantAmounts:
    return {tenant: TenantAmount(amount, 0) for tenant, amount in by_tenant.items()}


@pytest.fixture
def headroom() -> Headroom:
    """Of the only worker, after a judgement of all budgets: acme's leave 100."""
    known = Headroom(lambda: NOON, lambda: True)
    known.judged(known.judging(of_all_tenants=True), {"acme": ROOM}, of_all_tenants=True)
    return known


def test_what_is_less_than_the_room_is_covered_and_tenants_without_budgets_are(headroom: Headroom) -> None:
    assert headroom.covers(carbon(acme=99, globex=10**12))
    assert not headroom.covers(carbon(acme=100))


def test_what_was_committed_since_the_judgement_began_counts_and_a_later_one_knows_it(headroom: Headroom) -> None:
    headroom.committed(carbon(acme=60))
    begun = headroom.judging()
    headroom.committed(carbon(acme=30))
    assert not headroom.covers(carbon(acme=10))
    headroom.judged(begun, {"acme": Room(40, BOUNDLESS, None)}, of_all_tenants=False)
    assert headroom.covers(carbon(acme=9))
    assert not headroom.covers(carbon(acme=10))


def test_nothing_is_covered_while_something_is_not_known(headroom: Headroom) -> None:
    """A commit that was not added up, a judgement that failed, budgets of some tenants alone."""
    headroom.committed(None)
    assert not headroom.covers(carbon(acme=0))
    headroom.judged(headroom.judging(), {}, of_all_tenants=False)
    assert headroom.covers(carbon(acme=0))
    headroom.forget()
    assert not headroom.covers(carbon(acme=0))
    headroom.judged(headroom.judging(), {"acme": ROOM}, of_all_tenants=False)
    assert not headroom.covers(carbon(acme=0))


def test_what_is_judged_beside_all_budgets_is_later_than_what_these_are_found_to_leave(headroom: Headroom) -> None:
    """Whichever ends first; tenants that are judged beside them are all that were touched since they began."""
    everything = headroom.judging(of_all_tenants=True)
    headroom.committed(carbon(acme=60))
    some = headroom.judging()
    headroom.judged(some, {"acme": Room(40, BOUNDLESS, None)}, of_all_tenants=False)
    headroom.committed(carbon(globex=5))
    headroom.judged(everything, {"acme": ROOM, "globex": ROOM}, of_all_tenants=True)
    assert headroom.covers(carbon(acme=39, globex=94))
    assert not headroom.covers(carbon(acme=40))
    assert not headroom.covers(carbon(globex=95))
    headroom.judged(headroom.judging(of_all_tenants=True), {"acme": ROOM}, of_all_tenants=True)
    assert headroom.covers(carbon(acme=99))


def test_what_fails_beside_all_budgets_leaves_nothing_known_by_these(headroom: Headroom) -> None:
    everything = headroom.judging(of_all_tenants=True)
    headroom.committed(carbon(acme=60))
    headroom.forget()
    headroom.judged(everything, {"acme": ROOM}, of_all_tenants=True)
    assert not headroom.covers(carbon(acme=0))
    headroom.judged(headroom.judging(of_all_tenants=True), {"acme": ROOM}, of_all_tenants=True)
    assert headroom.covers(carbon(acme=99))


def test_nothing_is_covered_beside_other_workers_and_without_budgets_there_is_nothing_to_cover() -> None:
    others = [True]
    headroom = Headroom(lambda: NOON, lambda: not others[0])
    headroom.judged(headroom.judging(of_all_tenants=True), {"acme": ROOM}, of_all_tenants=True)
    assert not headroom.covers(carbon(acme=1))
    others[0] = False
    assert headroom.covers(carbon(acme=1))
    headroom.judged(headroom.judging(of_all_tenants=True), {}, of_all_tenants=True)
    assert not headroom.is_known
    assert not headroom.is_kept


def test_a_new_period_has_to_be_judged_first() -> None:
    now = [NOON]
    headroom = Headroom(lambda: now[0], lambda: True)
    room = Room(100, BOUNDLESS, NOON + timedelta(hours=12))
    headroom.judged(headroom.judging(of_all_tenants=True), {"acme": room}, of_all_tenants=True)
    assert headroom.covers(carbon(acme=1))
    now[0] += timedelta(hours=12)
    assert not headroom.covers(carbon(acme=1))
    assert headroom.covers(carbon(globex=1))
