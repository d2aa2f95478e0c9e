"""From raw records to one committed transaction. Knows no Kafka and no SQL: the worker, `ingest` and the tests all come
through here.

`prepare` decodes, looks names up and estimates, in numpy, without touching the totals; `commit` is the transaction.
The two may run in different threads, so that the next batch is decoded while this one commits.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.columns import EventColumns, to_columns
from rice_stream.events.formats.dispatch import Outcome, read
from rice_stream.events.formats.reading.options import DEFAULT_OPTIONS
from rice_stream.events.keyed import KeyedEvents, concatenate, in_key_order, metered_column
from rice_stream.events.keys import event_keys
from rice_stream.events.records import Decoded, RawRecord, Refused
from rice_stream.events.refused_items import count_items
from rice_stream.events.together.names import encoded
from rice_stream.events.trust import OPERATOR_TRUST, TrustPolicy
from rice_stream.meter.amounts import amounts, cap_flags, impact_columns, market_column, measure_matrix
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.live_intensity import LiveLookup, no_live_feed
from rice_stream.meter.requests import TokenDefaults, requests_of
from rice_stream.pipeline.admission import EventAdmission
from rice_stream.pipeline.chunks import BatchParts, Chunk, check_opened, located, progress_of
from rice_stream.pipeline.contexts import ContextTable
from rice_stream.pipeline.event_flags import event_flags
from rice_stream.pipeline.joined_chunks import ChunkJoiner
from rice_stream.pipeline.making import BatchInMaking, EventsToKey, Part, keyed, perhaps_keyed
from rice_stream.pipeline.measured import with_metered_energy
from rice_stream.pipeline.names import NameTable
from rice_stream.pipeline.repeats import repeats_of
from rice_stream.pipeline.taken_factors import StatedFactors
from rice_stream.pipeline.tenant_amounts import TenantAmounts, amounts_by_tenant
from rice_stream.quantities import AMOUNT_COLUMNS, MARKET_COLUMN, Ints
from rice_stream.store.batch import Batch, CommitResult, PartitionProgress, Records
from rice_stream.store.dimensions import KeyGiver
from rice_stream.store.identity_rules import IdentityRules, RulesAt, RulesChangedError, default_rules
from rice_stream.store.record_columns import METERED_COLUMN, NUMBER_COLUMNS, TOKEN_COLUMNS
from rice_stream.store.writer import Writer

_FROM_NAMES = ("tenant_key", "attribution_key", "factor_key", "user_key", "api_key_key")
_TAKEN_OVER = (*NUMBER_COLUMNS, "inference", "failed", "untimed")
"""What an event's columns and its record have in common."""


class Prepared(NamedTuple):
    """A batch that has room for so much; `taken` and `left` are the parts of the chunks that are in it and are not."""

    batch: Batch
    taken: list[Chunk]
    left: list[Chunk]


