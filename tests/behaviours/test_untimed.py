"""Requests without a time of their own count once, whatever timestamps their records have within a day; on every database."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial

import pytest
from sqlalchemy import Engine, text

from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.versions import AttributionVersion, dated, settings_text
from rice_stream.events.mappings import TENANT, MappedName, Mappings
from rice_stream.events.records import RawRecord
from rice_stream.instants import DAY_US, epoch_us, rfc3339
from rice_stream.meter.requests import TokenDefaults
from rice_stream.pipeline.quarantine_replay import replay
from rice_stream.proof.verification import verify
from rice_stream.reports.explanation import explain
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.store.engine import writing
from rice_stream.store.identity_rules import IdentityRules
from rice_stream.store.quarantine import Choice
from rice_stream.store.retention import drop_records_before
from rice_stream.store.scope import EVERYTHING
from tests.support.fakes import NOON_US, OPERATOR, chunk_of, fake_reference, value_of
from tests.support.reports_store import at
from tests.support.store_checks import assert_exact, rows_in
from tests.support.store_running import counts, new_pipeline
from tests.support.store_running import store as store_at
from tests.support.untimed import HOUR_US, MIDNIGHT_US, Log, reply, version_before_0007

NOW_US = NOON_US + 3 * DAY_US
"""When everything arrives: after the times of all records."""
store = partial(store_at, received_at_us=NOW_US)
DAYS = pytest.mark.parametrize(
    ("first_us", "again_us"),
    [
        (NOON_US, NOON_US + 2_000),
        (NOON_US, NOON_US - 2_000),
        (MIDNIGHT_US - 1_000, MIDNIGHT_US),
        (MIDNIGHT_US, MIDNIGHT_US - 1_000),
        (NOON_US, NOON_US + DAY_US),
        (NOON_US, NOON_US - DAY_US),
        (MIDNIGHT_US, MIDNIGHT_US + DAY_US - 1_000),
    ],
)


class TestResends:
    """The same reply, produced twice."""

    @DAYS
    def test_a_resend_within_a_day_is_a_duplicate(self, engine: Engine, first_us: int, again_us: int) -> None:
        log = Log()
        first, again = log.add(reply(), first_us), log.add(reply(), again_us)
        assert counts(store(engine, log.chunk(first))) == (1, 0, 0, 0)
        assert counts(store(engine, log.chunk(again))) == (0, 1, 0, 0)
        [record] = rows_in(engine)("prompt_record")
        assert record["ended_at_us"] == first_us, "the first delivery stays"
        assert_exact(rows_in(engine))
        assert log.verify(engine)["differences"] == []

    @DAYS
    def test_also_within_one_batch(self, engine: Engine, first_us: int, again_us: int) -> None:
        log = Log()
        log.add(reply(), first_us)
        log.add(reply(), again_us)
        assert counts(store(engine, log.chunk())) == (1, 1, 0, 0)
        assert_exact(rows_in(engine))
        assert log.verify(engine)["differences"] == []

    def test_a_request_two_days_later_is_another_one(self, engine: Engine) -> None:
        """Also while the day between them has one that is known."""
        log = Log()
        for day in range(3):
            log.add(reply(), NOON_US + day * DAY_US)
        results = [counts(store(engine, log.chunk(record))) for record in log.records[0]]
        assert results == [(1, 0, 0, 0), (0, 1, 0, 0), (1, 0, 0, 0)]
        assert log.verify(engine)["differences"] == []

    def test_the_same_three_days_in_one_batch(self, engine: Engine) -> None:
        log = Log()
        for day in range(3):
            log.add(reply(), NOON_US + day * DAY_US)
        assert counts(store(engine, log.chunk())) == (2, 1, 0, 0)
        assert log.verify(engine)["differences"] == []

    def test_a_day_that_the_store_knows_does_not_pass_itself_on_within_a_batch(self, engine: Engine) -> None:
        """Known on the 21st; the 22nd repeats it, and the 23rd, two days later, is recorded and not lost."""
        log = Log()
        records = [log.add(reply(), NOON_US + day * DAY_US) for day in (-1, 0, 1)]
        store(engine, log.chunk(records[0]))
        assert counts(store(engine, log.chunk(*records[1:]))) == (1, 1, 0, 0)
        assert log.verify(engine)["differences"] == []

    def test_ids_of_other_tenants_and_sources_are_other_requests(self, engine: Engine) -> None:
        log = Log()
        for changes in ({}, {"tenant": "globex"}, {"source": "gateway"}):
            log.add(reply(**changes), MIDNIGHT_US - 1_000)  # type: ignore[arg-type]
            log.add(reply(**changes), MIDNIGHT_US)  # type: ignore[arg-type]
        result = store(engine, log.chunk())
        assert result.recorded == len({row["event_key"] for row in rows_in(engine)("prompt_record")})
        assert {row["tenant_id"] for row in rows_in(engine)("tenant")} == {"acme", "globex"}
        assert log.verify(engine)["differences"] == []

    def test_several_lines_of_one_record_with_one_id_are_one_request(self, engine: Engine) -> None:
        log = Log()
        log.add(b"\n".join([reply(), reply(), reply("msg_2")]), MIDNIGHT_US - 1)
        log.add(b"\n".join([reply("msg_2"), reply()]), MIDNIGHT_US)
        assert counts(store(engine, log.chunk())) == (2, 3, 0, 0)
        assert log.verify(engine)["differences"] == []

    def test_items_without_an_id_are_known_by_their_place_and_its_time(self, engine: Engine) -> None:
        """A topic that is made again on the same day counts its offsets from 0: its requests are others."""
        first = RawRecord("replies", 0, 0, reply(None), (), NOON_US)
        again = first._replace(timestamp_us=NOON_US + 1_000)
        assert counts(store(engine, Log().chunk(first))) == (1, 0, 0, 0)
        assert counts(store(engine, Log().chunk(first))) == (0, 1, 0, 0)
        assert counts(store(engine, Log().chunk(again))) == (1, 0, 0, 0)

    @pytest.mark.parametrize("time_us", [None, 0, -1_000, 2**62])
    def test_a_record_without_a_usable_timestamp_is_refused(self, engine: Engine, time_us: int | None) -> None:
        log = Log()
        log.add(reply(), time_us)
        assert counts(store(engine, log.chunk())) == (0, 0, 0, 1)

    def test_who_is_charged_may_change_between_two_deliveries_of_a_day(self, engine: Engine) -> None:
        """Settings and a tenant's mapping hold for such items from the first midnight after their instant."""
        changed = FormatOptions(attributes={"tenant_id": ("team",)})
        versions = [AttributionVersion(0, settings_text(FormatOptions()))]
        versions.append(AttributionVersion(NOON_US, settings_text(changed)))
        mappings = Mappings([MappedName(TENANT, "globex", "initech", NOON_US)])
        rules = IdentityRules(dated(FormatOptions(), versions), mappings)
        log = Log()
        for time_us in (NOON_US - 1, NOON_US, NOON_US + 12 * HOUR_US - 1):
            log.add(reply("a", team="search"), time_us)
            log.add(reply("b", tenant="globex"), time_us)
        pipeline = new_pipeline(engine, rules=lambda *_, **__: rules)
        assert counts(pipeline.process([log.chunk()], NOW_US)) == (2, 4, 0, 0)
        log.add(reply("c", team="search"), NOON_US + 12 * HOUR_US)
        log.add(reply("d", tenant="globex"), NOON_US + 12 * HOUR_US)
        assert counts(pipeline.process([log.chunk(*log.records[0][6:])], NOW_US)) == (2, 0, 0, 0)
        keys = {row["event_id"]: row["tenant_key"] for row in rows_in(engine)("prompt_record")}
        names = {row["tenant_key"]: row["tenant_id"] for row in rows_in(engine)("tenant")}
        tenants = {event_id: names[key] for event_id, key in keys.items()}
        assert tenants == {"a": "acme", "b": "globex", "c": "search", "d": "initech"}

    def test_factors_that_change_at_midnight_make_no_conflict(self, engine: Engine) -> None:
        log = Log()
        first, again = log.add(reply(), MIDNIGHT_US - 1), log.add(reply(), MIDNIGHT_US)
        pipeline = new_pipeline(engine, reference=fake_reference([MIDNIGHT_US]))
        assert counts(pipeline.process([log.chunk(first)], NOON_US)) == (1, 0, 0, 0)
        assert counts(pipeline.process([log.chunk(again)], NOON_US)) == (0, 1, 0, 0)


