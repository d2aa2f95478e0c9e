"""prices.csv: from a provider and a model's name to a list price, and to the lowest that anybody lists."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from rice_stream.quantities import ListPrice
from rice_stream.reference.effective_dates import Dated
from rice_stream.reference.models.models import ModelTable
from rice_stream.reference.models.names import Tokens, clean, forms, stripped, tokens
from rice_stream.reference.providers import ProviderTable
from rice_stream.reference.reading import Row
from rice_stream.reference.sources import SourceTable
from rice_stream.reference.types import ModelFactor, PriceFactor

TIERS = frozenset({"fast", "turbo", "highspeed"})
"""Words that say how fast a model is served: tuning words for parameters, but not for prices."""
_SAME_MODEL_RUNGS = ("exact", "alias")
"""Not `dated`: names such as `deepseek-chat` move from model to model, and snapshots are found by their spelling."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One (provider, model) of the table, whose price may change with time."""

    key: str
    provider_id: str
    name: str
    spelled: frozenset[Tokens]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A name whose price is looked up, and the model behind it."""

    name: str
    model: ModelFactor

    @property
    def readings(self) -> list[Tokens]:
        """Every spelling as it stands, then each without its dates and tuning words."""
        spelled = _spelled(clean(self.name))
        return list(dict.fromkeys((*spelled, *(reading for one in spelled for reading in _shorter(one)))))


@dataclass(frozen=True, slots=True)
class _Index:
    """The rows by their key, and keys by how a name may be spelled and by the model behind it."""

    entries: dict[str, _Entry]
    by_reading: dict[Tokens, list[str]]
    by_model: dict[str, list[str]]


class PriceTable:
    """prices.csv, ready for look-up.

    Names match as the models' do: without a cloud's wrapping, without case and separators, then without dates and tuning
    words, then by the model that they resolve to. A row whose input or output price is 0 is no evidence and is left out.
    """

    def __init__(self, rows: Sequence[Row], sources: SourceTable, providers: ProviderTable, models: ModelTable) -> None:
        self._providers = providers
        self._models = models
        self._usable = [row for row in rows if row.number("usd_per_mtok_input") > 0 < row.number("usd_per_mtok_output")]
        priced = [(row, _price(row, sources)) for row in self._usable]
        dated = [(row.lapses, (_key(row), row.valid_from_us, row.valid_to_us, price)) for row, price in priced]
        self._prices = Dated(
            (entry for lapses, entry in dated if not lapses), lapsing=(entry for lapses, entry in dated if lapses)
        )
        self._by_evidence = {price.evidence_id: price for _, price in priced}
        self.boundaries_us = self._prices.boundaries_us

    @cached_property
    def _index(self) -> _Index:
        """Built when the first price is looked up: most commands ask for none."""
        index = _Index({}, {}, {})
        for row in self._usable:
            key, name, provider = _key(row), clean(row.text("model")), row.text("provider")
            if key in index.entries:
                continue
            entry = _Entry(key, self._host(provider), name, frozenset(_spelled(name)))
            index.entries[key] = entry
            for reading in {reading for spelled in entry.spelled for reading in _sold_as(spelled)}:
                index.by_reading.setdefault(reading, []).append(key)
            model = self._models.resolve_name(provider, name, row.valid_from_us)
            if model.rung in _SAME_MODEL_RUNGS:
                index.by_model.setdefault(model.model_id, []).append(key)
        return index

    def resolve(
        self, provider: str | None, request_model: str | None, response_model: str | None, at_us: int
    ) -> PriceFactor | None:
        """The provider's list price of the model that answered, else its vendor's, else a middle one of those listed.

        None where nobody lists the model.
        """
        names = [name for name in (response_model, request_model) if name and name.strip()]
        asked = [_Asked(name, self._models.resolve_name(provider, name, at_us)) for name in names]
        found = next(((one, keys) for one in asked if (keys := self._spelled_so(one))), None)
        found = found or next(((one, keys) for one in asked if (keys := self._same_model(one))), None)
        if found is None:
            return None
        name, keys = found
        hosts = (self._host(provider), self._host(name.model.owner))
        if not any(self._index.entries[key].provider_id in hosts for key in keys):
            keys = list(dict.fromkeys((*keys, *self._same_model(name))))
        listed = [(self._index.entries[key], price) for key in keys if (price := self._prices.get(key, at_us))]
        if not listed:
            return None
        lowest = ListPrice(
            min(price.usd_per_mtok.input for _, price in listed),
            min(price.usd_per_mtok.cache_read for _, price in listed),
            min(price.usd_per_mtok.output for _, price in listed),
        )
        rung, chosen = _choose(name, hosts, listed)
        return chosen.with_lowest(lowest, rung)

    def _spelled_so(self, asked: _Asked) -> list[str]:
        """Keys of the rows under one of the name's spellings."""
        return list(dict.fromkeys(key for reading in asked.readings for key in self._index.by_reading.get(reading, ())))

    def _same_model(self, asked: _Asked) -> list[str]:
        """Keys of the rows of the model that the name resolves to."""
        return self._index.by_model.get(asked.model.model_id, []) if asked.model.known else []

    def _host(self, provider: str | None) -> str:
        return self._providers.canonical(provider) or (provider or "").strip().lower()

    def of_evidence(self, evidence_id: str) -> PriceFactor | None:
        """The row of an evidence id."""
        return self._by_evidence.get(evidence_id)


