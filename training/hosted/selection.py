"""Which models get a row, and what the reference tables and the prices say of each."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from rice_stream.estimator.hosted.artefact import PROFILES
from rice_stream.estimator.method import ListPrice
from rice_stream.reference.lookup import Reference
from rice_stream.reference.sources import DataSource
from rice_stream.reference.types import ModelFactor
from training.hosted.cases import Case
from training.hosted.prices import Priced, Quote, chosen, identified, of_profile
from training.hosted.priors import BELIEFS, log_normal

SERVING_EVIDENCE = {"hosted_scale": "deepseek-infra-2025", "hosted_small": "neuralwatt-2026"}
SCALE_ONLY = frozenset({"openai", "anthropic", "google", "amazon", "xai", "microsoft"})
"""Vendors whose closed models run in their own or a hyperscaler's fleets alone."""
UNMEASURED = ("embed", "-tts", "transcribe", "image", "computer-use", "search-api", "audio", "voxtral", "guard")
"""Models whose tokens are not those of a text model that answers."""


def cases(reference: Reference, quotes: Iterable[Quote], at_us: int) -> list[Case]:
    """One case per model and kind of host: closed models, and open ones that have a price."""
    by_model: dict[str, list[Priced]] = defaultdict(list)
    for priced in identified(quotes, reference, at_us):
        by_model[priced.model_id].append(priced)
    families: dict[object, list[ModelFactor]] = defaultdict(list)
    for factor, _ in reference.models.rows(at_us):
        if factor.benchmark_only or any(word in factor.model_id for word in UNMEASURED):
            continue
        families[_family_key(factor)].append(factor)
    found: list[Case] = []
    for members in families.values():
        quoted = [priced for factor in members for priced in by_model[factor.model_id]]
        if quoted or members[0].estimated:
            found.extend(_cases(members, quoted, reference))
    return found


def _family_key(factor: ModelFactor) -> object:
    """Open models of one architecture are one family: DeepSeek serves V3 and R1 as one service. A closed model is its own:
    that two have the same parameters is then only somebody's guess.
    """
    if factor.estimated:
        return factor.model_id
    size = (factor.params_total_b.mid, factor.params_active_b.mid, factor.layers, factor.kv_bytes_per_token)
    return (factor.owner, factor.precision, *size)


def _cases(members: list[ModelFactor], priced: list[Priced], reference: Reference) -> Iterator[Case]:
    factor = min(members, key=lambda one: (len(one.model_id), one.model_id))
    ids = {_described(source): source.source_id for source in reference.sources()}
    for profile in PROFILES:
        if profile == "hosted_small" and factor.estimated and factor.owner in SCALE_ONLY:
            continue
        quote = chosen(priced, profile)
        own = quote is not None and profile == "hosted_scale"
        shares = BELIEFS.vendor_hardware.get(factor.owner, BELIEFS.profiles[profile].hardware)
        evidence = [ids.get(factor.source, factor.source), SERVING_EVIDENCE[profile]]
        if quote is not None:
            evidence.append(quote.source)
        closed = factor.estimated
        yield Case(
            family=factor.model_id,
            profile=profile,
            model_ids=tuple(sorted(one.model_id for one in members)),
            closed=closed,
            total_b=log_normal(factor.params_total_b, BELIEFS.closed_log_sd_least if closed else 0.0),
            active_b=log_normal(factor.params_active_b, BELIEFS.closed_log_sd_least if closed else 0.0),
            layers=factor.layers,
            kv_bytes_per_token=factor.kv_bytes_per_token,
            precision=factor.precision,
            hardware=shares if own or closed else BELIEFS.profiles[profile].hardware,
            price=None if quote is None else _price(quote.price),
            price_of_profile=quote is not None and of_profile(quote, profile),
            evidence=tuple(dict.fromkeys(evidence)),
            date=max("2026-08-01" if quote is None else quote.date, factor.valid_from or ""),
        )


def _described(source: DataSource) -> str:
    """A source as the factors of the look-ups carry it."""
    return f"{source.name} ({source.version})" if source.version else source.name


def _price(price: ListPrice) -> ListPrice:
    """A cache price that is missing, or 0, is the input price: 0 is no evidence."""
    return price if price.cache_read > 0.0 else ListPrice(price.input, price.input, price.output)
