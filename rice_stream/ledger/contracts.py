"""Applying contracts for electricity to a month of a tenant: what they cover changes the carbon by the market, as entries.

A worker cannot say what a contract covers: that depends on all of a month, and on every other worker. So records have the
intensity of supplier, residual mix or place, and when the month is over, what contracts cover is worked out of what records and
corrections add up to, set aside for this month and tenant in one transaction (one at a time: nothing is covered twice), and posted
record by record as differences of the carbon by the market alone. Applied again after something came or was corrected, only what
changed is posted.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rice_stream.canonical_json import canonical_json
from rice_stream.errors import UsageError
from rice_stream.instants import HOUR_S, SECOND_US, rfc3339
from rice_stream.ledger.giving_way import go_on
from rice_stream.ledger.restated_lines import Lines
from rice_stream.ledger.restating import NOT_BEGUN, Restating
from rice_stream.meter.contracts import Cell, Covered, Shares, Supply, covered_by, covers, shares_of
from rice_stream.meter.distinct_rows import distinct_rows
from rice_stream.quantities import ENTRY_AMOUNTS, MARKET_COLUMN, MICRO, Ints
from rice_stream.reference.lookup import Reference
from rice_stream.reference.sets.contracts import ContractTerms, contracts_in_force
from rice_stream.reference.sets.history import effective_sets
from rice_stream.reference.types import ANNUAL, HOURLY, LOCATION
from rice_stream.store.adjustments import posting
from rice_stream.store.audit import Actor
from rice_stream.store.contract_store import (
    CoveredHour,
    TenantMonth,
    applied_last,
    covered_elsewhere,
    has_covered,
    set_aside,
    used_energy,
)
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import Connection, Engine, reading
from rice_stream.store.entries import Entries
from rice_stream.store.factor_set_store import KnownSets
from rice_stream.store.recorded_chunks import RecordedChunk
from rice_stream.store.restatement_store import RestatementOrder
from rice_stream.store.revisions import head_revision
from rice_stream.store.stored_records import factors_by_key

_ENERGY, _MARKET = ENTRY_AMOUNTS.index("facility_energy_uwh"), ENTRY_AMOUNTS.index(MARKET_COLUMN)
CONTRACTS = "contracts"
"""In the place of a method's version, of the runs that apply contracts."""


@dataclass(frozen=True, slots=True)
class ContractPlan:
    """What contracts cover of a month."""

    month: TenantMonth
    tenant_id: str
    shares: Mapping[Cell, Shares]
    energy_uwh: Mapping[str, int]
    """By contract."""
    terms: Mapping[str, ContractTerms]
    basis: str
    """Digest of all of it."""


def planned(
    engine: Engine, reference: Reference, month: TenantMonth, tenant_id: str, by: Actor | None = None
) -> ContractPlan:
    """What the contracts that are in force cover of the month; set aside for it by somebody, or (None) by nobody: for a dry run.

    UsageError: the month is not over. StoreUnavailableError: the database did not do it; nothing is set aside.
    """
    with posting(engine, revision=head_revision()) as connection:
        now_us = database_now_us(connection)
        if now_us < month.high_us:
            raise UsageError(f"--month {month.month}: it is not over before {rfc3339(month.high_us)}")
        sets = effective_sets(KnownSets().look(connection))
        terms = [
            each for each in contracts_in_force(sets, now_us) if each.is_of(tenant_id, month.low_us, month.high_us)
        ]
        used = used_energy(connection, month)
        factors: dict[int, Mapping[str, Any]] = {}
        factors_by_key(connection, [key for _, key in used], factors)
        left = _Balance(covered_elsewhere(connection, [each.contract for each in terms], month), month.month)
        supplies = [
            Supply(
                each.contract,
                each.instrument,
                each.granularity,
                each.rci_gco2e_per_kwh,
                covers(each, factors, reference),
                left.of(each),
            )
            for each in terms
        ]
        covered = covered_by(used, supplies)
        if by is not None:
            set_aside(connection, month, tenant_id, _hours(covered, factors), by)
    return _plan(month, tenant_id, used, covered, terms)


def told_of(plan: ContractPlan) -> dict[str, Any]:
    """`{"tenant_id", "month", "contracts": [{..., "covered_kwh"}]}`, by the names of contracts."""
    covered = sorted(plan.energy_uwh.items())
    told = [{**plan.terms[name].told(), "covered_kwh": energy / MICRO / 1000} for name, energy in covered]
    return {"tenant_id": plan.tenant_id, "month": plan.month.month, "contracts": told}


def contracts_standing(
    engine: Engine, reference: Reference, month: TenantMonth, tenant_id: str, *, quick: bool = False
) -> tuple[int, bool | None]:
    """How many contracts are in force for a month that is over, and whether what they cover of it by now has been applied; `quick`:
    records are not added up, and None says that this would be needed."""
    with reading(engine) as connection:
        sets = effective_sets(KnownSets().look(connection))
        in_force = contracts_in_force(sets, database_now_us(connection))
        count = sum(each.is_of(tenant_id, month.low_us, month.high_us) for each in in_force)
        was_covered = has_covered(connection, month)
        last = applied_last(connection, tenant_id, month.month, CONTRACTS)
    if not count and not was_covered:
        return 0, True
    if quick:
        return count, None
    plan = planned(engine, reference, month, tenant_id)
    return count, last == plan.basis or not (plan.shares or was_covered)


