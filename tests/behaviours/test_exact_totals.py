"""No sender can overflow a total: what one prompt counts is bounded and said, and sums beyond 64 bits are exact or refused."""

from datetime import timedelta

import pytest

from rice_stream.meter.amounts import AMOUNT_MAX, INT64_MAX
from rice_stream.proof.verification import verify
from rice_stream.quantities import TOKENS_MAX
from rice_stream.reports.coverage import coverage
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.store.failures import NotStorableError
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.totals_tables import TOTALS_TABLES
from rice_stream.store.watching import watch_user
from tests.support.fakes import NOON_US, chunk_of
from tests.support.reports_store import NOON, Store, at

NONSENSE = {"input_tokens": TOKENS_MAX, "output_tokens": TOKENS_MAX}
"""Such a prompt is above the cap in every amount."""


class TestExactTotals:
    """On every database."""

    def test_an_amount_at_the_cap_is_flagged_and_counted(self, store: Store) -> None:
        """In the record's basis, and in `coverage`."""
        store.add(at("2026-11-22T11:00:00Z", **NONSENSE), at("2026-11-22T11:00:01Z"))
        [record] = store.rows("SELECT * FROM prompt_emission WHERE basis <> ''")
        assert record["basis"] == "amount_capped"
        assert record["carbon_low_ugco2e"] == record["carbon_high_ugco2e"] == record["it_energy_uwh"] == AMOUNT_MAX
        document = coverage(store.engine, EVERYTHING, now=NOON)
        assert (document["capped_prompts"], document["prompts"]) == (1, 2)
        assert coverage(store.engine, EVERYTHING, now=NOON, days=1)["capped_prompts"] == 1
        assert coverage(store.engine, EVERYTHING, now=NOON + timedelta(days=3), days=1)["capped_prompts"] == 0
        assert verify(store.engine)["ok"]

    def test_a_ledger_without_such_prompts_has_none_in_coverage(self, store: Store) -> None:
        store.add(at("2026-11-22T11:00:00Z"))
        assert coverage(store.engine, EVERYTHING, now=NOON)["capped_prompts"] == 0

    def test_a_total_goes_on_beyond_64_bits_or_refuses_and_is_never_a_float(self, store: Store) -> None:
        """As if 922,337 prompts at the cap had come that day: the next ones are added exactly on PostgreSQL. On SQLite they are
        refused, with nothing of their batch stored, so that they can be put into quarantine."""
        watch_user(store.engine, "acme", "u")
        store.add(at("2026-11-22T11:00:00Z", event_id="first", user_id="u"))
        near = INT64_MAX - 10_000_000
        for table in TOTALS_TABLES:
            store.execute(f"UPDATE {table.name} SET carbon_high_ugco2e = {near}, facility_energy_uwh = {near}")
        batch = store.pipeline.prepare([chunk_of([at("2026-11-22T11:00:00Z", user_id="u", **NONSENSE)])], NOON_US)
        if store.engine.dialect.name == "sqlite":
            with pytest.raises(NotStorableError) as refused:
                store.pipeline.commit(batch)
            assert refused.value.reason == "amount_overflow"
            expected = near
        else:
            assert store.pipeline.commit(batch).sums["carbon_high_ugco2e"] == AMOUNT_MAX
            expected = near + AMOUNT_MAX
        for table in TOTALS_TABLES:
            [row] = store.rows(f"SELECT carbon_high_ugco2e, facility_energy_uwh FROM {table.name}")
            assert set(row.values()) == {expected}
            assert all(type(value) is int for value in row.values())
        if store.engine.dialect.name == "postgresql":
            answer = totals(store.engine, EVERYTHING, TotalsQuery(window="24h"), NOON)
            assert answer["total"]["prompts"] == 2
            assert store.rows("SELECT carbon_high_gco2e AS g FROM hourly_totals")[0]["g"] == expected / 1e6
            found = verify(store.engine)
            assert {one["stored"] for one in found["differences"]} == {expected}

    def test_tokens_beyond_64_bits_are_shown_by_reports_and_views(self, store: Store) -> None:
        """2^31 - 1 tokens a prompt take four billion prompts; a sum over rows gets there on PostgreSQL only."""
        store.add(at("2026-11-22T11:00:00Z"))
        if store.engine.dialect.name == "sqlite":
            with pytest.raises(Exception, match="CHECK constraint failed"):
                store.execute("UPDATE minute_total SET input_tokens = input_tokens + 9223372036854775807")
            return
        for table in TOTALS_TABLES:
            store.execute(f"UPDATE {table.name} SET input_tokens = input_tokens + 9223372036854775807")
        answer = totals(store.engine, EVERYTHING, TotalsQuery(window="24h"), NOON)
        assert answer["total"]["input_tokens"] == INT64_MAX + 10
        assert store.rows("SELECT input_tokens AS n FROM hourly_totals") == [{"n": INT64_MAX + 10}]
        assert coverage(store.engine, EVERYTHING, now=NOON)["prompts"] == 1
