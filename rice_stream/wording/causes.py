"""Why something was corrected, in words for people. Pure."""

CAUSE_WORDS = {
    "method": "Another method",
    "factors": "Other factors of places",
    "evidence": "Other evidence about models",
    "mapping": "Other names or teams",
    "late": "Came after the close",
    "void": "Voided events",
    "true_up": "Provisional factors made final",
    "contract": "Electricity under contract",
}
"""By cause of a group of entries."""
