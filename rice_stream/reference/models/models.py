"""From a model's name to its parameters, down a ladder that always ends in an estimate."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from rice_stream.quantities import Range
from rice_stream.reference.effective_dates import Dated
from rice_stream.reference.models.factors import model_factor
from rice_stream.reference.models.fallbacks import FallbackTable
from rice_stream.reference.models.names import Tokens, clean, forms, precision_in, stripped, tokens, without_neutral
from rice_stream.reference.models.sizes import NamedSize, size_in_name
from rice_stream.reference.models.words import DERIVED_WORDS, NEUTRAL, OWNERS, SIZE_WORDS
from rice_stream.reference.providers import ProviderTable
from rice_stream.reference.reading import Row
from rice_stream.reference.sources import SourceTable
from rice_stream.reference.types import MODEL_RUNGS, ModelFactor

SIZE_TOLERANCE = 1.5
"""Names round: `gemma-7b` has 8.5 B parameters, `xglm-4.5B` 5.1 B."""
MAX_INSIDE_TOKENS = 24
"""Longer names are not searched further for a known one inside."""


@dataclass(frozen=True, slots=True)
class _Alias:
    model_id: str
    rung: str


@dataclass(frozen=True, slots=True)
class _Spread:
    low: float
    high: float


class ModelTable:
    """models.csv, aliases.csv and fallbacks.csv, ready for look-up."""

    def __init__(self, tables: Mapping[str, Sequence[Row]], sources: SourceTable, providers: ProviderTable) -> None:
        self._providers = providers
        self._models = Dated(
            (row.text("model_id").lower(), row.valid_from_us, row.valid_to_us, model_factor(row, sources))
            for row in tables["models"]
        )
        self._aliases = Dated(
            (
                _alias_key(clean(row.text("alias")), providers.canonical(row.text("provider"))),
                row.valid_from_us,
                row.valid_to_us,
                _Alias(row.text("model_id").lower(), row.text("rung")),
            )
            for row in tables["aliases"]
        )
        self._index = _token_index(list(self._models), [key for key in self._aliases if "\n" not in key])
        self._first_tokens = frozenset(key[0] for key in self._index)
        self._longest = max((len(key) for key in self._index), default=0)
        self._spreads = {
            (row.text("quantity"), row.text("rung")): _Spread(row.number("factor_low"), row.number("factor_high"))
            for row in tables["spreads"]
        }
        self._fallbacks = FallbackTable(tables["fallbacks"], sources, providers)
        self.boundaries_us = self._models.boundaries_us | self._aliases.boundaries_us

    def resolve(
        self, provider: str | None, request_model: str | None, response_model: str | None, at_us: int
    ) -> ModelFactor:
        """The better of the two names; the response's where both are known, because it is what was billed."""
        best: ModelFactor | None = None
        for name in (response_model, request_model):
            if not name or not name.strip():
                continue
            factor = self.resolve_name(provider, name, at_us)
            if factor.known:
                return factor
            if best is None or MODEL_RUNGS.index(factor.rung) < MODEL_RUNGS.index(best.rung):
                best = factor
        return best if best is not None else self._fallbacks.unnamed(provider)

    def resolve_name(self, provider: str | None, name: str, at_us: int) -> ModelFactor:
        """One name down the whole ladder."""
        precision = precision_in(name)
        factor = self._known(provider, name, at_us) or self._from_size(name) or self._fallbacks.resolve(provider, name)
        return factor if precision is None else replace(factor, precision=precision)

    def _known(self, provider: str | None, name: str, at_us: int) -> ModelFactor | None:
        provider_id = self._providers.canonical(provider)
        factor = self._literal(clean(name), provider_id, at_us, plain=True)
        if factor is not None:
            return factor
        readings = forms(name)
        for form in readings[1:]:
            factor = self._literal(form.text, provider_id, at_us, plain=form.plain)
            if factor is not None:
                return factor
        spelled = [tokens(form.text) for form in readings if "/" not in form.text] or [tokens(readings[-1].text)]
        for name_tokens in spelled:
            for reading, dated in _readings(name_tokens):
                key = self._index.get(reading)
                if key is not None:
                    found = self._entry(key, at_us, plain=False)
                    return self._spread(found, "dated") if dated and found.rung != "dated" else found
        return self._inside(name, spelled[-1], at_us)

    def _literal(self, text: str, provider_id: str, at_us: int, *, plain: bool) -> ModelFactor | None:
        for key in (_alias_key(text, provider_id), text):
            if (provider_id or key == text) and (key in self._aliases or key in self._models):
                return self._entry(key, at_us, plain=plain)
        return None

    def _entry(self, key: str, at_us: int, *, plain: bool) -> ModelFactor:
        """The factor behind an id or alias; a name that had to be rewritten is at best an alias."""
        alias = self._aliases.get(key, at_us)
        rung = alias.rung if alias else "exact"
        model = self._models.get(alias.model_id if alias else key, at_us)
        if model is None:
            raise KeyError(key)
        return replace(model, rung="alias" if rung == "exact" and not plain else rung)

    def _inside(self, name: str, name_tokens: Tokens, at_us: int) -> ModelFactor | None:
        """The longest known model whose name stands whole inside this one (`prod-gpt4o-eu`).

        Not where the name goes on to another size: by a word (`-mini`), a number, or a size that is not the model's.
        """
        size = size_in_name(name)
        for words in (name_tokens[:MAX_INSIDE_TOKENS], without_neutral(name_tokens)[:MAX_INSIDE_TOKENS]):
            for key in self._contained(words):
                found = self._entry(key, at_us, plain=False)
                if size is None or _same_size(size, found):
                    return self._spread(found, "variant")
        return None

    def _contained(self, words: Tokens) -> Iterator[str]:
        """Keys of the known names that stand whole in the words, the longest first."""
        starts = [start for start, word in enumerate(words) if word in self._first_tokens]
        for length in range(min(len(words), self._longest), 1, -1):
            for start in starts:
                key = self._index.get(words[start : start + length]) if start + length <= len(words) else None
                if key is not None and not _goes_on(words, start, start + length):
                    yield key

    def _spread(self, factor: ModelFactor, rung: str) -> ModelFactor:
        """The same model with the rung's spread on both parameter counts."""
        spread = self._spreads[("params", rung)]
        return replace(
            factor,
            rung=rung,
            params_total_b=_widened(factor.params_total_b, spread),
            params_active_b=_widened(factor.params_active_b, spread),
        )

    def _from_size(self, name: str) -> ModelFactor | None:
        size = size_in_name(name)
        if size is None:
            return None
        spread = self._spreads[("params_total", "size_in_name")]
        return ModelFactor(
            model_id=size.label,
            params_total_b=_widened(Range(*size.total_b), spread),
            params_active_b=_widened(Range(*size.active_b), spread),
            kv_bytes_per_token=None,
            precision=None,
            rung="size_in_name",
            source="the size in the model's name, with the spread of spreads.csv",
            estimated=True,
        )

    def get(self, model_id: str, at_us: int) -> ModelFactor | None:
        """The row of an id, None where there is none."""
        return self._models.get(model_id.lower(), at_us)

    def rows(self, at_us: int) -> Iterator[tuple[ModelFactor, list[str]]]:
        """Every model as of a time with the aliases that lead to it then."""
        spellings: dict[str, list[str]] = {}
        for key in self._aliases:
            alias = self._aliases.get(key, at_us)
            if alias is not None:
                spellings.setdefault(alias.model_id, []).append(key.split("\n")[0])
        for key in sorted(self._models):
            model = self._models.get(key, at_us)
            if model is not None:
                yield model, sorted(set(spellings.get(key, [])))


