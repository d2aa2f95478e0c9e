"""Each event is counted once: delivered in any order and any number of times, while who is charged and what tenants are
called changes, by workers that do not always know of it.

A state machine against the real pipeline and writer on SQLite. Its truth is the database's own list: each event that was
delivered is recorded once, under the tenant that the list gives it by when it ended.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from itertools import count
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, initialize, invariant, multiple, rule

from rice_stream.errors import UsageError
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.versions import AttributionVersion, settings_text
from rice_stream.events.mappings import TENANT, MappedName, Mappings
from rice_stream.events.records import RawRecord
from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.store.attribution_store import load_versions, propose_version
from rice_stream.store.batch import Batch
from rice_stream.store.engine import open_engine, reading, writing
from rice_stream.store.identity_rules import RulesChangedError, StoredRules
from rice_stream.store.mapping_store import LEAD_US, load_mappings, save_mapping
from rice_stream.store.migrate import migrate
from rice_stream.store.sqlite import SqliteWriter
from tests.support.fakes import NOON_US, fake_pipeline
from tests.support.store_checks import rows_in

Call = dict[str, Any]
SECOND_US = 1_000_000
CHARGED_BY: dict[str, Callable[[Call], str]] = {
    settings_text(FormatOptions()): lambda call: call["metadata"]["user_api_key_team_id"],
    settings_text(FormatOptions(attributes={"tenant_id": ("metadata.alias",)})): lambda call: call["metadata"]["alias"],
    settings_text(FormatOptions(attributes={"tenant_id": ("model",)})): lambda call: call["model"],
}
"""Settings, and whom they charge for a call."""
TEXTS = list(CHARGED_BY)
NAMES = st.sampled_from(["team-1", "team-2", "alias-1", "alias-2", "small", "big"])
AGO_US = st.sampled_from(
    [3600 * SECOND_US, LEAD_US, 1, 0, -1, 1 - LEAD_US, -LEAD_US, -30 * SECOND_US, -3600 * SECOND_US]
)
"""How long ago a call ended, by clocks that may be ahead."""


@cache
def empty_ledger() -> bytes:
    """A database after its migrations, made once."""
    engine = open_engine("sqlite://")
    migrate(engine)
    driver: Any = engine.raw_connection().driver_connection
    made: bytes = driver.serialize()
    engine.dispose()
    return made


def charged(call: Call, versions: tuple[AttributionVersion, ...], mappings: Mappings) -> str:
    """The tenant of a call, by the last settings that had begun when it ended, and what that tenant was then called."""
    ended_us = int(call["endTime"])
    begun = sorted((v for v in versions if v.valid_from_us <= ended_us), key=lambda version: version.valid_from_us)
    tenant = CHARGED_BY[begun[-1].settings](call)
    return mappings.target(TENANT, tenant, ended_us) or tenant


class Deliveries(RuleBasedStateMachine):
    """Workers with knowledge of their own deliver calls to one ledger while its rules change."""

    calls: Bundle[Call] = Bundle("calls")
    batches: Bundle[tuple[Pipeline, Batch, list[Call]]] = Bundle("batches")

    def __init__(self) -> None:
        super().__init__()
        self.engine = open_engine("sqlite://")
        driver: Any = self.engine.raw_connection().driver_connection
        driver.deserialize(empty_ledger())
        self.now_us = NOON_US
        self.numbers = count()
        self.delivered: dict[str, Call] = {}
        propose_version(self.engine, TEXTS[0], now_us=self.now_us)
        self.workers = [self.start() for _ in range(3)]

    def teardown(self) -> None:
        """Close the ledger."""
        self.engine.dispose()

    def start(self) -> Pipeline:
        """A worker that knows the rules of now, and looks again when five seconds have gone by."""
        rules = StoredRules(self.engine, FormatOptions())
        rules(self.now_us)
        return fake_pipeline(SqliteWriter(self.engine), self.engine, rules=rules)

    @rule(seconds=st.sampled_from([1, 4, 6, 11, 60]))
    def wait(self, seconds: int) -> None:
        """Time goes by."""
        self.now_us += seconds * SECOND_US

    def new_call(self, ago_us: int, team: int, alias: int) -> Call:
        """A call that nobody has delivered yet."""
        return {
            "litellm_call_id": f"call-{next(self.numbers)}",
            "call_type": "acompletion",
            "model": "small",
            "endTime": str(self.now_us - ago_us),
            "prompt_tokens": 5,
            "completion_tokens": 7,
            "metadata": {"user_api_key_team_id": f"team-{team}", "alias": f"alias-{alias}"},
        }

    def batch_of(self, pipeline: Pipeline, chosen: list[Call]) -> Batch:
        """The calls as a worker prepares them now."""
        records = [RawRecord("calls", 0, offset, json.dumps(call).encode()) for offset, call in enumerate(chosen)]
        return pipeline.prepare([Chunk("calls", 0, records)], self.now_us)

    @initialize(target=calls)
    def end_some(self) -> MultipleResults[Call]:
        """So that there is something to deliver from the start: long over, just over, and to come."""
        return multiple(*(self.new_call(ago_us, 1, 1) for ago_us in (3600 * SECOND_US, 0, -30 * SECOND_US)))

    @rule(target=calls, ago_us=AGO_US, team=st.integers(1, 2), alias=st.integers(1, 2))
    def end_call(self, ago_us: int, team: int, alias: int) -> Call:
        """One more."""
        return self.new_call(ago_us, team, alias)

    @rule(text=st.sampled_from(TEXTS))
    def change_settings(self, text: str) -> None:
        """A process starts with other settings, or with those that hold already."""
        propose_version(self.engine, text, now_us=self.now_us)

    @rule(name=NAMES, other=NAMES, ago_s=st.sampled_from([None, 0, 3600, -60]))
    def map_tenant(self, name: str, other: str, ago_s: int | None) -> None:
        """From soon on, or from an instant that somebody names; refused where records would belong to another tenant."""
        start_us = self.now_us + (LEAD_US if ago_s is None else -ago_s * SECOND_US)
        with suppress(UsageError), writing(self.engine) as connection:
            save_mapping(connection, MappedName(TENANT, name, other, start_us), self.now_us)

    @rule(target=batches, worker=st.integers(0, 2), chosen=st.lists(calls, min_size=1, max_size=4))
    def prepare(self, worker: int, chosen: list[Call]) -> tuple[Pipeline, Batch, list[Call]]:
        """A worker makes a batch that it stores later, more than once, or never."""
        pipeline = self.workers[worker]
        return pipeline, self.batch_of(pipeline, chosen), chosen

    @rule(work=batches)
    def commit(self, work: tuple[Pipeline, Batch, list[Call]]) -> None:
        """The batch is stored; or its worker ends, and another one reads the same records."""
        pipeline, batch, chosen = work
        try:
            pipeline.commit(batch)
        except RulesChangedError:
            self.workers[0] = self.start()
            self.workers[0].commit(self.batch_of(self.workers[0], chosen))
        self.delivered |= {call["litellm_call_id"]: call for call in chosen}

    @invariant()
    def each_is_counted_once(self) -> None:
        """Under the tenant that the list gives it, whoever recorded it and when."""
        with reading(self.engine) as connection:
            versions, mappings = load_versions(connection), load_mappings(connection)
        tenants = {row["tenant_key"]: row["tenant_id"] for row in rows_in(self.engine)("tenant")}
        found = [(row["event_id"], tenants[row["tenant_key"]]) for row in rows_in(self.engine)("prompt_record")]
        assert sorted(found) == sorted(
            (name, charged(call, versions, mappings)) for name, call in self.delivered.items()
        )


TestEachEventIsCountedOnce = Deliveries.TestCase
TestEachEventIsCountedOnce.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_settings_that_are_changed_and_changed_back_before_they_begin_are_noticed() -> None:
    """All three begin right after the latest event that is recorded: what a batch was prepared by no longer stands."""
    default, _, by_model = TEXTS
    ledger = Deliveries()
    latest, other = ledger.new_call(-30 * SECOND_US, 1, 1), ledger.new_call(-31 * SECOND_US, 2, 1)
    worker = ledger.workers[0]
    ledger.commit((worker, ledger.batch_of(worker, [latest]), [latest]))
    ledger.change_settings(by_model)
    ledger.change_settings(default)
    ledger.wait(11)
    work = worker, ledger.batch_of(worker, [other]), [other]
    ledger.change_settings(by_model)
    ledger.commit(work)
    ledger.each_is_counted_once()
    ledger.teardown()
