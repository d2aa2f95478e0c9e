"""Attribution versions in the database: who may add one, from when on it holds, and that no batch is stored by an old one."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Engine, text

from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.versions import AttributionVersion, settings_text
from rice_stream.events.mappings import MappedName
from rice_stream.events.records import RawRecord
from rice_stream.instants import epoch_us, rfc3339
from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.proof.verification import verify
from rice_stream.store.attribution_store import load_versions, propose_version
from rice_stream.store.engine import open_engine, reading, writing
from rice_stream.store.identity_rules import RulesChangedError, StoredRules
from rice_stream.store.mapping_store import LEAD_US, REFRESH_US, save_mapping
from rice_stream.store.writers import open_writer
from tests.support.fakes import event, fake_pipeline
from tests.support.store_checks import assert_exact, rows_in
from tests.support.store_running import counts

PLAIN = settings_text(FormatOptions())
BY_ALIAS = settings_text(FormatOptions(attributes={"tenant_id": ("metadata.alias",)}))
BY_MODEL = settings_text(FormatOptions(attributes={"tenant_id": ("model",)}))
SECOND_US = 1_000_000


def now_us() -> int:
    """This machine's clock; every database of the tests has the same."""
    return epoch_us(datetime.now(UTC))


def versions(engine: Engine) -> tuple[AttributionVersion, ...]:
    """All that are stored."""
    with reading(engine) as connection:
        return load_versions(connection)


def pipeline_of(engine: Engine) -> Pipeline:
    """A worker that begins now."""
    return fake_pipeline(open_writer(engine), engine, rules=StoredRules(engine, FormatOptions()))


def litellm(call_id: str, ended_us: int) -> dict[str, Any]:
    """A call of a team, by a key with an alias."""
    return {
        "litellm_call_id": call_id,
        "call_type": "acompletion",
        "model": "small",
        "endTime": ended_us / SECOND_US,
        "prompt_tokens": 5,
        "completion_tokens": 7,
        "metadata": {"user_api_key_team_id": "team-a", "alias": "alias-1"},
    }


def chunk(*payloads: dict[str, Any]) -> Chunk:
    """One chunk of the topic."""
    values = [json.dumps(payload).encode() for payload in payloads]
    return Chunk("events", 0, [RawRecord("events", 0, offset, value) for offset, value in enumerate(values)])


def canonical(name: str, ended_us: int) -> dict[str, Any]:
    """A canonical event of acme."""
    return event(event_id=name, tenant_id="acme", ended_at=rfc3339(ended_us), started_at=None)


def tenants(engine: Engine) -> dict[str, str]:
    """Event id -> tenant of every record, each of which must be there once."""
    names = {row["tenant_key"]: row["tenant_id"] for row in rows_in(engine)("tenant")}
    rows = rows_in(engine)("prompt_record")
    found = {row["event_id"]: names[row["tenant_key"]] for row in rows}
    assert len(found) == len(rows)
    return found


