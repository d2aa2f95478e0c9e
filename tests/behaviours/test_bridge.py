"""The bridge: what was reported and the corrections by cause add up to what is restated, to the microgram."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from rice_stream.errors import UsageError
from rice_stream.ledger.voiding import void_record
from rice_stream.reports.bridge import STEPS, bridge
from rice_stream.reports.capped import capped_prompts_later
from rice_stream.reports.comparison import traffic_of
from rice_stream.reports.coverage_parts import CoveredWhole
from rice_stream.reports.name_filter import NameFilter
from rice_stream.reports.record_adjustments import record_adjustments
from rice_stream.reports.record_keys import find_key
from rice_stream.reports.repeated_ids import repeated_ids
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.reports.traffic_records import Traffic, traffic_records
from rice_stream.reports.unattributed import unattributed_later
from rice_stream.store.engine import reading
from rice_stream.store.scope import EVERYTHING, Scope
from tests.behaviours.test_restating import BY_BOTH, BY_METHOD, filled, restate
from tests.support.fakes import OPERATOR
from tests.support.reports_store import NOON, Store, at

TEN_YEARS_AGO = datetime(2016, 1, 1, tzinfo=UTC)


def void(engine: Engine, event_id: str) -> None:
    """Void one event of acme."""
    found = find_key(engine, EVERYTHING, event_id, "acme")
    void_record(engine, found.key, "acme", event_id, reason="wrong", by=OPERATOR)


def bridged(engine: Engine, **asked: Any) -> dict[str, Any]:
    """The bridge, which adds up."""
    found = bridge(engine, EVERYTHING, TotalsQuery(**asked), NOON)
    assert tuple(step["cause"] for step in found["steps"]) == STEPS
    for name in ("prompts", "carbon_ugco2e"):
        assert found["reported"][name] + sum(step[name] for step in found["steps"]) == found["restated"][name]
    return found


def steps(found: dict[str, Any]) -> dict[str, float]:
    """Grams by cause, of those that are not nothing."""
    return {step["cause"]: step["carbon_gco2e"] for step in found["steps"] if step["carbon_gco2e"]}


class TestBridge:
    """On every database."""

    def test_causes_are_told_apart_and_add_up(self, store: Store) -> None:
        """Of five prompts of 2.5 g, four (November) become 5 g, then 3 g; one of acme's is voided as it is then."""
        engine = filled(store).engine
        assert bridged(engine)["material"] is False
        restate(engine, BY_BOTH)
        void(engine, "2026-11-02T10:00:00Z")
        whole = bridged(engine)
        assert steps(whole) == {"method": 10.0, "factors": -8.0, "void": -3.0}
        assert (whole["reported"]["carbon_gco2e"], whole["restated"]["carbon_gco2e"]) == (12.5, 11.5)
        assert (whole["materiality_percent"], whole["material"]) == (8.0, True)
        assert bridge(engine, EVERYTHING, TotalsQuery(), NOON, threshold_percent=8.1)["material"] is False
        assert steps(bridged(engine, tenant="globex")) == {"method": 2.5, "factors": -2.0}
        assert steps(bridged(engine, where=NameFilter(team=("ads",)))) == {"method": 5.0, "factors": -4.0, "void": -3.0}
        some = {"start": datetime(2026, 11, 1, tzinfo=UTC), "end": datetime(2026, 11, 3, tzinfo=UTC)}
        assert steps(bridged(engine, tenant="acme", **some)) == {"method": 5.0, "factors": -4.0, "void": -3.0}
        assert steps(bridged(engine, as_of=TEN_YEARS_AGO)) == {}

    def test_who_sees_some_teams_only_is_refused(self, store: Store) -> None:
        """A group of corrections may be of several teams: the steps would not add up."""
        with pytest.raises(UsageError, match="whole tenants"):
            bridge(filled(store).engine, Scope(frozenset({"acme"}), frozenset({"ads"})), TotalsQuery(), NOON)

    def test_the_corrections_of_a_record_are_told_in_their_order(self, store: Store) -> None:
        """Each with what it adds; a team is told the amounts alone."""
        engine = filled(store).engine
        restate(engine, BY_METHOD)
        void(engine, "2026-11-02T10:00:00Z")
        found = find_key(engine, EVERYTHING, "2026-11-02T10:00:00Z", "acme").key
        rows = record_adjustments(engine, EVERYTHING, found)
        assert [(row["cause"], row["amounts"]["carbon_gco2e"]["mid"]) for row in rows] == [
            ("method", 2.5),
            ("void", -5.0),
        ]
        assert [row["reason"] for row in rows] == ["a better estimate", "wrong"]
        assert rows[0]["restatement_id"] is not None
        team = record_adjustments(engine, Scope(frozenset({"acme"}), frozenset({"ads"})), found)
        assert [(row["cause"], row["reason"], row["amounts"]) for row in team] == [
            (None, None, row["amounts"]) for row in rows
        ]
        assert record_adjustments(engine, Scope(frozenset({"globex"})), found) == []


class TestReadFromRecords:
    """What is read from records alone knows what has corrected them."""

    def test_a_voided_prompt_is_on_no_work_list(self, store: Store) -> None:
        """Of two prompts that nobody was charged for, one is voided."""
        store.add(at("2026-11-02T10:00:00Z", team_id=...), at("2026-11-02T11:00:00Z", team_id=..., api_key_id="key"))
        void(store.engine, "2026-11-02T11:00:00Z")
        with reading(store.engine) as connection:
            found = unattributed_later(connection, EVERYTHING, 0)(CoveredWhole(2_500_000))
        assert [(row["api_key_id"], row["prompts"], row["carbon_gco2e"]) for row in found["rows"]] == [(None, 1, 2.5)]
        assert found["share_of_carbon"] == 1.0

    def test_a_voided_prompt_is_not_capped(self, store: Store) -> None:
        """Of two prompts above what one can cost, one is voided."""
        tokens = {"output_tokens": 2**31 - 1}
        store.add(at("2026-11-02T10:00:00Z", **tokens), at("2026-11-02T11:00:00Z", **tokens))
        with reading(store.engine) as connection:
            before = capped_prompts_later(connection, EVERYTHING, 0)()
        void(store.engine, "2026-11-02T11:00:00Z")
        with reading(store.engine) as connection:
            assert (before, capped_prompts_later(connection, EVERYTHING, 0)()) == (2, 1)

    def test_a_voided_prompt_repeats_no_id_and_is_no_traffic(self, store: Store) -> None:
        """Of two prompts of one id one is voided: nothing is repeated, and one is compared."""
        times = ("2026-11-02T10:00:00Z", "2026-11-22T11:00:00Z")
        store.add(*(at(moment, event_id="twice") for moment in times))
        traffic = traffic_of(NOON, tenant="acme", window="30d")
        found = [self._told(store, traffic)]
        key = find_key(store.engine, EVERYTHING, "twice", "acme", datetime.fromisoformat(times[0])).key
        void_record(store.engine, key, "acme", "twice", reason="wrong", by=OPERATOR)
        found.append(self._told(store, traffic))
        assert found == [(1, 2), (0, 1)]

    @staticmethod
    def _told(store: Store, traffic: Traffic) -> tuple[int | None, int]:
        with reading(store.engine) as connection:
            repeated = repeated_ids(connection, EVERYTHING, from_us=0, limit=None).ids
            records = traffic_records(connection, EVERYTHING, traffic, ("factor_key",))
            return repeated, sum(len(each["factor_key"]) for each in records)
