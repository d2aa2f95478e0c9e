"""The columns of the tables of hosted models: list prices, hosts, data-centre capacity, evidence."""

from rice_stream.quantities import PUE_LIMITS, Limits
from rice_stream.reference.columns import (
    DATES,
    SOURCE,
    YEAR,
    Column,
    ReferenceTable,
    between,
    choice_column,
    number_column,
    text_column,
)

USD_PER_MTOK = between(0, 100_000)
"""Limits of a list price, in dollars for a million tokens."""
_TOKENS = between(0, 1e18, whole=True)
_POSITIVE = Limits(above=0, up_to=1e15)

PRICES = ReferenceTable(
    "prices",
    (
        text_column("provider", required=True),
        text_column("model", required=True),
        number_column("usd_per_mtok_input", USD_PER_MTOK, required=True),
        number_column("usd_per_mtok_cache_read", USD_PER_MTOK),
        number_column("usd_per_mtok_output", USD_PER_MTOK, required=True),
        *DATES,
        *SOURCE,
    ),
    ("provider", "model"),
    dated=True,
)

PROFILES = ("hosted_scale", "hosted_small")

HOSTS = ReferenceTable(
    "hosts",
    (
        text_column("provider", required=True),
        choice_column("profile", *PROFILES),
        text_column("hardware"),
        text_column("hardware_source"),
        number_column("pue_low", PUE_LIMITS),
        number_column("pue", PUE_LIMITS),
        number_column("pue_high", PUE_LIMITS),
        text_column("pue_source"),
        text_column("regions"),
        text_column("regions_source"),
        *DATES,
        *SOURCE,
    ),
    ("provider",),
    dated=True,
)

CAPACITY = ReferenceTable(
    "capacity",
    (
        text_column("region_id", required=True),
        number_column("twh_per_year", _POSITIVE, required=True),
        YEAR,
        *SOURCE,
    ),
    ("region_id",),
)

EVIDENCE_KINDS = ("architecture", "disclosure", "measurement", "estimate", "price_ratio")
EVIDENCE_GRADES = ("fact", "counts", "metered", "peer_reviewed", "statement", "estimate", "leak", "guess")
EVIDENCE_USES = ("apply", "fit", "held_out", "context")

EVIDENCE = ReferenceTable(
    "evidence",
    (
        text_column("evidence_id", required=True),
        choice_column("kind", *EVIDENCE_KINDS),
        text_column("models"),
        text_column("provider"),
        text_column("quantity", required=True),
        number_column("value", _POSITIVE, required=True),
        number_column("low", _POSITIVE),
        number_column("high", _POSITIVE),
        number_column("log_sd", between(0, 5)),
        text_column("unit", required=True),
        number_column("total_input_tokens", _TOKENS),
        number_column("total_cache_read_input_tokens", _TOKENS),
        number_column("total_output_tokens", _TOKENS),
        text_column("boundary"),
        Column("date", "text", required=True),
        Column("grade", "choice", choices=EVIDENCE_GRADES),
        Column("use", "choice", choices=EVIDENCE_USES),
        text_column("based_on"),
        *SOURCE,
    ),
    ("evidence_id",),
)
