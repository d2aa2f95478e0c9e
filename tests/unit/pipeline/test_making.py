"""A batch that is made of chunks part by part is the batch of all of them at once."""

from rice_stream.instants import DAY_US, datetime_of
from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.pipeline import Prepared
from rice_stream.pipeline.tenant_amounts import TenantAmount, TenantAmounts, both
from tests.support.databases import SqliteDatabases
from tests.support.fakes import CARBON_UGCO2E_PER_TOKEN, FACILITY_UWH_PER_TOKEN, NOON_US, chunk_of, event
from tests.support.reports_store import open_store
from tests.unit.pipeline.test_numbered_names import assert_same


def chunks() -> list[Chunk]:
    """New names in each, a repeat and a contradiction of the first chunk in the second, and something that is refused."""
    moment = f"{datetime_of(NOON_US - DAY_US):%Y-%m-%dT%H:%M:%SZ}"
    others = [event(event_id=f"e-{number}", tenant_id=f"t-{number % 3}", ended_at=moment) for number in range(20)]
    return [
        chunk_of([event(), event(event_id="e-2", tenant_id="globex"), event(event_id="", tenant_id="globex")]),
        chunk_of([event(), event(event_id="e-2", tenant_id="globex", output_tokens=6), *others], offset=3),
        chunk_of([event(event_id="e-3", model="other", input_tokens=-1), event(event_id="e-4")], offset=25),
    ]


def told(prepared: Prepared) -> list[object]:
    """What is said of a batch besides its records."""
    batch = prepared.batch
    return [
        batch.progress,
        batch.partition_of.tolist(),
        batch.repeats.count.tolist(),
        list(batch.repeats.others.event_ids),
        [item.reason for item in batch.refused],
        batch.ignored,
        prepared.taken,
        prepared.left,
    ]


def test_part_by_part_is_the_same_as_at_once_and_what_was_foretold_is_no_less_than_it_adds(
    sqlite: SqliteDatabases,
) -> None:
    with open_store(sqlite.migrated()) as store:
        pipeline = store.pipeline
        at_once = pipeline.prepare_some(chunks(), NOON_US, items_max=1_000)
        making = pipeline.begin(NOON_US)
        foretold: TenantAmounts = {}
        for chunk in chunks():
            assert pipeline.goes_on(making, NOON_US)
            added = pipeline.added_to_tenants(pipeline.add(making, [chunk], NOON_US, items_max=1_000))
            assert added is not None
            foretold = both(foretold, added)
        in_parts = pipeline.made(making, NOON_US)
        assert_same(in_parts.batch, at_once.batch)
        assert told(in_parts) == told(at_once)
        adds = pipeline.adds_to_tenants(in_parts.batch.records)
    assert adds is not None
    one = TenantAmount(20 * CARBON_UGCO2E_PER_TOKEN, 20 * FACILITY_UWH_PER_TOKEN)
    assert adds["globex"] == one
    assert foretold["globex"] == TenantAmount(42 * CARBON_UGCO2E_PER_TOKEN, 42 * FACILITY_UWH_PER_TOKEN)
    assert all(foretold[tenant] >= amount for tenant, amount in adds.items())


def test_names_that_are_looked_up_once_it_is_made_are_the_same(sqlite: SqliteDatabases) -> None:
    """Those that nobody has met before too, asked for once for all parts."""
    with open_store(sqlite.migrated()) as store:
        pipeline = store.pipeline
        pipeline.process(chunks()[:1], NOON_US)
        making = pipeline.begin(NOON_US)
        for chunk in chunks():
            making = making.copy()
            assert pipeline.add(making, [chunk], NOON_US, items_max=1_000, looks_up=False) == []
        items = making.items
        in_parts = pipeline.made(making, NOON_US)
        assert_same(in_parts.batch, pipeline.made(making, NOON_US).batch)
        at_once = pipeline.prepare_some(chunks(), NOON_US, items_max=1_000)
        assert_same(in_parts.batch, at_once.batch)
        assert told(in_parts) == told(at_once)
    assert items == 27, "events, repeats and refused items"


def test_where_the_batch_is_full_the_rest_is_left(sqlite: SqliteDatabases) -> None:
    first, second, third = chunks()
    with open_store(sqlite.migrated()) as store:
        making = store.pipeline.begin(NOON_US)
        store.pipeline.add(making, [first], NOON_US, items_max=10)
        store.pipeline.add(making, [second, third], NOON_US, items_max=10)
        prepared = store.pipeline.made(making, NOON_US)
    assert prepared.batch.items == 10
    assert [len(chunk.records) for chunk in prepared.left] == [15, 2]
