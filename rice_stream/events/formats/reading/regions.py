"""Where a model ran, as far as an item tells. Look-up of the names is the reference tables' business.

The ladder, each rung with the word that `region_source` records: what the provider says itself (`provider_geo`), the
destination that the span names (`span`), the endpoint that was called (`endpoint`). Below them the worker's default
(`config_default`) and the provider's assumed place follow; they are not this package's.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from rice_stream.events.formats.reading.values import text
from rice_stream.events.unnamed import UNKNOWN

_ADDRESS_CHARACTERS_MAX = 512
_SAYS_NOTHING = frozenset({"global", "unknown", "none", "null", "default", "auto", "not_available", "n/a", "any"})
"""`global` means that the provider chose: the rungs below know more."""

_CLOUDS = {"aws": "aws", "azure": "azure", "gcp": "gcp", "oracle_cloud": "oci"}
_HOST = re.compile(r"^(?:[a-z][a-z0-9+.-]*://)?(?:[^/@\s]*@)?([a-z0-9.-]+)", re.IGNORECASE)
_LOCATION = re.compile(r"/locations/([a-z]+-[a-z]+\d+|us|eu)(?:/|$)")
_ENDPOINTS = (
    (re.compile(r"(?:^|[.-])([a-z]{2}(?:-[a-z]+)+-\d)\.(?:vpce\.)?amazonaws\.com(?:\.cn)?$"), "aws:"),
    (re.compile(r"\.([a-z]{2}(?:-[a-z]+)+-\d)\.api\.aws$"), "aws:"),
    (re.compile(r"^([a-z]+-[a-z]+\d+)-aiplatform\.googleapis\.com$"), "gcp:"),
    (re.compile(r"^aiplatform\.([a-z]+(?:-[a-z]+\d+)?)\.rep\.googleapis\.com$"), ""),
    (re.compile(r"^([a-z]+\d?)\.api\.cognitive\.microsoft\.com$"), "azure:"),
    (re.compile(r"\.([a-z]+\d?)\.(?:models\.ai|inference\.ai|inference\.ml)\.azure\.com$"), "azure:"),
    (re.compile(r"^inference\.generativeai\.([a-z]+-[a-z]+-\d)\.oci\.oraclecloud\.com$"), "oci:"),
    (re.compile(r"^(us|eu)\.api\.openai\.com$"), ""),
)


def of_endpoint(address: object) -> str | None:
    """The region in a URL or host name of a cloud's model service (`aws:us-east-1`); None where it names none.

    >>> of_endpoint("https://bedrock-runtime.eu-west-3.amazonaws.com/model/x/invoke")
    'aws:eu-west-3'
    """
    found = text(address)
    return _of_address(found[:_ADDRESS_CHARACTERS_MAX]) if found is not None else None


@lru_cache(maxsize=1024)
def _of_address(address: str) -> str | None:
    """Remembered: a stream of events calls few endpoints, over and over."""
    host_match = _HOST.match(address)
    if host_match is None:
        return None
    host = host_match.group(1).lower()
    for pattern, prefix in _ENDPOINTS:
        match = pattern.search(host)
        if match:
            return prefix + match.group(1)
    if host.endswith("googleapis.com"):
        location = _LOCATION.search(address)
        if location:
            return location.group(1) if location.group(1) in ("us", "eu") else f"gcp:{location.group(1)}"
    return None


def in_cloud(cloud: object, region: object) -> str | None:
    """The region with its cloud's name in front, so that equal names of two clouds stay apart.

    `cloud` as OpenTelemetry's `cloud.provider` spells it; one whose regions the tables do not list adds nothing.
    """
    found = _said(region)
    prefix = _CLOUDS.get(text(cloud) or "")
    return found if found is None or prefix is None or ":" in found else f"{prefix}:{found}"


def first_known(rungs: Iterable[tuple[object, str]]) -> tuple[str | None, str]:
    """(region, its source) of the first rung that says something; (None, "unknown") if none does."""
    for region, source in rungs:
        found = _said(region)
        if found is not None:
            return found, source
    return None, UNKNOWN


def _said(region: object) -> str | None:
    found = text(region)
    return None if found is None or found.lower() in _SAYS_NOTHING else found