class Pipeline:
    """Turns chunks of records into committed rows. `prepare` and `commit` each need one thread at a time."""

    def __init__(
        self,
        *,
        dimensions: KeyGiver,
        writer: Writer | None,
        estimator: Estimator,
        defaults: TokenDefaults,
        live: LiveLookup = no_live_feed,
        rules: RulesAt = default_rules,
        trust: TrustPolicy = OPERATOR_TRUST,
        now_us: Callable[[], int] | None = None,
        keep_tables: Callable[[], None] | None = None,
    ) -> None:
        """`writer` None: batches are prepared and not committed. `now_us` is the database's clock; None: a batch is received now.
        `keep_tables` is for `ContextTable`."""
        self._writer = writer
        self._method = estimator.method
        self._rules = rules
        self._rules_changed = False
        self.formats = DEFAULT_OPTIONS
        """How records were read last."""
        self._names = NameTable(dimensions)
        self._contexts = ContextTable(dimensions, estimator, live, keep_tables)
        self._stated = StatedFactors(trust)
        self._dimensions = dimensions
        self._admission = EventAdmission(dimensions.records_from_us, now_us)
        self._joiner = ChunkJoiner()
        self._defaults = defaults
        self._basis_seen: set[int] = set()

    def read(self, record: RawRecord, now_us: int) -> list[Outcome]:
        """What becomes of each item of one record, however many, read as `prepare` reads it."""
        return read(record, self._rules(now_us).formats)

    def records_from_us(self) -> int:
        """The retention horizon, in epoch microseconds; 0: there is none."""
        return self._dimensions.records_from_us()

    def process(self, chunks: Sequence[Chunk], received_at_us: int) -> CommitResult:
        """Prepare and commit at once."""
        return self.commit(self.prepare(chunks, received_at_us))

    def commit(self, batch: Batch) -> CommitResult:
        """The one transaction. StoreUnavailableError: nothing is stored, the same batch may be given again.

        RulesChangedError: nothing is stored, its chunks have to be prepared again.
        """
        if self._writer is None:
            raise AssertionError("this pipeline was made to prepare batches only")
        self._writer.ensure_partitions(batch.records.columns["ended_at_us"])
        try:
            return self._writer.commit(batch)
        except RulesChangedError:
            self._rules_changed = True
            raise

    def prepare(self, chunks: Sequence[Chunk], received_at_us: int) -> Batch:
        """Decode, look up and estimate. Every item of every record is a record, a repeat, refused, or only counted (ignored,
        older than retention)."""
        return self.prepare_some(chunks, received_at_us, items_max=None).batch

    def prepare_some(self, chunks: Sequence[Chunk], received_at_us: int, *, items_max: int | None) -> Prepared:
        """The same, up to `items_max` events and refused items: the rest is left for the next batch."""
        making = self.begin(received_at_us)
        self.add(making, chunks, received_at_us, items_max=items_max)
        return self.made(making, received_at_us)

    def begin(self, received_at_us: int) -> BatchInMaking:
        """A batch of nothing so far, by the rules of this moment."""
        self._names.trim(received_at_us)
        self._contexts.trim()
        rules = self._rules(received_at_us, anew=self._rules_changed)
        self._rules_changed = False
        self.formats = rules.formats
        self._contexts.use(rules.mappings, rules.factor_sets)
        return BatchInMaking(rules)

    def goes_on(self, making: BatchInMaking, received_at_us: int) -> bool:
        """Whether the rules are still those that the batch was begun by: then more can be added to it."""
        return not self._rules_changed and self._rules(received_at_us).reads_as(making.rules)

    def add(
        self,
        making: BatchInMaking,
        chunks: Sequence[Chunk],
        received_at_us: int,
        *,
        items_max: int | None,
        looks_up: bool = True,
    ) -> Sequence[KeyedEvents]:
        """Decode chunks and look their names up; returns what they bring. What is not added where the batch has `items_max` items
        is left. Not `looks_up`: names are looked up once it is made, and nothing is returned."""
        check_opened(chunks, making.rules.formats)
        parts: list[Part] = []
        room = None if items_max is None else items_max - making.items
        joined = self._joiner.joined(chunks, making.rules.formats, room)
        for whole in joined:
            columns, decoded, _ = self._admission.admit(whole.columns, whole.decoded, received_at_us)
            if len(columns) < len(whole.columns):
                break  # which chunk each event is of is known of all of them only
            joined.take(whole)
            named = self._named(making.rules, columns, decoded, whole.chunks[0][0])
            part = EventsToKey(named, making.count_joined(whole.chunks), received_at_us)
            parts.append(perhaps_keyed(part, self._keyed) if looks_up else part)
        self._joiner.ended(joined)
        given = BatchParts(joined.rest, making.rules.formats, None if room is None else room - joined.records)
        for chunk, block, tally in given:
            number = making.number(chunk.place)
            columns, decoded, older = self._admission.admit(block.columns, block.decoded, received_at_us)
            part = EventsToKey(self._named(making.rules, columns, decoded, chunk), number, received_at_us)
            parts.append(perhaps_keyed(part, self._keyed) if looks_up else part)
            making.refused += [located(item, chunk) for item in decoded.refused]
            making.ignored.update(decoded.ignored)
            making.counted[chunk.place].add(len(columns), count_items(decoded.refused), tally, older)
        found = keyed(parts, self._keyed, self._learn) if looks_up else []
        making.parts += found or parts
        making.taken += joined.taken + given.taken
        making.left = given.left
        return found

    def _named(self, rules: IdentityRules, events: EventColumns, decoded: Decoded, chunk: Chunk) -> EventColumns:
        """Events of a block with their names as they are charged."""
        events = rules.charging.charge(rules.mappings.rename_tenants(events))
        return self._stated.taken(events, decoded.records, chunk.said_on or chunk.topic)

    def added_to_tenants(self, parts: Sequence[KeyedEvents]) -> TenantAmounts | None:
        """What these events add to their tenants' totals, at most, as some may be known already; None: as `amounts_by_tenant`."""
        return self.adds_to_tenants(self._records(concatenate(parts))) if parts else {}

    def adds_to_tenants(self, records: Records) -> TenantAmounts | None:
        """The same of records of a batch. Any thread may ask."""
        return amounts_by_tenant(records, self._names.tenant_ids)

    def made(self, making: BatchInMaking, received_at_us: int) -> Prepared:
        """The batch, estimated and in the order of its keys."""
        progress = progress_of(making.taken, making.counted)
        parts = keyed(making.parts, self._keyed, self._learn)
        batch = self._batch(parts, making.refused, progress, received_at_us)
        batch = replace(batch, ignored=making.ignored, rules=making.rules.known)
        return Prepared(batch, making.taken, making.left)

    def forget(self) -> None:
        """After a failure of `prepare` that nothing foresaw: names and kinds at hand may be half learnt, so ask again."""
        self._names = NameTable(self._dimensions)
        self._contexts.forget()
        self._basis_seen.clear()

    def _learn(self, blocks: Sequence[EventColumns]) -> None:
        if blocks:
            self._names.learn(blocks)
            self._contexts.learn(blocks)

    def _keyed(self, part: EventsToKey) -> KeyedEvents:
        events = part.columns
        names = self._names.resolve(events)
        context = self._contexts.with_cache_hits(self._contexts.resolve(events), events.inference)
        event_ids = encoded(events.event_id)
        numbers = {name: getattr(events, name) for name in _TAKEN_OVER}
        return KeyedEvents(
            event_keys=event_keys(events.key_times_us, names.key_hashers, event_ids),
            event_ids=event_ids,
            origin=np.full(len(events), part.origin, dtype=np.intp),
            context=context,
            tenant_key=names.tenant_key,
            attribution_key=names.attribution_key,
            factor_key=self._contexts.factor_key[context],
            user_key=names.user_key,
            api_key_key=names.api_key_key,
            flags=event_flags(events, part.received_at_us),
            metered=metered_column(events.energy, len(events)),
            **numbers,
        )

    def _batch(
        self,
        parts: list[KeyedEvents],
        refused: list[Refused],
        progress: list[PartitionProgress],
        received_at_us: int,
    ) -> Batch:
        """Sort by key and keep the first of each; what repeats it is a duplicate, or a conflict if it says otherwise."""
        events, same = in_key_order(concatenate(parts or [self._keyed(EventsToKey(to_columns(()), 0, received_at_us))]))
        repeats = repeats_of(events, same, len(progress), self._names.said_keys)
        if same.any():
            events = events.select(np.flatnonzero(~same))
        records = self._records(events)
        return Batch(
            records=records if self._writer is None else self._writer.made_ready(records),
            refused=refused,
            progress=progress,
            partition_of=events.origin,
            repeats=repeats,
            received_at_us=received_at_us,
            rungs=self._contexts.rungs(events.context),
            contexts=len(self._contexts),
        )

    def _records(self, events: KeyedEvents) -> Records:
        requests = requests_of(events, events.context, self._defaults)
        energy = with_metered_energy(
            events, self._method.estimate(self._contexts.coefficients, requests), self._contexts
        )
        estimates, flags = energy.estimates, energy.flags
        sites = self._contexts.sites.rows(energy.context)
        estimated = amounts(estimates, sites, flags)
        flags |= cap_flags(estimated) | self._contexts.basis_flags[energy.context]
        self._keep_basis(flags)
        columns: dict[str, Ints] = {name: getattr(events, name) for name in (*_FROM_NAMES, *NUMBER_COLUMNS)}
        columns |= {name: getattr(estimated, name) for name in AMOUNT_COLUMNS}
        impacts = impact_columns(self._method, self._contexts.coefficients, requests, estimates, sites.pue)
        columns |= impacts
        market = market_column(estimates, sites)
        if market is not None:
            columns[MARKET_COLUMN] = market
        columns["basis_flags"] = flags.astype(np.int64)
        if energy.metered_energy_uj is not None:
            columns["factor_key"] = self._contexts.factor_key[energy.context]
            columns[METERED_COLUMN] = energy.metered_energy_uj
        tokens = {name: columns[name] for name in TOKEN_COLUMNS}
        return Records(
            event_keys=events.event_keys,
            columns=columns,
            event_ids=events.event_ids,
            measures=measure_matrix(amounts=estimated, impacts=impacts, carbon_market_ugco2e=market, **tokens),
            untimed=events.untimed,
            said_attribution=self._names.said_keys(events.tenant_key, events.attribution_key),
        )

    def _keep_basis(self, flags: NDArray[np.int32]) -> None:
        unseen = set(np.unique(flags).tolist()) - self._basis_seen
        if unseen:
            self._dimensions.basis(unseen)
            self._basis_seen |= unseen