def _plan(
    month: TenantMonth,
    tenant_id: str,
    used: Mapping[Cell, int],
    covered: Sequence[Covered],
    terms: Sequence[ContractTerms],
) -> ContractPlan:
    energy: Counter[str] = Counter()
    for each in covered:
        energy[each.supply.contract] += each.energy_uwh
    told = [
        [
            each.supply.contract,
            repr(each.supply.rci_gco2e_per_kwh),
            *each.cell,
            str(each.energy_uwh),
            str(used[each.cell]),
        ]
        for each in covered
    ]
    basis = hashlib.blake2b(canonical_json(told), digest_size=16).hexdigest()
    named = {each.contract: each for each in terms}
    return ContractPlan(month, tenant_id, shares_of(used, covered), energy, named, f"{CONTRACTS} {basis}")


class _Balance:
    """What is left of contracts when what they cover of other months and tenants is taken away."""

    def __init__(self, elsewhere: Sequence[Mapping[str, Any]], month: str) -> None:
        self._by_hour: Counter[tuple[str, int]] = Counter()
        self._of_period: Counter[tuple[str, str]] = Counter()
        self._month = month
        for row in elsewhere:
            self._by_hour[row["contract"], row["hour_start_s"]] += row["covered_uwh"]
            for period in (row["month"], row["month"][:4]):
                self._of_period[row["contract"], period] += row["covered_uwh"]

    def of(self, terms: ContractTerms) -> Callable[[int], int]:
        if terms.granularity == HOURLY:
            return lambda hour_start_s: terms.energy_uwh - self._by_hour[terms.contract, hour_start_s]
        period = self._month[:4] if terms.granularity == ANNUAL else self._month
        return lambda _month: terms.energy_uwh - self._of_period[terms.contract, period]


def _hours(covered: Sequence[Covered], factors: Mapping[int, Mapping[str, Any]]) -> list[CoveredHour]:
    sums: dict[tuple[Any, ...], int] = defaultdict(int)
    for each in covered:
        hour_start_s, factor_key = each.cell
        supply, market = each.supply, json.loads(factors[factor_key]["detail"]).get("market", {})
        besides = market.get("instrument", LOCATION), market.get("granularity", ANNUAL)
        sums[supply.contract, hour_start_s, *besides, supply.instrument, supply.granularity] += each.energy_uwh
    return [CoveredHour._make((*names, energy)) for names, energy in sorted(sums.items())]


class ApplyingContracts(Restating):
    """A run that posts what a plan changes of each record; it goes as one that restates."""

    def __init__(self, engine: Engine, plan: ContractPlan, reason: str, by: Actor, *, dry_run: bool = False) -> None:
        """Nothing is estimated: there is no estimator."""
        month = plan.month
        whose = month.low_us, month.high_us, plan.tenant_id
        self.order = RestatementOrder(*whose, CONTRACTS, month.month, reason, basis=plan.basis, dry_run=dry_run)
        self.engine, self.by, self.state, self.plan = engine, by, NOT_BEGUN, plan
        self.give_way, self._seen = go_on, 0

    def told(self) -> dict[str, Any]:
        """What the run has done: `{"tenant_id", "month", "dry_run", "restatement_id", "contracts": [{..., "covered_kwh"}],
        "records", "entries", "carbon_market_change_gco2e"}`, of all of it also where it was cut short in between."""
        return {
            **told_of(self.plan),
            "dry_run": self.order.dry_run,
            "restatement_id": self.state.restatement_id or None,
            "records": self.state.records,
            "entries": self.state.entries,
            "carbon_market_change_gco2e": self.state.market_by_cause.get("contract", 0) / MICRO,
        }

    def _look_up(self, connection: Connection, chunk: RecordedChunk) -> None:
        """The plan has all of it."""

    def _lines(self, chunk: RecordedChunk) -> Lines:
        now = chunk.now
        own = now.amounts[:, _MARKET].copy()
        # What contracts have changed so far is of the record: taken off its first line, wherever it is charged by now.
        records, first = np.unique(chunk.row_of, return_index=True)
        own[first] -= chunk.contracts_ugco2e[records]
        kept, added = self._shares(now)
        target = np.rint(own * kept + now.amounts[:, _ENERGY] * added).astype(np.int64)
        amounts = np.zeros_like(now.amounts)
        amounts[:, _MARKET] = target - now.amounts[:, _MARKET]
        amounts[chunk.voided[chunk.row_of]] = 0
        lines = Entries(now.event_keys, now.columns, amounts).without_nothing()
        return Lines({"contract": lines} if len(lines) else {})

    def _shares(self, now: Entries) -> tuple[Any, Any]:
        """`Shares` of each line, as two columns."""
        hours_s: Ints = now.columns["ended_at_us"] // (HOUR_S * SECOND_US) * HOUR_S
        cells, place = distinct_rows([hours_s, now.columns["factor_key"]])
        none = Shares(1.0, 0.0)
        found = np.array([self.plan.shares.get((hour, key), none) for hour, key in cells.tolist()]).reshape(-1, 2)
        return tuple(found[place].T)
