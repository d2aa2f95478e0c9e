"""A store of dictionaries: the steps of `Writer` and the names of `Dimensions` without SQL, many times as fast."""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from rice_stream.alerting.judge import SOURCE
from rice_stream.budgets.announcement import alert_event
from rice_stream.budgets.definition import Budget
from rice_stream.budgets.rules import due_periods, judge
from rice_stream.budgets.states import BudgetState, Consumed
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.versions import AttributionVersion, dated
from rice_stream.meter.amounts import Totals
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.quantities import MEASURES, Ints
from rice_stream.store.attribution_store import start_of_change_us
from rice_stream.store.batch import Batch, Conflict, Records
from rice_stream.store.batch_rows import conflict_rows, quarantine_rows
from rice_stream.store.closed_months import ClosedMonth
from rice_stream.store.dimensions import AttributionIdentity, Dimensions
from rice_stream.store.entries import EntryGroup
from rice_stream.store.identity_rules import IdentityRules, KnownRules, RuleRow
from rice_stream.store.probe import known_and_differing, nullable
from rice_stream.store.record_columns import CONTENT_COLUMNS
from rice_stream.store.retention_plan import month_floor_us
from rice_stream.store.statements import PROGRESS_COUNTERS
from rice_stream.store.totals_tables import TotalsTable
from rice_stream.store.writer import KnownKeyError, LedgerStanding, Writer
from tests.simulation.store import NOT_JUDGED, Faults, WrapWriter, faulty_pipeline
from tests.support.store_checks import TABLES, measures_of, recomputed_totals

_KEYS: dict[str, tuple[str, ...]] = {
    **TABLES,
    "tenant": ("tenant_id",),
    "attribution": AttributionIdentity._fields,
    "principal": ("tenant_key", "kind", "name"),
    "factor_use": ("digest",),
    "prompt_record": ("tenant_key", "event_key"),
    "quarantine": ("topic", "partition", "offset", "item", "digest"),
    "conflict": ("tenant_key", "event_key", "digest"),
    "kafka_progress": ("topic", "partition"),
    "watched_user": ("tenant_key", "user_key"),
    "alert": ("id",),
}
_SERVED = ("provider", "request_model", "response_model", "region")
Table = dict[tuple[Any, ...], dict[str, Any]]


