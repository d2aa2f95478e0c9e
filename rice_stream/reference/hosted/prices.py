"""prices.csv: from a provider and a model's name to a list price, and to the lowest that anybody lists."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rice_stream.reference.effective_dates import Dated
from rice_stream.reference.models.models import ModelTable
from rice_stream.reference.models.names import Tokens, clean, forms, stripped, tokens
from rice_stream.reference.providers import ProviderTable
from rice_stream.reference.reading import Row
from rice_stream.reference.sources import SourceTable
from rice_stream.reference.types import PriceFactor, TokenPrices

_SAME_MODEL_RUNGS = ("exact", "alias", "dated")


@dataclass(frozen=True, slots=True)
class _Entry:
    """One (provider, model) of the table, whose price may change with time."""

    key: str
    provider_id: str
    name: str
    spelled: frozenset[Tokens]


class PriceTable:
    """prices.csv, ready for look-up.

    Names match as the models' do: without a cloud's wrapping, without case and separators, then without dates and tuning
    words, then by the model that they resolve to. A row whose input or output price is 0 is no evidence and is left out.
    """

    def __init__(self, rows: Sequence[Row], sources: SourceTable, providers: ProviderTable, models: ModelTable) -> None:
        self._providers = providers
        self._models = models
        usable = [row for row in rows if row.number("usd_per_mtok_input") > 0 < row.number("usd_per_mtok_output")]
        self._prices = Dated((_key(row), row.valid_from_us, row.valid_to_us, _price(row, sources)) for row in usable)
        self.boundaries_us = self._prices.boundaries_us
        self._entries: dict[str, _Entry] = {}
        self._readings: dict[Tokens, list[str]] = {}
        self._by_model: dict[str, list[str]] = {}
        for row in usable:
            if _key(row) not in self._entries:
                self._add(row)

    def _add(self, row: Row) -> None:
        name, key = clean(row.text("model")), _key(row)
        provider = row.text("provider")
        entry = _Entry(key, self._providers.canonical(provider) or provider.lower(), name, frozenset(_spelled(name)))
        self._entries[key] = entry
        for reading in {reading for spelled in entry.spelled for reading in _readings(spelled)}:
            self._readings.setdefault(reading, []).append(key)
        model = self._models.resolve_name(provider, name, row.valid_from_us)
        if model.rung in _SAME_MODEL_RUNGS:
            self._by_model.setdefault(model.model_id, []).append(key)

    def resolve(
        self, provider: str | None, request_model: str | None, response_model: str | None, at_us: int
    ) -> PriceFactor | None:
        """The provider's list price of the model that answered, else its vendor's, else a middle one of those listed.

        None where nobody lists the model.
        """
        names = [name for name in (response_model, request_model) if name and name.strip()]
        keys, name = self._matching(provider, names, at_us)
        if not keys:
            return None
        listed = [(self._entries[key], price) for key in keys if (price := self._prices.get(key, at_us))]
        lowest = TokenPrices(
            min(price.usd_per_mtok.input for _, price in listed),
            min(price.usd_per_mtok.cache_read for _, price in listed),
            min(price.usd_per_mtok.output for _, price in listed),
        )
        rung, chosen = self._choose(provider, name, listed, at_us)
        return chosen.with_lowest(lowest, rung)

    def _choose(
        self, provider: str | None, name: str, listed: Sequence[tuple[_Entry, PriceFactor]], at_us: int
    ) -> tuple[str, PriceFactor]:
        spelled = frozenset(_spelled(name))

        def fit(one: tuple[_Entry, PriceFactor]) -> tuple[int, float, str]:
            entry, price = one
            like = 0 if entry.name == clean(name) else 1 if entry.spelled & spelled else 2
            return like, price.usd_per_mtok.input + price.usd_per_mtok.output, entry.key

        vendor = self._models.resolve_name(provider, name, at_us).owner
        for rung, who in (("provider", provider), ("vendor", vendor)):
            host = self._providers.canonical(who) or (who or "").strip().lower()
            own = [one for one in listed if host and one[0].provider_id == host]
            if own:
                return rung, min(own, key=fit)[1]
        ordered = sorted(listed, key=lambda one: fit(one)[1:])
        return "listed", ordered[(len(ordered) - 1) // 2][1]

    def _matching(self, provider: str | None, names: Sequence[str], at_us: int) -> tuple[list[str], str]:
        """Keys of the rows of the first name that has any, by its spelling, then by the model behind it."""
        for name in names:
            for reading in _in_order(_spelled(clean(name))):
                if reading in self._readings:
                    return self._readings[reading], name
        for name in names:
            model = self._models.resolve_name(provider, name, at_us)
            if model.known and model.model_id in self._by_model:
                return self._by_model[model.model_id], name
        return [], ""


def _key(row: Row) -> str:
    return f"{row.text('provider').lower()}\n{clean(row.text('model'))}"


def _price(row: Row, sources: SourceTable) -> PriceFactor:
    into, out = row.number("usd_per_mtok_input"), row.number("usd_per_mtok_output")
    cached = row.optional_number("usd_per_mtok_cache_read")
    price = TokenPrices(into, cached or into, out)
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
    )


def _spelled(name: str) -> list[Tokens]:
    """The tokens of each reading of a name, the most literal first."""
    readings = forms(name)
    found = [tokens(form.text) for form in readings if "/" not in form.text] or [tokens(readings[-1].text)]
    return [one for one in dict.fromkeys(found) if one]


def _readings(spelled: Tokens) -> Iterable[Tokens]:
    return dict.fromkeys((spelled, *(reading for reading, _ in stripped(spelled))))


def _in_order(spelled: Sequence[Tokens]) -> Iterable[Tokens]:
    """Every spelling as it stands before any that lost a date or a tuning word."""
    yield from spelled
    for one in spelled:
        yield from (reading for reading, _ in stripped(one))