class TestContradictions:
    """The same id with other tokens, produced again within a day."""

    @DAYS
    def test_the_first_stays_and_the_other_is_one_conflict(self, engine: Engine, first_us: int, again_us: int) -> None:
        log = Log()
        first, other = log.add(reply(), first_us), log.add(reply(output_tokens=7), again_us)
        repeated = log.add(reply(output_tokens=7), again_us + 5)
        store(engine, log.chunk(first))
        assert counts(store(engine, log.chunk(other))) == (0, 0, 1, 0)
        assert counts(store(engine, log.chunk(repeated))) == (0, 0, 1, 0)
        assert [row["output_tokens"] for row in rows_in(engine)("prompt_record")] == [5]
        assert len(rows_in(engine)("conflict")) == 1, "what differs is kept once, whenever it came"
        assert log.verify(engine)["differences"] == []

    @DAYS
    def test_also_within_one_batch(self, engine: Engine, first_us: int, again_us: int) -> None:
        log = Log()
        log.add(reply(), first_us)
        log.add(reply(output_tokens=7), again_us)
        assert counts(store(engine, log.chunk())) == (1, 0, 1, 0)
        assert len(rows_in(engine)("conflict")) == 1
        assert log.verify(engine)["differences"] == []

    def test_a_batch_of_both_that_comes_again_has_one_conflict_still(self, engine: Engine) -> None:
        log = Log()
        for time_us in (MIDNIGHT_US - 1, MIDNIGHT_US, MIDNIGHT_US + 1):
            log.add(reply(), time_us)
            log.add(reply(output_tokens=7), time_us)
        store(engine, log.chunk())
        assert store(engine, log.chunk()).recorded == 0
        assert len(rows_in(engine)("prompt_record")) == len(rows_in(engine)("conflict")) == 1
        assert log.verify(engine)["differences"] == []

    def test_an_event_with_a_time_of_its_own_still_contradicts_by_its_time(self, engine: Engine) -> None:
        """A tenth of a millisecond later is the same key, and not the same event."""
        result = store(engine, chunk_of([at("2026-11-22T12:00:00.000100Z", event_id="a")]))
        assert counts(result) == (1, 0, 0, 0)
        result = store(engine, chunk_of([at("2026-11-22T12:00:00.000200Z", event_id="a")], offset=1))
        assert counts(result) == (0, 0, 1, 0)