class MemoryStore:
    """Tables by name: unique key -> row. Rows are replaced, never changed, so a copied table is a snapshot."""

    name = "memory"

    def __init__(self, wrap: WrapWriter = lambda writer: writer) -> None:
        self._wrap = wrap
        self.tables: dict[str, Table] = {}
        self.budgets: list[Budget] = []
        self.versions: list[AttributionVersion] = []
        self.states: dict[int, BudgetState] = {}
        self.factors: dict[int, dict[str, Any]] = {}
        self.horizon_us = 0
        self.empty()

    def empty(self) -> None:
        """Forget everything."""
        self.tables = {name: {} for name in (*_KEYS, "adjustment_entry")}
        self.budgets, self.states, self.factors, self.versions = [], {}, {}, []
        self.horizon_us = 0

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table."""
        return list(self.tables[table].values())

    def add(self, table: str, row: dict[str, Any]) -> bool:
        """Add a row unless its key is there; False: it is."""
        key = tuple(row[name] for name in _KEYS[table])
        if key in self.tables[table]:
            return False
        self.tables[table][key] = row
        return True

    def pipeline(self, faults: Faults) -> Pipeline:
        """See `Store`."""
        names = cast(Dimensions, MemoryDimensions(self))
        return faulty_pipeline(names, self._wrap(MemoryWriter(self)), faults, self._rules)

    def _rules(self) -> IdentityRules:
        known = KnownRules((len(self.versions),), frozenset(self.rule_rows()))
        return IdentityRules(dated(FormatOptions(), self.versions), known=known)

    def rule_rows(self) -> list[RuleRow]:
        """What a batch's rules are compared with."""
        return [("version", "", "", "", version.settings, version.valid_from_us) for version in self.versions]

    def change_settings(self, settings: str, now_us: int) -> None:
        """See `Store`."""
        latest_end_us = max((row["ended_at_us"] for row in self.rows("prompt_record")), default=None)
        start_us = start_of_change_us(now_us, latest_end_us, self.versions[-1]) if self.versions else 0
        self.versions.append(AttributionVersion(start_us, settings))

    def set_budgets(self, budgets: Iterable[Budget]) -> None:
        """See `Store`."""
        self.budgets = [replace(budget, budget_id=k) for k, budget in enumerate(budgets, start=1)]

    def watch_user(self, tenant_id: str, user_id: str) -> None:
        """See `Store`."""
        names = MemoryDimensions(self)
        tenant_key = names.tenants([tenant_id])[tenant_id]
        user_key = names.principals("user", [(tenant_key, user_id)])[tenant_key, user_id]
        if not self.add("watched_user", {"tenant_key": tenant_key, "user_key": user_key}):
            return
        for record in self.rows("prompt_record"):
            if (record["tenant_key"], record["user_key"]) == (tenant_key, user_key):
                slot_s = record["ended_at_us"] // 900_000_000 * 900
                values = measures_of(record)
                key = {"tenant_key": tenant_key, "slot_start_s": slot_s, "user_key": user_key}
                key |= {name: record[name] for name in ("attribution_key", "factor_key")}
                self.add_up("user_slot_total", key, values)

    def drop_records_before(self, moment: datetime) -> None:
        """See `Store`."""
        self.horizon_us = max(self.horizon_us, month_floor_us(moment))
        records = self.tables["prompt_record"]
        self.tables["prompt_record"] = {k: row for k, row in records.items() if row["ended_at_us"] >= self.horizon_us}

    def add_up(self, table: str, key: dict[str, Any], values: dict[str, int]) -> None:
        """Add values to the row of a key."""
        place = tuple(key.values())
        before = self.tables[table].get(place, {})
        self.tables[table][place] = {**key, **{name: before.get(name, 0) + values[name] for name in values}}

    def damage(self, random: Random) -> None:
        """See `Store`: a row goes, or has other numbers."""
        table = self.tables[random.choice(NOT_JUDGED).name]
        if harmed := sorted(place for place in table if place[1] * 1_000_000 >= self.horizon_us):
            place = random.choice(harmed)
            row = table.pop(place)
            if random.random() < 0.5:
                table[place] = {**row, "prompts": row["prompts"] + random.choice([-1, 1])}

    def rebuild(self) -> Generator[object, None, None]:
        """See `Store`: each table at once."""
        for name, keys in TABLES.items():
            yield name
            dropped = {key: row for key, row in self.tables[name].items() if key[1] * 1_000_000 < self.horizon_us}
            self.tables[name] = dropped | {
                key: {**dict(zip(keys, key, strict=True)), **dict(zip(MEASURES, sums, strict=True))}
                for key, sums in recomputed_totals(self.rows, name).items()
            }

    def judge(self, now: datetime) -> None:
        """The pure judgement on the totals; state and alerts are kept together."""
        for budget in self.budgets:
            assert budget.budget_id is not None
            state = self.states.get(budget.budget_id, BudgetState())
            for period in due_periods(budget, state, now):
                state, transitions = judge(
                    budget, state, self._consumed(budget.tenant_id, period.start, period.end), period, now
                )
                for transition in transitions:
                    event = alert_event(budget, transition, source=SOURCE, event_time_watermark=None, time=now)
                    alert = {
                        "id": event["id"],
                        "budget_id": budget.budget_id,
                        "threshold": transition.threshold,
                        "state": transition.state,
                        "sequence": transition.sequence,
                    }
                    assert self.add("alert", alert), "an alert's id is its own"
            self.states[budget.budget_id] = state

    def _consumed(self, tenant_id: str, start: datetime, end: datetime) -> Consumed:
        tenant = self.tables["tenant"].get((tenant_id,))
        start_s, end_s = int(start.timestamp()) // 60 * 60, int(end.timestamp())
        minutes = [
            row
            for row in self.rows("minute_total")
            if tenant and row["tenant_key"] == tenant["tenant_key"] and start_s <= row["minute_start_s"] < end_s
        ]
        return Consumed(**{name: sum(row[name] for row in minutes) for name in Consumed.__slots__})


class MemoryDimensions:
    """Stands for `rice_stream.store.Dimensions`."""

    def __init__(self, store: Any) -> None:
        self._store: MemoryStore = store

    def _key(self, table: str, key: str, identity: dict[str, Any], **rest: Any) -> int:
        place = tuple(identity.values())
        rows = self._store.tables[table]
        if place not in rows:
            rows[place] = {**identity, **rest, key: len(rows) + 1}
        return int(rows[place][key])

    def tenants(self, names: Iterable[str]) -> dict[str, int]:
        """tenant_id -> key."""
        return {name: self._key("tenant", "tenant_key", {"tenant_id": name}) for name in sorted(names)}

    def attributions(self, identities: Iterable[tuple[Any, ...]]) -> dict[tuple[Any, ...], int]:
        """(tenant_key, team, project, source) -> key."""
        names = _KEYS["attribution"]
        return {i: self._key("attribution", "attribution_key", dict(zip(names, i, strict=True))) for i in identities}

    def principals(self, kind: str, identities: Iterable[tuple[int, str]]) -> dict[tuple[int, str], int]:
        """(tenant_key, name) -> key."""
        return {
            (tenant, name): self._key("principal", "principal_key", {"tenant": tenant, "kind": kind, "name": name})
            for tenant, name in identities
        }

    def factors(self, rows: Sequence[dict[str, Any]]) -> dict[bytes, int]:
        """Digest -> key."""
        found = {row["digest"]: self._key("factor_use", "factor_key", {"digest": row["digest"]}) for row in rows}
        self._store.factors |= {found[row["digest"]]: row for row in rows}
        return found

    def basis(self, flags: Iterable[int]) -> None:
        """The words for flags are not looked at here."""

    def records_from_us(self) -> int:
        """As the store has it."""
        return self._store.horizon_us


