"""The words of a record's basis, each with a sentence, and the five words for how well a thing is known (docs/accounting.md)."""

from rice_stream.basis import Basis

KNOWN = {
    "measured": "A meter said so.",
    "reported": "The event said so.",
    "estimated": "The method computed it, from figures that are known for this case.",
    "defaulted": "Something was not known, and what is usual stands in its place.",
    "missing": "It was not there, and nothing can stand in its place.",
}
SENTENCES = {
    Basis.INPUT_TOKENS_MISSING: "The event gave no input tokens; the default of the settings stands in.",
    Basis.OUTPUT_TOKENS_MISSING: "The event gave no output tokens; the default of the settings stands in.",
    Basis.GATEWAY_CACHE_HIT: "A gateway answered from its cache: no inference ran, and there is no energy.",
    Basis.INPUT_EXTRAPOLATED: "The prompt is longer than those that the method has seen.",
    Basis.PARAMETERS_EXTRAPOLATED: "The model is smaller or larger than those that the method has seen.",
    Basis.CACHED_INPUT: "Part of the prompt was read from a cache.",
    Basis.REQUEST_FAILED: "The request ended in an error.",
    Basis.USAGE_DERIVED: "The sender derived the token counts from others.",
    Basis.USAGE_ESTIMATED: "The sender estimated the token counts.",
    Basis.CLOCK_SKEW: "It ended more than five minutes after it arrived: a clock was wrong.",
    Basis.CONTEXT_EXTRAPOLATED: "The context is longer than those that the method has seen.",
    Basis.BATCH_ASSUMED: "How many requests ran together is not known.",
    Basis.HARDWARE_ASSUMED: "Which accelerator answered is not known.",
    Basis.HARDWARE_SCALED: "Figures of one accelerator were carried over to another.",
    Basis.SITE_CALIBRATED: "Energy was corrected by measurements of your own.",
    Basis.ARCHITECTURE_ASSUMED: "Of the model only its size is known; layers and the size of its cache are estimated from that.",
    Basis.EVENT_FACTORS_NOT_TRUSTED: "The event stated factors, and its sender is not believed: the operator’s were taken.",
    Basis.CACHE_HIT_NOT_TRUSTED: "The event claimed a cache hit, and its sender is not believed.",
    Basis.EVENT_FACTOR_IMPLAUSIBLE: "A factor of the event cannot be true; the operator’s was taken.",
    Basis.EVENT_FACTORS_TOO_MANY: "The tenant stated too many factors in one hour; the operator’s were taken.",
    Basis.AMOUNT_CAPPED: "The estimate was above what one prompt can cost, and counts as that much.",
    Basis.EVENT_FACTORS_COARSE: "The tenant stated many factors in one hour; they were rounded.",
    Basis.MEASURED: "The energy was metered, not estimated.",
    Basis.PRICE_BOUND: "It would have cost more than its list price at 1 USD a kWh, and counts as that much.",
    Basis.INTENSITY_ESTIMATED: "The carbon intensity is an estimate of its source; a final value will follow.",
}


def sentences(basis: str) -> list[tuple[str, str]]:
    """(word, sentence) of each word of a record's basis, a comma list; a word of another version has none."""
    by_word = {flag.name.lower(): sentence for flag, sentence in SENTENCES.items() if flag.name}
    return [(word, by_word.get(word, "")) for word in basis.split(",") if word]
