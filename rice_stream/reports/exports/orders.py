"""What an export is asked: which kind, whose month, as what file, with which options. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, get_args

from rice_stream.errors import UsageError
from rice_stream.reports.totals_query import AmountsAs

Form = Literal["csv", "parquet", "xlsx", "json", "pdf"]
FORMS: tuple[Form, ...] = get_args(Form)
ROWS_BY = ("team", "project", "user", "provider", "model", "region")
"""What rows of a chargeback may be told apart by, besides the cost centre."""
OPTIONS = (
    "by",
    "amounts",
    "carbon_price_per_tonne",
    "currency",
    "focus_version",
    "own_providers",
    "functional_unit",
    "part",
    "company_name",
    "company_domain",
    "threshold_percent",
)
FOCUS_VERSIONS = ("1.4", "1.2")
"""Of the specification, the one first that is written where none is asked for."""
FUNCTIONAL_UNITS = ("token", "1000-tokens", "prompt")
PARTS = ("emissions", "activity")
"""Of msm, the one first that is written where none is asked for."""
_PRICE_MAX = Decimal(1_000_000)
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """Options of all kinds; each kind says which it takes.

    Raises:
        UsageError: a value that is none of its option's.
    """

    by: tuple[str, ...] = ()
    amounts: AmountsAs = "restated"
    carbon_price_per_tonne: str | None = None
    currency: str | None = None
    focus_version: str | None = None
    own_providers: tuple[str, ...] = ()
    functional_unit: str | None = None
    part: str | None = None
    company_name: str | None = None
    company_domain: str | None = None
    threshold_percent: float | None = None

    def __post_init__(self) -> None:
        unknown = [name for name in self.by if name not in ROWS_BY]
        if unknown:
            raise UsageError(f"--by {', '.join(unknown)}: choose from {', '.join(ROWS_BY)}")
        if self.amounts not in get_args(AmountsAs):
            raise UsageError(f"--as {self.amounts}: choose from {', '.join(get_args(AmountsAs))}")
        if (self.carbon_price_per_tonne is None) != (self.currency is None):
            raise UsageError("--carbon-price-per-tonne, --currency: give both, or neither")
        if self.currency is not None and not _CURRENCY.fullmatch(self.currency):
            raise UsageError(f"--currency {self.currency}: write three capital letters (ISO 4217), as in EUR")
        if self.focus_version not in (None, *FOCUS_VERSIONS):
            raise UsageError(f"--focus-version {self.focus_version}: choose from {', '.join(FOCUS_VERSIONS)}")
        if self.company_domain is not None and not _DOMAIN.fullmatch(self.company_domain):
            raise UsageError(f"--company-domain {self.company_domain}: write a domain, as in acme.example")
        if self.part not in (None, *PARTS):
            raise UsageError(f"--part {self.part}: choose from {', '.join(PARTS)}")
        if self.functional_unit not in (None, *FUNCTIONAL_UNITS):
            raise UsageError(f"--functional-unit {self.functional_unit}: choose from {', '.join(FUNCTIONAL_UNITS)}")
        if self.carbon_price_per_tonne is not None:
            _price(self.carbon_price_per_tonne)

    @property
    def price(self) -> Decimal | None:
        """Of a tonne, exactly as it was given."""
        return None if self.carbon_price_per_tonne is None else _price(self.carbon_price_per_tonne)

    @property
    def given(self) -> dict[str, Any]:
        """Those that are not as they are where nothing is said, as JSON."""
        plain = ExportOptions()
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name in OPTIONS
            if (value := getattr(self, name)) != getattr(plain, name)
        }

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "ExportOptions":
        """From JSON. UsageError: an option that there is not."""
        unknown = sorted(set(given) - set(OPTIONS))
        if unknown:
            raise UsageError(f"options: there is no {', '.join(unknown)}")
        options: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in given.items()
        }
        return cls(**options)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOrder:
    """`as_of_us` None: as of now, by the database's clock; the manifest says when that was."""

    kind: str
    tenant: str
    month: str
    form: Form
    options: ExportOptions = ExportOptions()
    as_of_us: int | None = None


def _price(text: str) -> Decimal:
    try:
        price = Decimal(text)
    except InvalidOperation as error:
        raise UsageError(f"--carbon-price-per-tonne {text}: must be a number, as in 85.50") from error
    if not price.is_finite() or not 0 <= price <= _PRICE_MAX:
        raise UsageError(f"--carbon-price-per-tonne {text}: must be from 0 up to {_PRICE_MAX}")
    return price