class TestOlderVersions:
    """Records that a version before 0007 made are known under the keys that it gave them."""

    def test_a_topic_that_is_read_again_after_the_upgrade_counts_nothing_twice(self, engine: Engine) -> None:
        log = Log()
        for k in range(20):
            log.add(reply(f"msg_{k % 7}", output_tokens=k % 3), MIDNIGHT_US - 10_000 + k * 1_000)
        with version_before_0007():
            result = store(engine, log.chunk())
        assert result.recorded == 20, "that version counted each resend"
        again = store(engine, log.chunk())
        assert counts(again) == (0, 20, 0, 0)
        for record in log.records[0]:
            assert counts(store(engine, log.chunk(record))) == (0, 1, 0, 0)
        assert log.verify(engine)["differences"] == []
        assert_exact(rows_in(engine))

    @pytest.mark.parametrize("together", [True, False])
    @pytest.mark.parametrize("new_first", [True, False])
    def test_a_resend_after_the_upgrade_agrees_with_the_topic(
        self, engine: Engine, *, together: bool, new_first: bool
    ) -> None:
        """Whether it is recognised depends on what comes in one batch; that each record is of the log does not."""
        log = Log(partitions=2)
        old = log.chunk(log.add(reply(), MIDNIGHT_US - 5_000))
        with version_before_0007():
            store(engine, old)
        new = log.chunk(log.add(reply(), MIDNIGHT_US - 3_000, partition=1))
        chunks = [new, old] if new_first else [old, new]
        for part in [chunks] if together else [chunks[:1], chunks[1:]]:
            store(engine, *part)
        assert len(rows_in(engine)("prompt_record")) <= 2
        assert log.verify(engine)["differences"] == []
        assert_exact(rows_in(engine))

    def test_what_contradicts_an_old_record_agrees_with_the_topic_beside_a_new_one(self, engine: Engine) -> None:
        """Compared with the old record, in one batch with its event; the new one has the key that it would have itself."""
        log = Log()
        old = log.add(reply(), NOON_US)
        with version_before_0007():
            store(engine, log.chunk(old))
        other, new = log.add(reply(output_tokens=7), NOON_US + 3_000), log.add(reply(), NOON_US + 9_000)
        assert counts(store(engine, log.chunk(old, other))) == (0, 1, 1, 0)
        assert counts(store(engine, log.chunk(new))) == (1, 0, 0, 0)
        assert log.verify(engine)["differences"] == []