def _alias_key(alias: str, provider_id: str) -> str:
    """Aliases of one provider live beside the general ones; the separator occurs in no cleaned name."""
    return f"{alias}\n{provider_id}" if provider_id else alias


def _goes_on(words: Tokens, start: int, end: int) -> bool:
    """Whether the words around a known name make it another model: `gpt-4` in `gpt-4-7` or `gpt-4-turbo-mini`."""
    if end < len(words) and words[end][0].isdigit():
        return True
    following = next((word for word in words[end:] if word not in NEUTRAL), "")
    return following in SIZE_WORDS or (start > 0 and words[start - 1] in DERIVED_WORDS)


def _same_size(size: NamedSize, factor: ModelFactor) -> bool:
    """Whether the size in a name may be that of the model: of its total or (`llama-4-scout-17b`) its active count."""
    stated = size.total_b[1]
    return any(
        value.low / SIZE_TOLERANCE <= stated <= value.high * SIZE_TOLERANCE
        for value in (factor.params_total_b, factor.params_active_b)
    )


def _widened(value: Range, spread: _Spread) -> Range:
    return Range(value.low * spread.low, value.mid, value.high * spread.high)


def _token_index(model_ids: Sequence[str], aliases: Sequence[str]) -> dict[Tokens, str]:
    """Tokens of every id and alias -> its key; ids before aliases, whole names before bare ones."""
    index: dict[Tokens, str] = {}
    for key in (*model_ids, *aliases):
        index.setdefault(tokens(key.rsplit("/", 1)[-1]), key)
    for key in (*model_ids, *aliases):
        bare = without_neutral(tokens(key.rsplit("/", 1)[-1]))
        if len(bare) > 1:
            index.setdefault(bare, key)
    index.pop((), None)
    return index


def _readings(name: Tokens) -> Iterator[tuple[Tokens, bool]]:
    """The name's tokens, shortened from the tail, without tuning words, each also without its maker in front."""
    bare = without_neutral(name)
    for reading, dated in ((name, False), (bare, False), *stripped(name), *stripped(bare)):
        yield reading, dated
        if len(reading) > 1 and reading[0] in OWNERS:
            yield reading[1:], dated
