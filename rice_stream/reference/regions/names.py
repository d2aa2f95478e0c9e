"""How events spell a place, and which place that is. Pure text rules over the spellings of regions.csv."""

import re
from collections.abc import Iterable, Mapping, Sequence

from rice_stream.reference.reading import Row

MAX_NAME_CHARACTERS = 128

CLOUD_WORDS: Mapping[str, str] = {
    "aws": "aws",
    "amazon": "aws",
    "amazonaws": "aws",
    "bedrock": "aws",
    "azure": "azure",
    "microsoft": "azure",
    "gcp": "gcp",
    "google": "gcp",
    "vertex": "gcp",
    "vertexai": "gcp",
    "oci": "oci",
    "oracle": "oci",
    "ovh": "ovh",
    "ovhcloud": "ovh",
}
"""What may stand before a region's name."""

_CLOUD_ORDER = ("aws", "azure", "gcp", "oci", "ovh")
"""Which cloud a bare name means where several share it."""

_AREA_PREFIXES: Mapping[str, str] = {
    "us": "country:US",
    "ca": "country:CA",
    "uk": "country:GB",
    "cn": "country:CN",
    "il": "country:IL",
    "mx": "country:MX",
    "jp": "country:JP",
    "au": "country:AU",
    "australia": "country:AU",
    "eu": "area:eu27",
    "europe": "area:europe",
}
"""`us-east-9`: a region that no list carries yet lies at least there. `sa`, `me`, `af`, `ap` are parts of the world in
cloud names and countries elsewhere: they say nothing."""

_AMBIGUOUS_PREFIXES = frozenset({"sa", "me", "af", "ap", "as", "na", "la", "ea"})
_UNUSABLE = frozenset({"", "unknown", "none", "null", "n/a", "na.", "not-available", "default", "auto", "-"})
_AWS_ZONE = re.compile(r"^([a-z]{2}(?:-[a-z]+)+-\d+)(?:[a-z]|-[a-z0-9-]+)$")
_GCP_ZONE = re.compile(r"^([a-z]+-[a-z]+\d+)-[a-z]$")
_AZURE_US = re.compile(r"^(?:north|south|east|west|central)+us\d*(?:euap|stage)?$")
_SEPARATOR = re.compile(r"^([a-z]+)[:/|](.+)$")
_PLAIN = re.compile(r"[^a-z0-9]+")
_MIN_COUNTRY_CHARACTERS = 5
"""Shorter country names occur inside other words."""


def clean(name: str) -> str:
    """Lower case, trimmed, white space and underscores as hyphens, cut to MAX_NAME_CHARACTERS."""
    return re.sub(r"[\s_]+", "-", name.strip().lower()[:MAX_NAME_CHARACTERS].strip())


class RegionNames:
    """All spellings of all places."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._ids = {clean(row.text("region_id")): row.text("region_id") for row in rows}
        self._clouds: dict[str, dict[str, str]] = {cloud: {} for cloud in _CLOUD_ORDER}
        self._spellings: dict[str, str] = {}
        self._country_names: list[tuple[str, str]] = []
        for row in rows:
            place, kind = row.text("region_id"), row.text("kind")
            own = [row.text("region_id").split(":", 1)[-1]] if kind == "cloud_region" else []
            for spelling in filter(None, row.text("spellings").split("|")):
                self._ids.setdefault(clean(spelling), place)
                self._spellings.setdefault(_plain(spelling), place)
            for name in (
                *own,
                *([row.text("name")] if kind == "cloud_region" and row.text("provider") == "azure" else []),
            ):
                self._clouds.setdefault(row.text("provider"), {}).setdefault(_plain(name), place)
            if kind == "country":
                names = (_plain(text) for text in (row.text("name"), *row.text("spellings").split("|")))
                self._country_names += [(name, place) for name in names if len(name) >= _MIN_COUNTRY_CHARACTERS]
        self._country_names.sort(key=lambda item: (-len(item[0]), item[0]))

    def identify(self, name: str | None, cloud: str = "") -> str | None:
        """The place that a spelling names, None where it names none. `cloud` decides between equal bare names."""
        if not name:
            return None
        text = clean(name)
        if text in _UNUSABLE:
            return None
        if text in self._ids:
            return self._ids[text]
        prefixed = _SEPARATOR.match(text)
        if prefixed:
            prefix, rest = prefixed.groups()
            own = CLOUD_WORDS.get(_plain(prefix))
            return self._in_cloud(rest, [own]) if own else self._anywhere(rest, cloud)
        return self._anywhere(text, cloud)

    def _anywhere(self, text: str, cloud: str) -> str | None:
        found = self._listed(text, [cloud, *_CLOUD_ORDER] if cloud else _CLOUD_ORDER)
        return found or self._spellings.get(_plain(text)) or self._guess(text)

    def _in_cloud(self, text: str, clouds: Iterable[str]) -> str | None:
        return self._listed(text, clouds) or self._guess(text)

    def _listed(self, text: str, clouds: Iterable[str]) -> str | None:
        """A region of one of the clouds, also as one of its zones (`us-east-1a`, `us-central1-b`)."""
        zone = _AWS_ZONE.match(text) or _GCP_ZONE.match(text)
        for candidate in (text, zone.group(1) if zone else ""):
            plain = _plain(candidate)
            for cloud in clouds:
                place = self._clouds.get(cloud, {}).get(plain)
                if place is not None:
                    return place
        return None

    def _guess(self, text: str) -> str | None:
        """The country or area of a region that no list carries: by its prefix or by a country's name inside it."""
        head = text.split("-", 1)[0]
        if "-" in text and head in _AREA_PREFIXES:
            return _AREA_PREFIXES[head]
        if _AZURE_US.match(text):
            return "country:US"
        plain = _plain(text)
        for name, place in self._country_names:
            if name in plain:
                return place
        if "-" in text and len(head) == 2 and head not in _AMBIGUOUS_PREFIXES:
            return self._spellings.get(head)
        return None


def _plain(text: str) -> str:
    return _PLAIN.sub("", text.lower())
