"""The hard bound: no row's middle costs more in energy than the tokens do, at the least price per kWh of the facility."""

from itertools import product

from training.hosted import priors
from training.hosted.holdouts import Rows, Tokens

COUNTS = (1, 10, 100, 500, 2000)


def violations(rows: Rows) -> list[tuple[str, str, Tokens]]:
    """(family, profile, tokens) of each row at the first ratio of tokens at which its middle costs more than its price."""
    found = []
    for row in rows.hosted.rows:
        if row.price is None:
            continue
        for inputs, outputs, share in product(COUNTS, COUNTS, (0.0, 0.5, 0.98)):
            tokens = Tokens(inputs, outputs, inputs * share)
            fresh = tokens.inputs - tokens.cached
            usd = (row.price.input * fresh + row.price.cache_read * tokens.cached + row.price.output * outputs) / 1e6
            kwh = rows.facility_wh(row, tokens, priors.PUE_MOST).mid / 1e3
            if kwh * priors.USD_PER_KWH_LEAST > usd * (1.0 + 1e-3):
                found.append((row.family, row.profile, tokens))
                break
    return found
