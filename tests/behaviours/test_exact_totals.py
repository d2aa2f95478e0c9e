"""No sender can overflow a total: what one prompt counts is bounded and said, and sums beyond 64 bits are exact or refused."""

from datetime import timedelta

import pytest

from rice_stream.meter.amounts import AMOUNT_MAX, INT64_MAX
from rice_stream.proof.rebuild import rebuild
from rice_stream.proof.verification import verify
from rice_stream.quantities import TOKENS_MAX
from rice_stream.reports.coverage import coverage
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.store.adjustments import post, posting
from rice_stream.store.corrected_records import amounts_by_now
from rice_stream.store.engine import StoreUnavailableError, reading
from rice_stream.store.entries import EntryGroup
from rice_stream.store.event_key_columns import RecordKey, key_bytes
from rice_stream.store.failures import NotStorableError
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.totals_tables import TOTALS_TABLES
from rice_stream.store.watching import watch_user
from tests.support.databases import Databases
from tests.support.fakes import NOON_US, OPERATOR, chunk_of
from tests.support.reports_store import NOON, Store, at, open_store

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

    def test_what_a_total_has_no_room_for_is_refused_and_never_becomes_a_float(self, store: Store) -> None:
        """As if 922,337 prompts at the cap had come that month: the next ones are refused, with nothing of their batch stored, so
        that they can be put into quarantine."""
        watch_user(store.engine, "acme", "u")
        store.add(at("2026-11-22T11:00:00Z", event_id="first", user_id="u"))
        near = INT64_MAX - 10_000_000
        for table in TOTALS_TABLES:
            store.execute(f"UPDATE {table.name} SET carbon_high_ugco2e = {near}, facility_energy_uwh = {near}")
        batch = store.pipeline.prepare([chunk_of([at("2026-11-22T11:00:00Z", user_id="u", **NONSENSE)])], NOON_US)
        with pytest.raises(NotStorableError, match="64-bit integers") as refused:
            store.pipeline.commit(batch)
        assert refused.value.reason == "amount_overflow"
        for table in TOTALS_TABLES:
            [row] = store.rows(f"SELECT carbon_high_ugco2e, facility_energy_uwh FROM {table.name}")
            assert set(row.values()) == {near}
            assert all(type(value) is int for value in row.values())
        assert len(store.rows("SELECT event_id FROM prompt_record")) == 1

    def test_a_correction_that_a_total_has_no_room_for_is_refused_whole(self, store: Store) -> None:
        """Neither its group nor a line of it is there, and other totals are as they were."""
        store.add(at("2026-11-22T11:00:00Z", event_id="first"))
        [record] = store.rows("SELECT tenant_key, event_key FROM prompt_record")
        key = RecordKey(record["tenant_key"], key_bytes(record["event_key"]))
        store.execute(f"UPDATE month_total SET carbon_high_ugco2e = {INT64_MAX - 5}")
        before = {table.name: store.rows(f"SELECT * FROM {table.name}") for table in TOTALS_TABLES}
        with reading(store.engine) as connection:
            found = amounts_by_now(connection, key)
        assert found is not None
        group = EntryGroup("true_up", key.tenant_key, {"of": "first"}, "again", OPERATOR, found, {})
        with pytest.raises(NotStorableError) as refused, posting(store.engine) as connection:
            post(connection, group)
        assert refused.value.reason == "amount_overflow"
        assert {table.name: store.rows(f"SELECT * FROM {table.name}") for table in TOTALS_TABLES} == before
        assert store.rows("SELECT * FROM adjustment") == store.rows("SELECT * FROM adjustment_entry") == []

    def test_a_report_adds_totals_up_beyond_64_bits_or_refuses(self, store: Store) -> None:
        """Each row is within them. On SQLite a sum of rows that is not is an error, and no number."""
        store.add(at("2026-11-22T11:00:00Z"), at("2026-11-22T11:00:00Z", tenant_id="other"))
        for table in TOTALS_TABLES:
            store.execute(f"UPDATE {table.name} SET input_tokens = {INT64_MAX}")
        by_model = TotalsQuery(window="24h", by=("model",))
        if store.engine.dialect.name == "sqlite":
            with pytest.raises(StoreUnavailableError, match="integer overflow"):
                totals(store.engine, EVERYTHING, by_model, NOON)
            return
        answer = totals(store.engine, EVERYTHING, by_model, NOON)
        assert answer["total"]["input_tokens"] == 2 * INT64_MAX
        assert {one["stored"] for one in verify(store.engine)["differences"]} == {INT64_MAX}
        assert store.rows("SELECT SUM(input_tokens) AS n FROM hourly_totals") == [{"n": 2 * INT64_MAX}]
        assert coverage(store.engine, EVERYTHING, now=NOON)["prompts"] == 2

    def test_a_total_of_tokens_beyond_64_bits_cannot_be_written(self, store: Store) -> None:
        """By whomever: 2^31 - 1 tokens a prompt would take four billion prompts."""
        store.add(at("2026-11-22T11:00:00Z"))
        with pytest.raises(Exception, match=r"CHECK constraint failed|out of range"):
            store.execute(f"UPDATE minute_total SET input_tokens = input_tokens + {INT64_MAX}")


@pytest.mark.services
def test_rebuilding_refuses_what_a_total_has_no_room_for(postgresql: Databases) -> None:
    """Records that somebody has written with numbers that no prompt has: what was right stays as it was."""
    with open_store(postgresql.migrated()) as store:
        store.add(at("2026-11-22T11:00:00Z", event_id="a"), at("2026-11-22T11:00:00Z", event_id="b"))
        store.execute(f"UPDATE prompt_record SET water_ul = {INT64_MAX}, embodied_ugco2e = 0")
        before = store.rows("SELECT * FROM minute_total")
        with pytest.raises(NotStorableError) as refused:
            rebuild(store.engine, by=OPERATOR)
        assert refused.value.reason == "amount_overflow"
        assert store.rows("SELECT * FROM minute_total") == before
        store.engine.dispose()
