"""What an estimate rests on, per request: a bit set that is stored with every record and counted in the metrics.

Facts that hold for all requests of one model and region (which rung of the fallback ladder gave the parameters, the
carbon intensity, the PUE) are words in the factor row instead; see `rice_stream.reference`.
"""

from enum import IntFlag


class Basis(IntFlag):
    """Why this request's estimate is not the plain case; 0 means the plain case."""

    INPUT_TOKENS_MISSING = 1 << 0
    OUTPUT_TOKENS_MISSING = 1 << 1
    GATEWAY_CACHE_HIT = 1 << 2
    INPUT_EXTRAPOLATED = 1 << 3
    PARAMETERS_EXTRAPOLATED = 1 << 4
    CACHED_INPUT = 1 << 5
    REQUEST_FAILED = 1 << 6
    USAGE_DERIVED = 1 << 7
    USAGE_ESTIMATED = 1 << 8
    CLOCK_SKEW = 1 << 9
    CONTEXT_EXTRAPOLATED = 1 << 10
    BATCH_ASSUMED = 1 << 11
    HARDWARE_ASSUMED = 1 << 12
    HARDWARE_SCALED = 1 << 13
    SITE_CALIBRATED = 1 << 14
    ARCHITECTURE_ASSUMED = 1 << 15
    EVENT_FACTORS_NOT_TRUSTED = 1 << 16
    CACHE_HIT_NOT_TRUSTED = 1 << 17
    EVENT_FACTOR_IMPLAUSIBLE = 1 << 18
    EVENT_FACTORS_TOO_MANY = 1 << 19
    AMOUNT_CAPPED = 1 << 20
    EVENT_FACTORS_COARSE = 1 << 21
    MEASURED = 1 << 22
    PRICE_BOUND = 1 << 23
    INTENSITY_ESTIMATED = 1 << 24


def basis_names(flags: int) -> tuple[str, ...]:
    """The names of the set bits, lower case, in bit order: `basis_names(9) == ("input_tokens_missing", "input_extrapolated")`."""
    return tuple(flag.name.lower() for flag in Basis if flags & flag and flag.name)
