"""Carbon files as one figure of a month: what a cloud states of the services that serve models. Pure: takes text, from anybody."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rice_stream.errors import UsageError
from rice_stream.reports.carbon_exports.aws import read_aws
from rice_stream.reports.carbon_exports.azure import read_azure_carbon
from rice_stream.reports.carbon_exports.google import read_google
from rice_stream.reports.carbon_exports.rows import CarbonReader, CarbonRow, NotCarbon
from rice_stream.reports.usage_exports.reading import read_rows

CARBON_READERS: Mapping[str, CarbonReader] = {
    "bedrock": read_aws,
    "azure": read_azure_carbon,
    "vertex": read_google,
}
"""By the provider whose prompts are compared: who sells models alone gives out no carbon."""
SERVICES: Mapping[str, tuple[str, ...]] = {
    "bedrock": ("AmazonBedrock", "Amazon Bedrock"),
    "azure": ("microsoft.cognitiveservices/accounts", "microsoft.machinelearningservices/workspaces"),
    "vertex": ("Vertex AI", "Vertex AI API", "Generative Language API", "Gemini API"),
}
"""What each cloud calls what serves models."""
ALL_SERVICES = "(all)"
"""What stands for rows that name no service: a total of everything that the account runs."""
_NAMES_MAX = 5
_NAME_LENGTH_MAX = 100


class FileCarbon(NamedTuple):
    """What a file states of a month in UTC: micrograms of `rows` rows, and how many others are left out and why.

    `embodied`: None where the file does not say.
    """

    month: str
    ugco2e: int
    embodied: bool | None
    rows: int
    skipped: int
    skipped_why: Sequence[str]


def read_carbon(
    text: str, provider: str, month: str, *, market: bool = False, services: Sequence[str] = ()
) -> FileCarbon:
    """A month's figure by location, or by the market. Rows of other months and services are left out, and those of an older
    version of the cloud's model where the month was worked out again.

    UsageError: no such provider, a row that cannot be read, nothing of the month or of the services, or not by that basis.
    """
    if provider not in CARBON_READERS:
        raise UsageError(f"--provider {provider} gives out no carbon; choose from {', '.join(CARBON_READERS)}")
    read = list(read_rows(text, CARBON_READERS[provider], f"no carbon of {provider} as it is known here"))
    rows = [each for each in read if isinstance(each, CarbonRow)]
    whys = list(dict.fromkeys(each.why[:_NAME_LENGTH_MAX] for each in read if isinstance(each, NotCarbon)))
    if not rows:
        raise UsageError(f"nothing in the file states carbon of {provider}: {_listed(whys) or 'it has no rows'}")
    chosen, left = _of_month(rows, month)
    chosen, others = _of_services(chosen, services or SERVICES[provider])
    chosen, older = _of_latest_version(chosen)
    amounts = [row.market_ugco2e if market else row.location_ugco2e for row in chosen]
    stated = [amount for amount in amounts if amount is not None]
    if len(stated) < len(amounts):
        raise UsageError(f"the file has rows without a figure by {'the market' if market else 'location'}")
    whys += [f"of other services: {_listed(sorted({_name(row) for row in others}))}"] if others else []
    whys += [f"of other months: {_listed(sorted({row.month or '' for row in left}))}"] if left else []
    whys += ["of an older version of the cloud's model"] if older else []
    said = [row.embodied for row in chosen if row.embodied is not None]
    embodied = any(said) if said else None
    return FileCarbon(month, sum(stated), embodied, len(chosen), len(read) - len(chosen), whys[:_NAMES_MAX])


_Split = tuple[list[CarbonRow], list[CarbonRow]]


def _of_month(rows: Sequence[CarbonRow], month: str) -> _Split:
    chosen = [row for row in rows if row.month in (None, month)]
    if not chosen:
        months = _listed(sorted({row.month for row in rows if row.month is not None}, reverse=True))
        raise UsageError(f"the file has nothing of {month}, but of {months}")
    return chosen, [row for row in rows if row.month not in (None, month)]


def _of_services(rows: Sequence[CarbonRow], services: Sequence[str]) -> _Split:
    wanted = {service.lower() for service in services}
    chosen = [row for row in rows if _name(row).lower() in wanted]
    if not chosen:
        there = _listed(sorted({_name(row) for row in rows}))
        raise UsageError(f"the file has nothing of {_listed(services)}, but of {there}: say which with --service")
    return chosen, [row for row in rows if _name(row).lower() not in wanted]


def _of_latest_version(rows: Sequence[CarbonRow]) -> _Split:
    latest = max(map(_version, rows))
    return [row for row in rows if _version(row) == latest], [row for row in rows if _version(row) != latest]


def _version(row: CarbonRow) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d{1,9}", row.version)[:4])


def _name(row: CarbonRow) -> str:
    return row.service or ALL_SERVICES


def _listed(names: Sequence[str]) -> str:
    """The first ones, whatever is in them."""
    shown = [name if len(name) <= _NAME_LENGTH_MAX else f"{name[:_NAME_LENGTH_MAX]}..." for name in names[:_NAMES_MAX]]
    return ", ".join(shown) + (f" and {len(names) - _NAMES_MAX} more" if len(names) > _NAMES_MAX else "")
