"""Sites as columns, for tests of the amounts."""

import numpy as np

from rice_stream.meter.amounts import SiteFactors
from rice_stream.meter.carbon_ends import MISSING_TOKENS_FACTOR_HIGH, MISSING_TOKENS_FACTOR_LOW
from rice_stream.quantities import Floats


def site_columns(pue: Floats, low: Floats, mid: Floats, high: Floats) -> SiteFactors:
    """Sites of these PUEs and ends of carbon intensity; unknown tokens widen tenfold, as of a method that gives bounds."""
    ones = np.ones_like(pue)
    missing = ones * MISSING_TOKENS_FACTOR_LOW, ones * MISSING_TOKENS_FACTOR_HIGH
    return SiteFactors(pue, low, mid, high, *missing, market_gco2e_per_kwh=ones * np.nan)