class TestTwoWorkers:
    """Workers that write both sides of midnight at once."""

    def test_of_two_that_meet_one_request_at_once_one_records_it(self, engine: Engine) -> None:
        log = Log()
        batches = []
        for number in range(40):
            for time_us in (MIDNIGHT_US - 1_000, MIDNIGHT_US):
                record = log.add(reply(f"msg_{number}"), time_us)
                pipeline = new_pipeline(engine)
                batches.append((pipeline, pipeline.prepare([log.chunk(record)], NOON_US)))
        with ThreadPoolExecutor(4) as threads:
            results = list(threads.map(lambda each: each[0].commit(each[1]), batches))
        assert sum(result.recorded for result in results) == len(rows_in(engine)("prompt_record")) == 40
        assert log.verify(engine)["differences"] == []


class TestTheRest:
    """Whatever else reads the time in a key."""

    def test_verify_from_the_middle_of_a_day_on_and_reports_of_a_part_of_it(self, engine: Engine) -> None:
        log = Log()
        for hour in range(24):
            log.add(reply(f"msg_{hour}"), MIDNIGHT_US + hour * HOUR_US)
        store(engine, log.chunk(), chunk_of([at("2026-11-22T00:00:00Z", event_id="timed")], offset=30))
        assert verify(engine)["differences"] == []
        horizon = datetime(2026, 11, 22, 13, tzinfo=UTC)
        answer = verify(engine, horizon=horizon)
        assert (answer["differences"], answer["records"]) == ([], 11)
        query = TotalsQuery(by=("user",), start=horizon, end=datetime(2026, 11, 22, 15, tzinfo=UTC))
        assert sum(row["prompts"] for row in totals(engine, EVERYTHING, query, now=horizon)["rows"]) == 2

    def test_explain_finds_it_and_tells_it_from_one_with_a_time(self, engine: Engine) -> None:
        log = Log()
        log.add(reply(), NOON_US)
        timed = at("2026-11-22T00:00:00.5Z", event_id="msg_1", source=None)
        store(engine, log.chunk(), chunk_of([timed], offset=1))
        for ended_at in (datetime(2026, 11, 22, 12, tzinfo=UTC), datetime(2026, 11, 22, 0, 0, 0, 500_000, tzinfo=UTC)):
            answer = explain(engine, EVERYTHING, "msg_1", defaults=TokenDefaults(100, 10), ended_at=ended_at)
            assert answer["record"]["ended_at"] == rfc3339(epoch_us(ended_at))

    def test_retention_refuses_a_resend_whose_first_delivery_may_have_been_dropped(self, engine: Engine) -> None:
        """The one of the 31st is gone with its month; the resend of the 1st would count it again."""
        log = Log()
        month_us = round(datetime(2026, 9, 1, tzinfo=UTC).timestamp()) * 1_000_000
        records = [
            log.add(reply(), month_us - 1),
            log.add(reply(), month_us),
            log.add(reply("later"), month_us + DAY_US),
        ]
        for record in records:
            store(engine, log.chunk(record))
        drop_records_before(engine, datetime(2026, 9, 30, tzinfo=UTC))
        again = store(engine, log.chunk())
        assert (counts(again), again.older_than_retention) == ((0, 1, 0, 0), 2)
        assert log.verify(engine)["differences"] == []
        assert log.verify(engine)["against_topic"]["older_than_retention"] == 2

    def test_what_is_replayed_out_of_quarantine_is_known_by_its_day_too(self, engine: Engine) -> None:
        """Refused for its tokens; sent again with good ones at another time; then replayed with the same ones."""
        log = Log()
        bad = reply(request_model="x" * 2_000)
        log.add(bad, NOON_US)
        log.add(reply(request_model="x"), NOON_US + HOUR_US)
        assert counts(store(engine, log.chunk())) == (1, 0, 0, 1)
        answer = replay(
            engine,
            new_pipeline(engine),
            Choice(),
            patches={"request_model": "x"},
            fetch=lambda *_: None,
            now_us=NOON_US,
            by=OPERATOR,
        )
        assert (answer["replayed"], answer["recorded"], answer["duplicates"]) == (1, 0, 1)

    def test_a_changed_time_of_a_record_is_noticed_by_the_topic(self, engine: Engine) -> None:
        log = Log()
        log.add(reply(), NOON_US)
        log.add(reply(), NOON_US + 1_000)
        store(engine, log.chunk())
        with writing(engine) as connection:
            connection.execute(text("UPDATE prompt_record SET ended_at_us = ended_at_us + 7"))
        [difference] = log.verify(engine)["differences"]
        assert (difference["problem"], difference["measure"]) == ("differs", "ended_at_us")

    def test_a_canonical_event_is_never_without_a_time(self, engine: Engine) -> None:
        record = RawRecord("replies", 0, 0, value_of({"tenant_id": "a", "event_id": "b"}), (), NOON_US)
        assert counts(store(engine, Log().chunk(record))) == (0, 0, 0, 1)