class MemoryWriter(Writer):
    """One transaction is a snapshot of the tables, put back when it fails."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__()
        self._store = store

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        before = {name: dict(table) for name, table in self._store.tables.items()}
        try:
            yield
        except BaseException:
            self._store.tables = before
            raise

    def _check_rules(self, rules: KnownRules, latest_end_us: int) -> None:
        rules.check(self._store.rule_rows(), latest_end_us)

    def _watched_users(self) -> set[tuple[int, int]]:
        return {(row["tenant_key"], row["user_key"]) for row in self._store.rows("watched_user")}

    def _standing(self) -> LedgerStanding:
        return LedgerStanding(self._store.horizon_us, 0, 0)

    def _closed_months(self, tenant_keys: list[int], earliest_us: int) -> list[ClosedMonth]:
        return []

    def _post(self, group: EntryGroup, now_us: int) -> None:
        raise AssertionError("no month is closed here")

    def _insert(self, records: Records) -> None:
        rows = list(self._rows(records))
        table = self._store.tables["prompt_record"]
        if any((row["tenant_key"], row["event_key"]) in table for row in rows):
            raise KnownKeyError
        for row in rows:
            assert self._store.add("prompt_record", row), "each key once in a batch"

    def _rows(self, records: Records) -> Iterator[dict[str, Any]]:
        columns: list[list[Any]] = [
            [bytes(key) for key in records.event_keys]
            if name == "event_key"
            else list(map(bytes.decode, records.event_ids))
            if name == "event_id"
            else list(nullable(records.columns[name]))
            for name in records.sent_columns
        ]
        return (dict(zip(records.sent_columns, values, strict=True)) for values in zip(*columns, strict=True))

    def _probe(self, records: Records) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        found = []
        names = ("tenant_key", "factor_key", *CONTENT_COLUMNS)
        said = {name: records.said(name) for name in names}
        columns = [[bytes(key) for key in records.event_keys], *(nullable(said[name]) for name in names)]
        for line, values in enumerate(zip(*columns, strict=True)):
            row = dict(zip(("event_key", *names), values, strict=True))
            known = self._store.tables["prompt_record"].get((row["tenant_key"], row["event_key"]))
            if known is not None:
                said, before = (self._store.factors[of["factor_key"]] for of in (row, known))
                untimed = row["ended_at_us"] is None
                compared = [name for name in CONTENT_COLUMNS if not (untimed and name == "ended_at_us")]
                same = all(row[name] == known[name] for name in compared)
                found.append((line, not (same and all(said[name] == before[name] for name in _SERVED))))
        return known_and_differing(found)

    def _hold_days(self, *, even: bool, odd: bool) -> None:
        """Commits follow each other here."""

    def _stored(self, tenant_keys: Ints, event_keys: NDArray[np.uint8]) -> NDArray[np.bool_]:
        table = self._store.tables["prompt_record"]
        places = zip(tenant_keys.tolist(), map(bytes, event_keys), strict=True)
        return np.array([place in table for place in places], dtype=np.bool_)

    def _add_totals(self, totals: Mapping[TotalsTable, Totals]) -> None:
        for table, added in totals.items():
            for key, sums in zip(added.keys.tolist(), added.sums.tolist(), strict=True):
                self._store.add_up(
                    table.name, dict(zip(TABLES[table.name], key, strict=True)), dict(zip(MEASURES, sums, strict=True))
                )

    def _insert_quarantine(self, batch: Batch) -> None:
        for row in quarantine_rows(batch):
            self._store.add("quarantine", row)

    def _insert_conflicts(self, conflicts: Sequence[Conflict], batch: Batch) -> None:
        for row in conflict_rows(list(conflicts), batch):
            self._store.add("conflict", row)

    def _save_progress(self, rows: list[dict[str, Any]], committed_at_us: int) -> None:
        table = self._store.tables["kafka_progress"]
        for row in rows:
            before = table.get((row["topic"], row["partition"]), row | dict.fromkeys(PROGRESS_COUNTERS, 0))
            counters = {name: before[name] + row[name] for name in PROGRESS_COUNTERS}
            first = min(before["first_offset"], row["first_offset"])
            last = max(before["last_offset"], row["last_offset"])
            table[row["topic"], row["partition"]] = {**row, **counters, "first_offset": first, "last_offset": last}

    def ensure_partitions(self, ended_at_us: NDArray[np.int64]) -> None:
        """Nothing to make."""

    def close(self) -> None:
        """Nothing to close."""
