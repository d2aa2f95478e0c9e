"""What a record adds to totals, in SQL: whoever recounts, corrects or reports sums of records reads it here."""

from rice_stream.quantities import IMPACT_COLUMNS

OF_NOTHING_KNOWN = {"carbon_market_ugco2e": "carbon_mid_ugco2e"}
"""Where nothing is known of the market, carbon by it is the middle by location."""


def of_record(measure: str, record: str = "r") -> str:
    """What a row of `prompt_record` adds to a measure: what is unknown adds nothing."""
    if measure == "prompts":
        return "1"
    if measure == "impact_prompts":
        return f"(CASE WHEN {record}.{IMPACT_COLUMNS[0]} IS NULL THEN 0 ELSE 1 END)"
    if measure in OF_NOTHING_KNOWN:
        return f"COALESCE({record}.{measure}, {record}.{OF_NOTHING_KNOWN[measure]})"
    if measure.endswith("_tokens") or measure in IMPACT_COLUMNS:
        return f"COALESCE({record}.{measure}, 0)"
    return f"{record}.{measure}"
