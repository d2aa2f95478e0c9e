"""Which factors an estimate uses, and why: event over settings over tables, each choice named. Pure.

One `FactorUse` is everything about a request besides its tokens. It is stored once and referred to by every record, so
a record stays explainable when the tables have long moved on.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from rice_stream.estimator.method import Context, KindFigures, Method, Profile, Route
from rice_stream.estimator.spread import Spread
from rice_stream.events.metered_energy import FACILITY
from rice_stream.events.stated_factors import FACTOR_FIELDS
from rice_stream.meter.carbon_ends import Site, place_of, site_of
from rice_stream.meter.factor_detail import factor_detail, intensity_flags, market_detail
from rice_stream.meter.hosting import hosted_context, hosting_of
from rice_stream.meter.intensity import ResolvedIntensity, resolved_intensity
from rice_stream.meter.live_intensity import LiveLookup, no_live_feed
from rice_stream.meter.metered import MeasuredKind, measured_kind, measured_site
from rice_stream.meter.service_key import ServiceKey
from rice_stream.meter.serving_overrides import Override, find_override
from rice_stream.quantities import Range
from rice_stream.reference.lookup import Reference
from rice_stream.reference.types import (
    HardwareFactor,
    MarketFactor,
    ModelFactor,
    PueFactor,
    RegionFactor,
)


@dataclass(frozen=True, slots=True)
class FactorPolicy:
    """The operator's choices: they stand between what the event brings and what the tables know."""

    rci_scope: str = "lifecycle"
    default_region: str | None = None
    serving_profile: str | None = None
    pue: float | None = None
    rci_gco2e_per_kwh: float | None = None
    hardware: str | None = None
    devices: float | None = None
    batch_size: float | None = None
    precision: str | None = None
    utilisation: float | None = None
    tdp_w: float | None = None
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True, slots=True)
class FactorUse:
    """The factors of one kind of request, from one moment to the next change of a table."""

    kind: KindFigures
    """What the method makes of it; its context says what it was served on as far as that is known or taken."""
    model: ModelFactor
    region: RegionFactor
    pue: PueFactor
    rci_gco2e_per_kwh: Range
    rci_rung: str
    spread: Spread | None
    """Of the carbon: why its range is as wide as it is, and what else errs with it; None of a method that gives bounds."""
    columns: dict[str, Any]
    """The row of the `factor_use` table, without its key."""
    measured: MeasuredKind | None = None
    """Of a kind whose energy is metered: how the joules become IT energy."""
    market_gco2e_per_kwh: float | None = None
    """By the market, where something is known of it."""

    @property
    def context(self) -> Context:
        """What the method was asked."""
        return self.kind.context

    @property
    def site(self) -> Site:
        """What turns the energy of such a request into carbon."""
        if self.measured is not None and self.spread is not None:
            site = measured_site(self.pue.pue, self.rci_gco2e_per_kwh, self.spread)
        else:
            site = site_of(self.pue.pue, self.rci_gco2e_per_kwh, self.spread)
        return site._replace(market_gco2e_per_kwh=self.market_gco2e_per_kwh)

    @property
    def basis_flags(self) -> int:
        """Flags of all records of the kind."""
        return intensity_flags(self.columns["detail"])

    @property
    def digest(self) -> bytes:
        """16 bytes that are equal exactly when every factor is."""
        return digest_of(self.columns)