def _choose(
    asked: _Asked, hosts: Sequence[str], listed: Sequence[tuple[_Entry, PriceFactor]]
) -> tuple[str, PriceFactor]:
    """The row of the best host that has one, under the spelling that is closest to the name; the cheapest of equals."""
    readings = [*asked.readings, tokens(asked.model.model_id)]

    def fit(one: tuple[_Entry, PriceFactor]) -> tuple[int, float, str]:
        entry, price = one
        like = next((place for place, reading in enumerate(readings) if reading in entry.spelled), len(readings))
        like = -1 if entry.name == clean(asked.name) else like
        return like, price.usd_per_mtok.input + price.usd_per_mtok.output, entry.key

    for rung, host in zip(("provider", "vendor"), hosts, strict=True):
        own = [one for one in listed if host and one[0].provider_id == host]
        if own:
            return rung, min(own, key=fit)[1]
    ordered = sorted(listed, key=lambda one: fit(one)[1:])
    return "listed", ordered[(len(ordered) - 1) // 2][1]


def _key(row: Row) -> str:
    return f"{row.text('provider').lower()}\n{clean(row.text('model'))}"


def _price(row: Row, sources: SourceTable) -> PriceFactor:
    into, out = row.number("usd_per_mtok_input"), row.number("usd_per_mtok_output")
    cached = row.optional_number("usd_per_mtok_cache_read")
    price = ListPrice(into, cached or into, out)
    day = (row.valid_from or "undated")[:10]
    return PriceFactor(
        provider=row.text("provider"),
        model=row.text("model"),
        usd_per_mtok=price,
        lowest_usd_per_mtok=price,
        rung="provider",
        evidence_id=f"price:{row.text('provider')}/{row.text('model')}@{day}",
        source=sources.describe(row.text("source")),
        valid_from=row.valid_from,
        overlaid=row.overlaid,
        source_date=sources.published(row.text("source")),
    )


def _spelled(name: str) -> list[Tokens]:
    """The tokens of each reading of a name, the most literal first."""
    readings = forms(name)
    found = [tokens(form.text) for form in readings if "/" not in form.text] or [tokens(readings[-1].text)]
    return [one for one in dict.fromkeys(found) if one]


def _shorter(spelled: Tokens) -> Iterator[Tokens]:
    """A spelling without dates and tuning words, as long as two tokens are left: `deepseek-v3` is not any `deepseek`."""
    return (reading for reading, _ in stripped(spelled) if len(reading) > 1)


def _sold_as(spelled: Tokens) -> Iterator[Tokens]:
    """The readings under which a row is found: a faster edition has a price of its own, and may be another model."""
    yield spelled
    for reading in _shorter(spelled):
        if not TIERS & set(spelled[len(reading) :]):
            yield reading
