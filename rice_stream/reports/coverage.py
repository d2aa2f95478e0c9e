"""`rice-stream coverage`: names that no table knows, as a work list; what rests on fallbacks and claims; repeated ids."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from rice_stream.events.unnamed import UNKNOWN_TENANT
from rice_stream.instants import SECOND_US, SLOT_S, epoch_us, in_utc, rfc3339
from rice_stream.quantities import MICRO
from rice_stream.reference.types import KNOWN_MODEL_RUNGS, is_place_assumed
from rice_stream.reports.capped import capped_prompts_later
from rice_stream.reports.claims import CLAIMED, claims
from rice_stream.reports.conflicts import conflicts_later
from rice_stream.reports.coverage_parts import CoveredWhole
from rice_stream.reports.exclusions import exclusions_later
from rice_stream.reports.market_coverage import ELECTRICITY, market_coverage_later
from rice_stream.reports.old_factors import OfRegion, data_of, old_factors
from rice_stream.reports.repeated_ids import NOT_COMPARED, repeated_ids
from rice_stream.reports.resolved_sums import resolved_sums_later
from rice_stream.reports.tiers import look_ahead_by_day, tiers, tiers_by_day
from rice_stream.reports.time_zones import REPORT_TIME_ZONE
from rice_stream.reports.unattributed import unattributed_later
from rice_stream.reports.uncharged import uncharged_later
from rice_stream.store.asked_ahead import rows_later
from rice_stream.store.engine import Connection, Engine
from rice_stream.store.prepared import statement
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import is_held_open
from rice_stream.store.snapshot import snapshot

_MEASURES = ("prompts", "input_tokens", "output_tokens", "carbon_mid_ugco2e", "facility_energy_uwh")
_UNNAMED = "unknown"


class _Kind(NamedTuple):
    """One kind of requests: whose, on what, resolved how, and its sums."""

    tenant_id: str
    provider: str
    model: str
    model_resolved: str
    model_rung: str
    region: str
    region_resolved: str
    region_rung: str
    prompts: int
    input_tokens: int
    output_tokens: int
    carbon_ugco2e: int
    energy_uwh: int
    electricity: str = ""
    data_of: str = ""
    is_claimed: int = 0

    @property
    def fallbacks(self) -> dict[str, tuple[str, str, str]]:
        """Kind of name -> (name, what it was taken for, rung) where it is not known."""
        unknown = {}
        if self.model_rung not in KNOWN_MODEL_RUNGS:
            unknown["model"] = (self.model, self.model_resolved, self.model_rung)
        if is_place_assumed(self.region_rung):
            unknown["region"] = (self.region, self.region_resolved, self.region_rung)
        if self.tenant_id == UNKNOWN_TENANT:
            unknown["tenant"] = (self.tenant_id, self.tenant_id, _UNNAMED)
        return unknown


_NAMES = _Kind._fields[:8]


class _Asked:
    """All that is asked at once of a stretch of time; answers are waited for in the order in which they were asked for."""

    def __init__(self, connection: Connection, scope: Scope, from_s: int, limit: int | None) -> None:
        self._of = connection, scope, from_s
        self.kinds = _kinds_later(*self._of, besides=(ELECTRICITY, data_of(connection.dialect.name), CLAIMED))
        self._capped = capped_prompts_later(*self._of)
        self._parts = {"unattributed": unattributed_later(*self._of), "uncharged": uncharged_later(*self._of)}
        self._conflicts = conflicts_later(connection, scope, from_s * SECOND_US, limit=limit)
        self._market = market_coverage_later(*self._of)
        self._excluded = exclusions_later(*self._of)
        self._horizon = rows_later(connection, statement("SELECT MAX(records_from_us) FROM retention"), {})

    def told(self, kinds: list["_Kind"], whole: CoveredWhole, now_us: int) -> dict[str, Any]:
        """What is told beside the sums of `kinds`, once."""
        of_regions = [
            OfRegion(kind.region_resolved, kind.region_rung, kind.data_of, kind.prompts, kind.carbon_ugco2e)
            for kind in kinds
        ]
        energy_uwh: dict[str, int] = {}
        for kind in kinds:
            energy_uwh[kind.electricity] = energy_uwh.get(kind.electricity, 0) + kind.energy_uwh
        ((horizon_us,),) = self._horizon()
        dropped = bool(horizon_us) and horizon_us > self._of[2] * SECOND_US
        return {
            **({"records_from": rfc3339(horizon_us)} if dropped else {}),
            "capped_prompts": self._capped(),
            **{name: tell(whole) for name, tell in self._parts.items()},
            **self._conflicts(),
            "market": self._market(energy_uwh),
            "exclusions": self._excluded(whole),
            **claims(*self._of, whole, any_claimed=any(kind.is_claimed for kind in kinds)),
            "old_factors": old_factors(*self._of, of_regions, whole, now_us=now_us),
        }


def coverage(
    engine: Engine,
    scope: Scope,
    *,
    now: datetime,
    days: int | None = None,
    limit: int | None = None,
    bucket: str | None = None,
    time_zone: str | None = None,
    report_time_zone: str = REPORT_TIME_ZONE,
    repeated: bool = True,
    compared_max: int | None = None,
) -> dict[str, Any]:
    """Unmapped models, regions and tenants of the last `days` days (None: of all time), most tokens first.

    Everything in it is known by team: who sees some teams only is told of what they were charged for.

    Returns:
        `{"window", "rows": [{"kind", "name", "provider", "taken_for", "rung", "prompts", "tokens", "carbon_gco2e",
        "share_of_carbon"}], "rows_total", "carbon_gco2e", "prompts", "capped_prompts", "fallback_share": {"model", "region",
        "tenant", "any"}}`; shares are None where there is nothing at all, `capped_prompts` count as what one prompt can cost.
        `"tiers"` (of `tiers`) add up to all of it; `"covered_share"` is that of the known ones, 1 without `fallback_share["any"]`.
        And what `claims`, `conflicts` and `repeated_ids` answer (no ids without `repeated`, or of over `compared_max` prompts),
        `records_from` where records of the time have been dropped: what is told of ids, prompts at the cap and API keys is of those
        from then on; `unattributed`, `uncharged`, `exclusions`, `old_factors`, `market` as they are called; by `day` what
        `tiers_by_day` does.

    Raises:
        UsageError: days are to be told apart, and are not said to be few.
    """
    from_s = _from_s(now, days)
    from_us = from_s * SECOND_US
    with snapshot(engine, scope) as connection:
        of_days = connection, scope, from_us, days, time_zone, report_time_zone
        asked = _Asked(connection, scope, from_s, limit)
        # What takes PostgreSQL longest is asked last, and worked on while the answers before it are read.
        if bucket is not None and is_held_open(connection):
            look_ahead_by_day(*of_days)
        kinds = asked.kinds()
        carbon, prompts = (sum(getattr(kind, name) for kind in kinds) for name in ("carbon_ugco2e", "prompts"))
        beside = asked.told(kinds, CoveredWhole(carbon, prompts, limit), epoch_us(in_utc(now)))
        compares = repeated and (compared_max is None or prompts <= compared_max)
        ids = repeated_ids(connection, scope, from_us=from_us, limit=limit) if compares else NOT_COMPARED
        known = {"tiers": tiers(connection, scope, from_us)} if bucket is None else tiers_by_day(*of_days)
    rows = _unknown(kinds, carbon)
    return {
        "window": {"from": rfc3339(from_us) if from_s else None, "to": rfc3339(epoch_us(in_utc(now)))},
        "rows": rows[:limit],
        "rows_total": len(rows),
        "prompts": prompts,
        "carbon_gco2e": carbon / MICRO,
        **_shares(_resting(kinds), carbon),
        **known,
        **beside,
        **ids.fields,
    }


def unknown_names(
    engine: Engine, scope: Scope, kind: str, *, now: datetime, days: int | None = None
) -> list[dict[str, Any]]:
    """The `rows` of `coverage` of one kind of name (`model`, `region` or `tenant`), all of them, without what else it looks up."""
    return unknown_names_later(engine, scope, kind, now=now, days=days)()


def unknown_names_later(
    engine: Engine, scope: Scope, kind: str, *, now: datetime, days: int | None = None
) -> Callable[[], list[dict[str, Any]]]:
    """The same, once: asked now, and waited for when it is called (`asked_ahead`)."""
    with snapshot(engine, scope) as connection:
        kinds_later = _kinds_later(connection, scope, _from_s(now, days))

    def named() -> list[dict[str, Any]]:
        kinds = kinds_later()
        rows = _unknown(kinds, sum(each.carbon_ugco2e for each in kinds))
        return [row for row in rows if row["kind"] == kind]

    return named


def _resting(kinds: list[_Kind]) -> dict[str, int]:
    """Micrograms CO2e that rest on fallbacks of each kind of name, and of any."""
    resting = dict.fromkeys(("model", "region", "tenant", "any"), 0)
    for kind in kinds:
        fallbacks = kind.fallbacks
        for kind_of_name in (*fallbacks, *(["any"] if fallbacks else [])):
            resting[kind_of_name] += kind.carbon_ugco2e
    return resting


def _shares(resting: dict[str, int], carbon: int) -> dict[str, Any]:
    return {
        "fallback_share": {what: amount / carbon if carbon else None for what, amount in resting.items()},
        "covered_share": (carbon - resting["any"]) / carbon if carbon else None,
    }


def _from_s(now: datetime, days: int | None) -> int:
    return 0 if days is None else epoch_us(in_utc(now) - timedelta(days=days)) // SECOND_US // SLOT_S * SLOT_S


def _unknown(kinds: list[_Kind], carbon: int) -> list[dict[str, Any]]:
    """A row for each name that no table knows, most tokens first; `carbon` is what shares are of."""
    names: dict[tuple[str, str, str, str, str], list[int]] = {}
    for kind in kinds:
        for kind_of_name, (name, taken_for, rung) in kind.fallbacks.items():
            sums = names.setdefault((kind_of_name, name, kind.provider, taken_for, rung), [0, 0, 0])
            sums[0] += kind.prompts
            sums[1] += kind.input_tokens + kind.output_tokens
            sums[2] += kind.carbon_ugco2e
    ordered = sorted(names.items(), key=lambda item: (-item[1][1], item[0]))
    return [_row(name, sums, carbon) for name, sums in ordered]


def _kinds_later(
    connection: Connection, scope: Scope, from_s: int, *, besides: Sequence[str] = ()
) -> Callable[[], list[_Kind]]:
    """`besides`: SQL of the last fields."""
    groups = resolved_sums_later(connection, scope, _NAMES, _MEASURES, from_s=from_s, besides=besides)
    named = len(_NAMES)
    return lambda: [_Kind(*names[:named], *sums, *names[named:]) for names, sums in groups()]


def _row(name: tuple[str, str, str, str, str], sums: list[int], carbon: int) -> dict[str, Any]:
    kind_of_name, spelled, provider, taken_for, rung = name
    prompts, tokens, amount = sums
    return {
        "kind": kind_of_name,
        "name": spelled,
        "provider": provider or None,
        "taken_for": taken_for,
        "rung": rung,
        "prompts": prompts,
        "tokens": tokens,
        "carbon_gco2e": amount / MICRO,
        "share_of_carbon": amount / carbon if carbon else None,
    }
