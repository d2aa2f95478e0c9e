"""What the rows of a factor set may hold, by kind: the one place where the shape of such a file is defined.

docs/reference-data.md, "Factor sets", describes it in words.
"""

from collections.abc import Mapping
from typing import Literal, get_args

from rice_stream.quantities import PUE_LIMITS, RCI_GCO2E_PER_KWH_LIMITS, Limits
from rice_stream.reference.columns import (
    DATES,
    YEAR,
    Column,
    ReferenceTable,
    between,
    choice_column,
    number_column,
    text_column,
)
from rice_stream.reference.hosted.tables import EVIDENCE, USD_PER_MTOK
from rice_stream.reference.tables import RCI_MEANING
from rice_stream.reference.types import (
    CONTRACT_INSTRUMENTS,
    GRANULARITIES,
    INTENSITY_STATUSES,
    MARKET_INSTRUMENTS,
    SCOPES,
)

SetKind = Literal["rci", "pue", "price", "evidence", "market", "contract"]
SET_KINDS: tuple[SetKind, ...] = get_args(SetKind)

KWH_LIMITS = Limits(above=0, up_to=1e12)
_NOTE = text_column("note")
_STATUS = Column("status", "choice", choices=INTENSITY_STATUSES)
"""`estimated`: a final value will follow; final where nothing is said."""

RCI_ROWS = ReferenceTable(
    "rci",
    (
        text_column("region", required=True),
        *RCI_MEANING,
        # Required too, unless the row gives hours: the parser knows.
        number_column("value", RCI_GCO2E_PER_KWH_LIMITS, required=True),
        choice_column("unit", "gCO2e/kWh"),
        _STATUS,
        YEAR,
        *DATES,
        _NOTE,
    ),
    ("region", "scope", "signal", "accounting"),
    dated=True,
)

PUE_ROWS = ReferenceTable(
    "pue",
    (
        text_column("provider"),
        text_column("region"),
        number_column("value", PUE_LIMITS, required=True),
        choice_column("unit", "kWh/kWh"),
        YEAR,
        *DATES,
        _NOTE,
    ),
    ("provider", "region"),
    dated=True,
)

PRICE_ROWS = ReferenceTable(
    "price",
    (
        text_column("provider", required=True),
        text_column("model", required=True),
        number_column("input", USD_PER_MTOK, required=True),
        number_column("cache_read", USD_PER_MTOK),
        number_column("output", USD_PER_MTOK, required=True),
        choice_column("unit", "USD/Mtok"),
        *DATES,
        _NOTE,
    ),
    ("provider", "model"),
    dated=True,
)

EVIDENCE_ROWS = ReferenceTable(
    "evidence", tuple(column for column in EVIDENCE.columns if column.name != "source"), EVIDENCE.key
)

MARKET_ROWS = ReferenceTable(
    "market",
    (
        choice_column("instrument", *MARKET_INSTRUMENTS),
        text_column("provider"),
        text_column("region"),
        choice_column("scope", *SCOPES),
        choice_column("signal", "average", "marginal"),
        # Required too, unless the row gives hours: the parser knows.
        number_column("value", RCI_GCO2E_PER_KWH_LIMITS, required=True),
        choice_column("unit", "gCO2e/kWh"),
        Column("granularity", "choice", choices=GRANULARITIES),
        _STATUS,
        YEAR,
        *DATES,
        _NOTE,
    ),
    ("instrument", "provider", "region", "scope"),
    dated=True,
)

CONTRACT_ROWS = ReferenceTable(
    "contract",
    (
        text_column("contract", required=True),
        choice_column("instrument", *CONTRACT_INSTRUMENTS),
        text_column("tenant"),
        text_column("provider"),
        text_column("region"),
        choice_column("scope", *SCOPES),
        choice_column("signal", "average", "marginal"),
        number_column("value", RCI_GCO2E_PER_KWH_LIMITS, required=True),
        choice_column("unit", "gCO2e/kWh"),
        number_column("kwh", KWH_LIMITS, required=True),
        choice_column("granularity", *GRANULARITIES),
        number_column("vintage", between(1990, 2100, whole=True)),
        *DATES,
        _NOTE,
    ),
    ("contract",),
    dated=True,
)

ROWS: Mapping[SetKind, ReferenceTable] = {
    "rci": RCI_ROWS,
    "pue": PUE_ROWS,
    "price": PRICE_ROWS,
    "evidence": EVIDENCE_ROWS,
    "market": MARKET_ROWS,
    "contract": CONTRACT_ROWS,
}

DEFAULTS: Mapping[SetKind, Mapping[str, str]] = {
    "rci": {"signal": "average", "accounting": "location"},
    "market": {"signal": "average"},
    "contract": {"signal": "average"},
}
"""What a row means that does not say."""
LAID_KINDS = frozenset(SET_KINDS) - {"contract"}
"""Kinds that are laid over the tables; contracts are applied to months instead (`ledger.contracts`)."""
HOURLY_KINDS: tuple[SetKind, ...] = ("rci", "market")
"""Kinds whose rows may give hours in the place of their value."""
INTENSITY_KINDS: tuple[SetKind, ...] = ("rci", "market", "contract")
"""Kinds whose values are carbon intensities, of a scope and a signal."""

HEAD = (
    text_column("name", required=True),
    text_column("source", required=True),
    text_column("licence", required=True),
    Column("published", "date", required=True),
    text_column("url"),
    text_column("note"),
)
"""What a file says of all its rows, besides `kind`."""
