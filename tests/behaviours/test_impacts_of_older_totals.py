"""A database from before totals knew embodied carbon and water: the step gives them what the records say."""

from datetime import UTC, datetime

from rice_stream.ledger.voiding import void_record
from rice_stream.proof.rebuild import rebuild
from rice_stream.proof.verification import verify
from rice_stream.quantities import MEASURES
from rice_stream.reports.record_keys import find_key
from rice_stream.store.migrate import migrate
from rice_stream.store.minute_folding import fold_minutes
from rice_stream.store.retention import drop_records_before
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.watching import watch_user
from tests.support.fakes import NOON_US, OPERATOR
from tests.support.reports_store import Store, at
from tests.support.store_checks import TABLES, rows_in, stored_totals

SEPTEMBER, MIDNIGHT, EARLY, LATE = (
    "2026-09-30T23:50:00Z",
    "2026-10-01T00:00:00Z",
    "2026-10-05T10:16:00Z",
    "2026-11-22T11:59:00Z",
)
OCTOBER_S = int(datetime(2026, 10, 1, tzinfo=UTC).timestamp())
MARKET = "carbon_market_ugco2e"
IMPACTS = ("impact_prompts", "embodied_ugco2e", "water_ul", MARKET)


class TestImpactsOfOlderTotals:
    """On every database."""

    def test_every_table_has_them_of_the_records_that_are_kept(self, store: Store) -> None:
        """With what corrected them; of records that retention has dropped nothing is known any more. Down and up again."""
        engine = store.engine
        watch_user(engine, "acme", "u")
        store.add(
            *(
                at(moment, event_id=f"{moment}-{user}", user_id=user, team_id=user, request_model=model)
                for moment in (SEPTEMBER, MIDNIGHT, EARLY, LATE)
                for user, model in (("u", "small"), ("v", "big"))
            )
        )
        store.execute("UPDATE prompt_record SET embodied_ugco2e = 7, water_ul = 11 WHERE event_id LIKE '%-u'")
        store.execute("UPDATE prompt_record SET embodied_ugco2e = 0, water_ul = 0 WHERE event_id = :id", id=f"{LATE}-v")
        rebuild(engine, by=OPERATOR)
        for event_id in (f"{MIDNIGHT}-u", f"{EARLY}-v"):
            found = find_key(engine, EVERYTHING, event_id)
            void_record(engine, found.key, found.tenant_id, event_id, reason="a load test", by=OPERATOR)
        drop_records_before(engine, datetime(2026, 10, 2, tzinfo=UTC))
        assert verify(engine)["ok"]
        before = {table: stored_totals(rows_in(engine), table) for table in TABLES}
        migrate(engine, "0029")
        migrate(engine)
        assert verify(engine)["ok"]
        for table, rows in before.items():
            after = stored_totals(rows_in(engine), table)
            kept = {key: sums for key, sums in rows.items() if key[1] >= OCTOBER_S}
            assert {key: after[key] for key in kept} == kept, table
            for key in rows.keys() - kept.keys():
                as_it_was = dict(zip(MEASURES, rows[key], strict=True))
                assert as_it_was["impact_prompts"] in (0, 1)
                changed = {name: 0 for name in IMPACTS if name != MARKET}
                assert dict(zip(MEASURES, after[key], strict=True)) == as_it_was | changed
        [total] = store.rows(f"SELECT {', '.join(f'SUM({name}) AS {name}' for name in IMPACTS)} FROM tenant_day_total")
        carbon = store.rows("SELECT SUM(carbon_mid_ugco2e) AS n FROM tenant_day_total")[0]["n"]
        assert total == {"impact_prompts": 3, "embodied_ugco2e": 14, "water_ul": 22, MARKET: carbon}

    def test_minutes_that_are_to_become_quarter_hours_have_them_by_the_quarter_hour(self, store: Store) -> None:
        """As a run leaves it that was cut short: the first minute of the quarter may have no row."""
        engine = store.engine
        store.add(at(EARLY, event_id="early"), at("2026-10-05T10:20:00Z", event_id="later"))
        store.execute("UPDATE prompt_record SET embodied_ugco2e = 7, water_ul = 11")
        rebuild(engine, by=OPERATOR)
        store.execute("DELETE FROM retention")
        store.execute(
            "INSERT INTO retention (id, records_from_us, minutes_from_us) VALUES (1, 0, :us)",
            us=NOON_US // 10**6 * 10**6,
        )
        migrate(engine, "0029")
        migrate(engine)
        assert verify(engine)["ok"]
        store.execute("UPDATE retention SET minutes_from_us = 0")
        fold_minutes(engine, NOON_US + 60 * 86_400_000_000)
        assert verify(engine)["ok"]
        [row] = store.rows("SELECT minute_start_s % 900 AS at, prompts, embodied_ugco2e AS e FROM minute_total")
        assert row == {"at": 0, "prompts": 2, "e": 14}
