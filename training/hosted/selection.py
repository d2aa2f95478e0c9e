"""Which models get a row, and what the reference tables say of each: size, host, price."""

import math
from collections import defaultdict
from collections.abc import Iterator

from rice_stream.estimator.hosted.artefact import PROFILES
from rice_stream.quantities import Range
from rice_stream.reference.lookup import Reference
from rice_stream.reference.sources import DataSource
from rice_stream.reference.types import HostFactor, ModelFactor
from training.hosted.cases import Case
from training.hosted.prices import UNDATED, priced
from training.hosted.priors import BELIEFS, Z80, LogNormal, log_normal

NO_TEXT = ("embed", "-tts", "transcribe", "image", "computer-use", "audio", "voxtral", "guard")
"""Models whose tokens are not those of a text model that answers."""
EDITION = "edition of "
"""A closed model's note that begins so names the model that it is an edition of, by its vendor's own word."""
PUBLISHED = "arch:"
"""A model's note that begins so names its evidence on the architecture."""
PRICE_RATIO = "ratio:hosted"


def cases(reference: Reference, at_us: int) -> list[Case]:
    """One case per model and kind of host: closed models, and open ones that somebody lists a price for."""
    families: dict[object, list[ModelFactor]] = defaultdict(list)
    for factor, _ in reference.models.rows(at_us):
        if not factor.benchmark_only and not any(word in factor.model_id for word in NO_TEXT):
            families[_family_key(factor)].append(factor)
    return [case for members in families.values() for case in _cases(members, reference, at_us)]


def _family_key(factor: ModelFactor) -> object:
    """Open models of one architecture are one family: DeepSeek serves V3 and R1 as one service. A closed model is its own,
    unless its vendor says otherwise: that two have the same parameters is then only somebody's guess.
    """
    if factor.estimated:
        is_edition = factor.note.startswith(EDITION)
        return factor.note.removeprefix(EDITION).partition(":")[0] if is_edition else factor.model_id
    size = (factor.params_total_b.mid, factor.params_active_b.mid, factor.layers, factor.kv_bytes_per_token)
    return (factor.owner, factor.precision, *size)


def _cases(members: list[ModelFactor], reference: Reference, at_us: int) -> Iterator[Case]:
    factor = min(members, key=lambda one: (len(one.model_id), one.model_id))
    vendor = reference.resolve_host(factor.owner, factor.owner, at_us)
    for profile in PROFILES:
        closed = factor.estimated
        if closed and vendor is not None and vendor.profile == "hosted_scale" and profile == "hosted_small":
            continue
        found = [one for member in members if (one := priced(reference, member, profile, at_us)) is not None]
        if not found and not closed:
            continue
        # The lowest: editions of one architecture cost the same to run.
        price = min(found, key=lambda one: (not one.of_profile, one.price.input + one.price.output), default=None)
        host = _host(reference, factor, vendor, profile, at_us)
        evidence = [_architecture(factor, reference), f"host:{host.provider}"]
        evidence += [] if price is None else [price.evidence, PRICE_RATIO]
        yield Case(
            family=factor.model_id,
            profile=profile,
            model_ids=tuple(sorted(one.model_id for one in members)),
            closed=closed,
            total_b=log_normal(factor.params_total_b, BELIEFS.closed_log_sd_least if closed else 0.0),
            active_b=log_normal(factor.params_active_b, BELIEFS.closed_log_sd_least if closed else 0.0),
            layers=factor.layers,
            kv_bytes_per_token=factor.kv_bytes_per_token,
            state_bytes=factor.state_bytes,
            routed_share=factor.routed_share,
            precision=factor.precision,
            hardware=dict(host.hardware) or BELIEFS.profiles[profile].hardware,
            pue=_pue(host.pue),
            price=None if price is None else price.price,
            price_of_profile=price is not None and price.of_profile,
            evidence=tuple(dict.fromkeys(evidence)),
            date=max(
                day for day in (factor.valid_from, price and price.date, host.valid_from) if day and day != UNDATED
            )[:10],
        )


def _host(reference: Reference, factor: ModelFactor, vendor: HostFactor | None, profile: str, at_us: int) -> HostFactor:
    """The vendor's own machines where its kind of host is meant, else those of any host of that kind."""
    if vendor is not None and vendor.profile == profile and vendor.rung == "provider":
        return vendor
    stand_in = reference.resolve_host("azure" if profile == "hosted_scale" else "together", None, at_us)
    if stand_in is None:
        raise ValueError(f"{factor.model_id}: the tables have no host of profile {profile}")
    return stand_in


def _pue(pue: Range | None) -> LogNormal:
    if pue is None:
        return BELIEFS.pue
    return LogNormal(pue.mid, math.log(pue.high / pue.low) / (2.0 * Z80))


def _architecture(factor: ModelFactor, reference: Reference) -> str:
    """The id of the evidence on a model's size: of evidence.csv, else of sources.csv."""
    if factor.note.startswith(PUBLISHED):
        return factor.note.split()[0].rstrip(";,")
    ids = {_described(source): source.source_id for source in reference.sources()}
    return ids.get(factor.source, factor.source)


def _described(source: DataSource) -> str:
    """A source as the factors of the look-ups carry it."""
    return f"{source.name} ({source.version})" if source.version else source.name
