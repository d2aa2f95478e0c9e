"""providers.csv: who a provider is, whose fleet it runs on and where, as far as that is known or assumed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rice_stream.reference.reading import Row
from rice_stream.reference.sources import SourceTable

ON_PREMISES = "on_premises"
"""The fleet of software that runs on the user's own machines."""

_PLAIN = re.compile(r"[^a-z0-9]+")
_VERTEX_CHILD = re.compile(r"^vertex_ai-")


@dataclass(frozen=True, slots=True)
class Provider:
    """`fleet` names a cloud in pue.csv (`fleet:aws`); `region` is where it is assumed to run, where nothing is known."""

    provider: str
    owner: str
    fleet: str
    fleet_basis: str
    region: str
    source: str
    note: str


class ProviderTable:
    """Look-up of a provider under any of its spellings."""

    def __init__(self, rows: Sequence[Row], sources: SourceTable) -> None:
        self._by_spelling: dict[str, Provider] = {}
        for row in rows:
            provider = Provider(
                row.text("provider"),
                row.text("owner"),
                row.text("fleet"),
                row.text("fleet_basis"),
                row.text("region"),
                sources.describe(row.text("source")),
                row.text("note"),
            )
            for spelling in (provider.provider, *row.text("spellings").split("|")):
                if spelling:
                    self._by_spelling.setdefault(_plain(spelling), provider)

    def get(self, name: str | None) -> Provider | None:
        """The provider, None for no name or an unknown one."""
        if not name:
            return None
        text = name.strip().lower()[:128]
        found = self._by_spelling.get(_plain(text))
        return found or (self._by_spelling.get("vertexai") if _VERTEX_CHILD.match(text) else None)

    def canonical(self, name: str | None) -> str:
        """The provider's own id, an empty string where it is unknown."""
        provider = self.get(name)
        return provider.provider if provider else ""

    def owner(self, name: str | None) -> str | None:
        """Whose models it serves where nothing better is known."""
        provider = self.get(name)
        return provider.owner or None if provider else None


def _plain(text: str) -> str:
    return _PLAIN.sub("", text.lower())