class TestAttributionVersions:
    """On every database."""

    def test_the_first_holds_from_the_beginning_and_a_change_from_a_few_seconds_on(self, engine: Engine) -> None:
        """By the database's clock; the same settings again are no version, going back to older ones is."""
        assert propose_version(engine, PLAIN) == AttributionVersion(0, PLAIN)
        assert propose_version(engine, PLAIN) is None
        before_us = now_us()
        changed = propose_version(engine, BY_ALIAS)
        assert changed is not None
        # SQLite's clock may be read to the second.
        assert before_us + LEAD_US - SECOND_US <= changed.valid_from_us <= now_us() + LEAD_US
        assert propose_version(engine, BY_ALIAS) is None
        back = propose_version(engine, PLAIN)
        assert back is not None
        assert back.valid_from_us >= changed.valid_from_us
        assert versions(engine) == (AttributionVersion(0, PLAIN), changed, back)

    def test_who_may_not_change_anything_gives_the_first_and_no_more(self, engine: Engine) -> None:
        assert propose_version(engine, BY_ALIAS, may_change=False) == AttributionVersion(0, BY_ALIAS)
        assert propose_version(engine, PLAIN, may_change=False) is None
        assert [version.settings for version in versions(engine)] == [BY_ALIAS]

    def test_of_processes_that_start_at_once_one_decides_after_the_other(self, engine: Engine) -> None:
        """Eight with the same settings make one version, the first of an empty database included."""
        for settings in (PLAIN, BY_ALIAS):
            with ThreadPoolExecutor(4) as threads:
                made = list(threads.map(lambda _, s=settings: propose_version(engine, s), range(8)))
            assert sum(version is not None for version in made) == 1
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda k: propose_version(engine, (PLAIN, BY_MODEL)[k % 2]), range(8)))
        found = versions(engine)
        assert [found[0].valid_from_us, found[0].settings, found[1].settings] == [0, PLAIN, BY_ALIAS]
        assert all(a.settings != b.settings for a, b in pairwise(found))
        assert list(found) == sorted(found, key=lambda version: version.valid_from_us)

    def test_a_change_holds_after_everything_that_is_recorded(self, engine: Engine) -> None:
        """An event of a clock that is ahead keeps its tenant when it comes again."""
        propose_version(engine, PLAIN)
        ahead = litellm("ahead", now_us() + 3600 * SECOND_US)
        assert counts(pipeline_of(engine).process([chunk(ahead)], now_us()))[0] == 1
        changed = propose_version(engine, BY_ALIAS)
        assert changed is not None
        assert changed.valid_from_us > ahead["endTime"] * SECOND_US
        later = litellm("later", changed.valid_from_us)
        assert counts(pipeline_of(engine).process([chunk(ahead, later)], now_us())) == (1, 1, 0, 0)
        assert tenants(engine) == {"ahead": "team-a", "later": "alias-1"}

    def test_history_read_again_after_a_change_is_known(self, engine: Engine) -> None:
        """Under the new settings and under those before; only what ends from then on is charged anew."""
        propose_version(engine, PLAIN)
        history = [litellm(f"h{k}", now_us() - k * 3600 * SECOND_US) for k in range(5)]
        pipeline_of(engine).process([chunk(*history)], now_us())
        before = rows_in(engine)("tenant_day_total")
        changed = propose_version(engine, BY_ALIAS)
        assert changed is not None
        assert counts(pipeline_of(engine).process([chunk(*history)], now_us())) == (0, 5, 0, 0)
        assert rows_in(engine)("tenant_day_total") == before
        pipeline_of(engine).process([chunk(litellm("new", changed.valid_from_us))], now_us())
        assert tenants(engine)["new"] == "alias-1"
        propose_version(engine, PLAIN)
        again = chunk(*history, litellm("new", changed.valid_from_us))
        assert counts(pipeline_of(engine).process([again], now_us())) == (0, 6, 0, 0)
        assert verify(engine)["ok"]

    def test_a_running_worker_takes_a_change_up(self, engine: Engine) -> None:
        """Within the seconds that a change is made known ahead."""
        propose_version(engine, PLAIN)
        pipeline, started_us = pipeline_of(engine), now_us()
        pipeline.process([chunk(litellm("a", started_us))], started_us)
        changed = propose_version(engine, BY_ALIAS)
        assert changed is not None
        pipeline.process([chunk(litellm("b", changed.valid_from_us))], started_us + REFRESH_US)
        assert tenants(engine) == {"a": "team-a", "b": "alias-1"}

    def test_a_batch_that_was_prepared_by_older_settings_is_not_stored_for_what_they_changed(
        self, engine: Engine
    ) -> None:
        """A worker that hung, or events from the future; prepared again it is right. What ended before is not touched."""
        propose_version(engine, PLAIN)
        stale = pipeline_of(engine)
        early = stale.prepare([chunk(litellm("early", now_us()))], now_us())
        future_us = now_us() + 2 * LEAD_US
        future = stale.prepare([chunk(litellm("future", future_us))], now_us())
        changed = propose_version(engine, BY_ALIAS)
        assert changed is not None
        assert changed.valid_from_us <= future_us
        with pytest.raises(RulesChangedError, match="start again"):
            stale.commit(future)
        assert stale.commit(early).recorded == 1
        assert pipeline_of(engine).process([chunk(litellm("future", future_us))], now_us()).recorded == 1
        assert tenants(engine) == {"early": "team-a", "future": "alias-1"}
        assert_exact(rows_in(engine))

    @pytest.mark.parametrize(("ahead_us", "goes_on"), [(0, True), (2 * LEAD_US, False)], ids=["past", "future"])
    def test_the_rest_of_a_cut_record_is_stored_only_as_it_was_read(
        self, engine: Engine, ahead_us: int, goes_on: bool
    ) -> None:
        """What is decoded and waits for the next batch was read by older settings: used where they hold for it."""
        propose_version(engine, PLAIN)
        worker = pipeline_of(engine)
        calls = [litellm(f"c{k}", now_us() + ahead_us) for k in range(3)]
        record = RawRecord("events", 0, 0, json.dumps(calls).encode())
        first = worker.prepare_some([Chunk("events", 0, [record])], now_us(), items_max=1)
        assert first.left
        changed = propose_version(engine, BY_ALIAS)
        assert changed is not None
        later_us = now_us() + REFRESH_US
        if not goes_on:
            with pytest.raises(RulesChangedError):
                worker.prepare_some(first.left, later_us, items_max=None)
            return
        worker.commit(first.batch)
        worker.commit(worker.prepare_some(first.left, later_us, items_max=None).batch)
        assert tenants(engine) == dict.fromkeys(("c0", "c1", "c2"), "team-a")

    def test_a_tenant_that_was_mapped_meanwhile_is_not_stored_under_its_old_name(self, engine: Engine) -> None:
        """Also from an instant in the past, which is allowed while nothing is recorded."""
        stale = pipeline_of(engine)
        ended_us = now_us() - 3600 * SECOND_US
        batch = stale.prepare([chunk(canonical("e", ended_us))], now_us())
        with writing(engine) as connection:
            save_mapping(connection, MappedName("model", "small", "big", ended_us), now_us())
            save_mapping(connection, MappedName("tenant", "acme", "globex", ended_us), now_us())
        with pytest.raises(RulesChangedError):
            stale.commit(batch)
        pipeline_of(engine).process([chunk(canonical("e", ended_us))], now_us())
        assert tenants(engine) == {"e": "globex"}

    def test_a_mapping_of_models_stops_no_batch(self, engine: Engine) -> None:
        """No key depends on it."""
        worker = pipeline_of(engine)
        batch = worker.prepare([chunk(canonical("e", now_us()))], now_us())
        with writing(engine) as connection:
            save_mapping(connection, MappedName("model", "small", "big", 0), now_us())
        assert worker.commit(batch).recorded == 1


def test_a_change_waits_for_the_batch_that_is_being_stored(postgresql: Any) -> None:
    """And holds after what that batch recorded, however far ahead; a reader that stays open does not matter."""
    engine = open_engine(postgresql.emptied())
    propose_version(engine, PLAIN)
    worker = pipeline_of(engine)
    ahead_us = now_us() + 1800 * SECOND_US
    batch = worker.prepare([chunk(litellm("ahead", ahead_us))], now_us())
    writer: Any = worker._writer
    save = writer._save_progress

    with ThreadPoolExecutor(1) as threads, engine.connect() as reader:
        reader.execute(text("SELECT COUNT(*) FROM attribution_version"))

        def save_while_somebody_proposes(*arguments: Any) -> None:
            proposed.append(threads.submit(propose_version, engine, BY_ALIAS))
            save(*arguments)

        proposed: list[Any] = []
        writer._save_progress = save_while_somebody_proposes
        assert worker.commit(batch).recorded == 1
        version = proposed[0].result(timeout=30)
    assert version.valid_from_us > ahead_us
    writer.close()
    engine.dispose()
