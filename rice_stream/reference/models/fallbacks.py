"""fallbacks.csv: what to take for a model of which only the family, a size word, the vendor or nothing is known."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import translate

from rice_stream.reference.models.factors import model_factor
from rice_stream.reference.models.names import clean, forms, joined, tokens
from rice_stream.reference.providers import ProviderTable
from rice_stream.reference.reading import Row
from rice_stream.reference.sources import SourceTable
from rice_stream.reference.types import ModelFactor

FAMILY_OWNERS: Mapping[str, str] = {
    "gpt": "openai",
    "openai": "openai",
    "claude": "anthropic",
    "gemini": "google",
    "nova": "amazon",
    "grok": "xai",
}
"""Who makes every member of a family (by the first word of its id): only families of closed models."""
_OPEN_FAMILIES = frozenset({"family:gpt-oss"})

_WHOLE_WORD = re.compile(r"(?<=-)[a-z0-9]+(?=-)")
_HEAD = re.compile(r"[/.]")


@dataclass(frozen=True, slots=True)
class _Pattern:
    """`words`: tokens that a name must have for the pattern to fit, so that most patterns need no matching."""

    text: str
    words: frozenset[str]
    matches: re.Pattern[str]
    factor: ModelFactor


class FallbackTable:
    """The four lowest rungs: family, size_class, provider, default."""

    def __init__(self, rows: Sequence[Row], sources: SourceTable, providers: ProviderTable) -> None:
        self._providers = providers
        self._patterns = _patterns(rows, "family", sources) + _patterns(rows, "size_class", sources)
        self._owners = {
            row.text("pattern"): replace(model_factor(row, sources), owner=row.text("pattern"))
            for row in rows
            if row.text("rung") == "provider"
        }
        self._default = next(model_factor(row, sources) for row in rows if row.text("rung") == "default")

    def resolve(self, provider: str | None, name: str) -> ModelFactor:
        """For a name that is unknown and states no size: family, size word, vendor (by name, then provider), default."""
        name_tokens = tokens(forms(name)[-1].text)
        text, words = joined(name_tokens), frozenset(name_tokens)
        for pattern in self._patterns:
            if pattern.words <= words and pattern.matches.match(text):
                return pattern.factor
        factor = self._owners.get(self._providers.owner(_HEAD.split(clean(name), maxsplit=1)[0]) or "")
        return factor or self.unnamed(provider)

    def unnamed(self, provider: str | None) -> ModelFactor:
        """For a request that names no model."""
        return self._owners.get(self._providers.owner(provider) or "", self._default)


def _patterns(rows: Sequence[Row], rung: str, sources: SourceTable) -> list[_Pattern]:
    """Patterns of one rung, the longest first: the most specific wins, whatever the order in the file."""
    found = []
    for row in rows:
        if row.text("rung") == rung:
            text = row.text("pattern").lower()
            words = frozenset(_WHOLE_WORD.findall(text))
            factor = replace(model_factor(row, sources), owner=_owner(row.text("fallback_id")))
            found.append(_Pattern(text, words, re.compile(translate(text)), factor))
    return sorted(found, key=lambda pattern: (-len(pattern.text.replace("*", "")), pattern.text))


def _owner(fallback_id: str) -> str:
    """The maker of a family's members, an empty string where several make them or anybody may serve them."""
    if fallback_id in _OPEN_FAMILIES:
        return ""
    return FAMILY_OWNERS.get(fallback_id.removeprefix("family:").split("-", 1)[0], "")