def digest_of(columns: dict[str, Any]) -> bytes:
    """Digest of a canonical JSON of the columns."""
    text = json.dumps(columns, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


class FactorDraft(NamedTuple):
    """What a kind of request rests on, before the method is asked about it; see `finished`."""

    key: ServiceKey
    names: ServiceKey
    context: Context
    model: ModelFactor
    region: RegionFactor
    pue: PueFactor
    intensity: ResolvedIntensity
    hardware: HardwareFactor
    region_said: str
    vendor: str | None
    """Who is taken to host the model where no provider is known."""
    market: MarketFactor | None = None
    """Of what the provider uses there; None: nothing is known of it."""
    at_us: int = 0


def draft_factors(
    key: ServiceKey,
    at_us: int,
    *,
    reference: Reference,
    policy: FactorPolicy,
    method: Method,
    live: LiveLookup = no_live_feed,
    mapped: ServiceKey | None = None,
) -> FactorDraft:
    """Resolve one kind of request as of `at_us` (epoch microseconds). Never fails and never gives zero.

    `mapped` has the names that the operator's mappings put in the place of the key's; what is stored as said stays the
    key's own.
    """
    names = mapped or key
    model = reference.resolve_model(names.provider, names.request_model, names.response_model, at_us)
    own = _override(key, policy, model)
    hosting = None
    said_models = names.request_model, names.response_model
    if any(said_models) and not _serving_stated(key, policy, own):
        profile = own.profile or policy.serving_profile
        hosting = hosting_of(profile, key.provider, said_models, model, reference, at_us)
    vendor = None if hosting is None else hosting.vendor
    region = reference.resolve_region(
        names.inference_region,
        key.provider,
        policy.rci_scope,
        at_us,
        default_region=policy.default_region,
        vendor=vendor,
    )
    pue = _stated_pue(key, policy) or reference.resolve_pue(
        region.region_id,
        key.provider,
        at_us,
        default=method.default_pue,
        vendor=vendor,
        hosted=hosting is not None,
    )
    intensity = resolved_intensity(key.rci_gco2e_per_kwh, policy.rci_gco2e_per_kwh, region, live, at_us)
    hardware_name = key.hardware or own.hardware or policy.hardware
    hardware = reference.resolve_hardware(hardware_name)
    context = _context(key, policy, own, model, hardware, asked=hardware_name is not None)
    context = hosted_context(context, hosting, model, pue.pue)
    said = key.inference_region or policy.default_region or "unknown"
    market = reference.resolve_market(key.provider, region, at_us)
    where = (region, pue, intensity)
    return FactorDraft(key, names, context, model, *where, hardware, said, vendor, market, at_us)


def finished(drafts: Sequence[FactorDraft], method: Method, reference: Reference) -> list[FactorUse]:
    """The factors of many kinds at once, with what the method makes of each."""
    kinds = method.kinds([draft.context for draft in drafts])
    return [_use(draft, kind, method, reference) for draft, kind in zip(drafts, kinds, strict=True)]


def _use(draft: FactorDraft, kind: KindFigures, method: Method, reference: Reference) -> FactorUse:
    key, rci = draft.key, draft.intensity.rci_gco2e_per_kwh
    served = kind.served_as.hardware
    if served != kind.context.hardware:
        kind = replace(kind, context=replace(kind.context, hardware=served))
    boundary = key.energy_boundary
    measured = None if boundary is None else measured_kind(method, kind, boundary, draft.pue.pue)
    place = place_of(draft.pue, rci, draft.region, kind.context.provider, draft.vendor)
    if boundary == FACILITY:
        place = place._replace(pue_log_sd=0.0)
    spread = place.spread(kind.spread if measured is None else measured.energy)
    columns = {
        "provider": key.provider or "",
        "request_model": key.request_model or "",
        "response_model": key.response_model or "",
        "model": key.response_model or key.request_model or "",
        "model_resolved": draft.model.model_id,
        "model_rung": draft.model.rung,
        "region": draft.region_said,
        "region_resolved": draft.region.region_id,
        "region_rung": draft.intensity.rung,
        "hardware": served,
        "pue": draft.pue.pue,
        "pue_rung": draft.pue.rung,
        "rci_low_gco2e_per_kwh": rci.low,
        "rci_mid_gco2e_per_kwh": rci.mid,
        "rci_high_gco2e_per_kwh": rci.high,
        "rci_scope": draft.region.scope,
        "method_version": method.version,
        "factor_version": reference.version,
    }
    sources = {
        **draft.intensity.sources(draft.market),
        **_of_serving(draft, kind, reference),
        **_origins(key, draft.names),
    }
    if reference.set_digests:
        sources["factor_sets"] = ",".join(reference.set_digests)
    route: Route = kind.route if measured is None else "measured"
    detail = factor_detail(kind.context, draft.model, draft.region, draft.pue, sources, route, spread)
    if draft.market is not None:
        detail["market"] = market_detail(draft.market, draft.at_us)
    if measured is not None:
        detail["measured"] = measured.detail()
    columns["detail"] = json.dumps(detail, sort_keys=True, separators=(",", ":"))
    market_gco2e_per_kwh = None if draft.market is None else draft.market.rci_at(draft.at_us)
    place_used = (draft.region, draft.pue, rci, draft.intensity.rung)
    return FactorUse(kind, draft.model, *place_used, spread, columns, measured, market_gco2e_per_kwh)


def _of_serving(draft: FactorDraft, kind: KindFigures, reference: Reference) -> dict[str, str]:
    """Where the figures of the hardware that is computed with are from, and why it is that one where the method took it."""
    served = kind.served_as.hardware
    hardware = draft.hardware if served == draft.hardware.hardware else reference.resolve_hardware(served)
    if hardware.known or served == hardware.hardware:
        return {**kind.sources, "hardware": hardware.source}
    return dict(kind.sources)


def _serving_stated(key: ServiceKey, policy: FactorPolicy, own: Override) -> bool:
    """Whether event or settings say on what the model runs, or how many requests at a time."""
    if (own.profile or policy.serving_profile) in policy.profiles:
        return True
    return any(getattr(one, name) for one in (key, own, policy) for name in ("hardware", "devices", "batch_size"))


def _stated_pue(key: ServiceKey, policy: FactorPolicy) -> PueFactor | None:
    if key.pue is not None:
        return PueFactor(pue=key.pue, rung="event", source="given on the event")
    if policy.pue is not None:
        return PueFactor(pue=policy.pue, rung="setting", source="RICE_PUE")
    return None


def _override(key: ServiceKey, policy: FactorPolicy, model: ModelFactor) -> Override:
    models = (key.response_model, key.request_model, model.model_id)
    return find_override(policy.overrides, [key.provider or ""], [name for name in models if name])


def _context(
    key: ServiceKey,
    policy: FactorPolicy,
    own: Override,
    model: ModelFactor,
    hardware: HardwareFactor,
    *,
    asked: bool,
) -> Context:
    profile, known = own.profile or policy.serving_profile, asked and hardware.known
    return Context(
        params_total_b=model.params_total_b,
        params_active_b=model.params_active_b,
        hardware=hardware.hardware,
        hardware_known=known,
        devices=key.devices or own.devices or policy.devices,
        batch_size=key.batch_size or own.batch_size or policy.batch_size,
        precision=own.precision or policy.precision or model.precision,
        **model.architecture(),
        utilisation=key.utilisation or policy.utilisation,
        tdp_w=policy.tdp_w or (hardware.tdp_w if known else None),
        profile=profile,
        own_profile=policy.profiles.get(profile) if profile else None,
        provider=key.provider,
    )


def _origins(key: ServiceKey, names: ServiceKey) -> dict[str, str]:
    """How the event was read, what in it named the region, which factors it gave, and the names that mappings put in the
    place of its own."""
    said = {"source_format": key.source_format, "region_source": key.region_source}
    stated = [name for name in FACTOR_FIELDS if getattr(key, name)]
    said["event_factors"] = ",".join([*stated, *(["energy_joules"] if key.energy_boundary else [])])
    said["gateway_cache_hit"] = "given on the event" if key.gateway_cache_hit else None
    if (names.request_model, names.response_model) != (key.request_model, key.response_model):
        said["mapped_model"] = names.response_model or names.request_model
    if names.inference_region != key.inference_region:
        said["mapped_region"] = names.inference_region
    return {name: value for name, value in said.items() if value}
