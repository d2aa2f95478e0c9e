"""What the demo's traffic will consume, known beforehand: the same seed gives the same traffic, whenever it starts."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from rice_stream.events.records import RawRecord
from rice_stream.meter.shared_ranges import total_range
from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.quantities import Ints
from rice_stream.sandbox.demo.options import DemoOptions
from rice_stream.sandbox.demo.traffic import demo_traffic
from rice_stream.store.engine import Engine, reading
from rice_stream.store.factor_spreads import ENDS, factor_spreads, kinds_of

FORECAST = ("carbon_mid_ugco2e", "carbon_high_ugco2e", "facility_energy_uwh")


@dataclass(frozen=True, slots=True)
class TrafficForecast:
    """Estimated prompts in the order in which they will end.

    `ended_s` (n,): seconds after the traffic's start; `amounts`: (n,) integers per measure; `tenants` and `teams` (n,).
    High ends are as far above the middles as that of the tenant's total.
    """

    ended_s: NDArray[np.float64]
    amounts: dict[str, NDArray[np.int64]]
    tenants: NDArray[np.str_]
    teams: NDArray[np.str_]

    def consumed(self, measure: str, at_s: float, *, tenant: str, team: str | None = None) -> float:
        """What the tenant (or its team) will have consumed `at_s` seconds after the start, in micro-units.

        Past the forecast's end, consumption continues at the mean pace so far.
        """
        if not len(self.ended_s):
            return 0.0
        chosen = self.tenants == tenant
        if team is not None:
            chosen &= self.teams == team
        end_s = float(self.ended_s[-1])
        within = float(self.amounts[measure][chosen & (self.ended_s <= at_s)].sum())
        return within * max(at_s / end_s, 1.0)

    def tenants_by_carbon(self) -> list[str]:
        """Tenants, most gCO2e first."""
        return _by_weight(self.tenants, self.amounts["carbon_mid_ugco2e"])

    def teams_by_carbon(self, tenant: str) -> list[str]:
        """The tenant's teams, most gCO2e first."""
        own = self.tenants == tenant
        return _by_weight(self.teams[own], self.amounts["carbon_mid_ugco2e"][own])


def _by_weight(names: NDArray[np.str_], weights: NDArray[np.int64]) -> list[str]:
    distinct, inverse = np.unique(names, return_inverse=True)
    sums = np.bincount(inverse, weights=weights.astype(np.float64), minlength=len(distinct))
    return [str(distinct[i]) for i in np.argsort(-sums, kind="stable")]


def forecast(
    pipeline: Pipeline, engine: Engine, options: DemoOptions, now: datetime, horizon_s: float
) -> TrafficForecast:
    """Estimate the first `horizon_s` seconds of the traffic with the worker's own pipeline; no record is stored."""
    events = list(demo_traffic(options, now, horizon_s))
    batch = pipeline.prepare([_as_chunk(events)], time.time_ns() // 1000)
    columns = batch.records.columns
    order = np.argsort(columns["ended_at_us"], kind="stable")
    by_id = {event["event_id"]: event for event in events}
    chosen = [by_id[batch.records.event_ids[row].decode()] for row in order.tolist()]
    columns = {**columns, "carbon_high_ugco2e": _high_ends(engine, columns)}
    return TrafficForecast(
        ended_s=columns["ended_at_us"][order] / 1e6 - now.timestamp(),
        amounts={measure: columns[measure][order] for measure in FORECAST},
        tenants=np.array([event["tenant_id"] for event in chosen]),
        teams=np.array([event["team_id"] for event in chosen]),
    )


def _high_ends(engine: Engine, columns: Mapping[str, Ints]) -> Ints:
    """Middles, times how far the high end of their tenant's total lies above its middle."""
    factor_keys, mids = columns["factor_key"], columns["carbon_mid_ugco2e"]
    with reading(engine) as connection:
        spreads = factor_spreads(connection, set(factor_keys.tolist()))
    highs = mids.copy()
    for tenant_key in np.unique(columns["tenant_key"]):
        own = columns["tenant_key"] == tenant_key
        sums = {
            int(key): [int(chosen.sum()), *(int(columns[name][chosen].sum()) for name in ENDS[1:])]
            for key in np.unique(factor_keys[own])
            for chosen in [own & (factor_keys == key)]
        }
        carbon = total_range(kinds_of(sums, spreads))
        highs[own] = np.rint(mids[own] * (carbon.high / max(carbon.mid, 1)))
    return highs


def _as_chunk(events: Sequence[dict[str, Any]]) -> Chunk:
    encode = msgspec.json.Encoder().encode
    return Chunk(
        "forecast", 0, [RawRecord("forecast", 0, number, encode(event)) for number, event in enumerate(events)]
    )
