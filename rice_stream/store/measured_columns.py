"""What records add to totals, of columns of numbers: the same as `record_measures` says in SQL."""

from collections.abc import Mapping

import numpy as np

from rice_stream.quantities import IMPACT_COLUMNS, UNKNOWN, Ints
from rice_stream.store.record_measures import OF_NOTHING_KNOWN


def of_columns(measure: str, columns: Mapping[str, Ints], records: int) -> Ints:
    """What each record adds to a measure, shape (records,): `of_record`, of columns in which UNKNOWN stands for null."""
    if measure == "prompts":
        return np.ones(records, dtype=np.int64)
    if measure == "impact_prompts":
        counted: Ints = np.where(columns[IMPACT_COLUMNS[0]] == UNKNOWN, 0, 1)
        return counted
    if measure in OF_NOTHING_KNOWN:
        values = columns[measure]
        either: Ints = np.where(values == UNKNOWN, columns[OF_NOTHING_KNOWN[measure]], values)
        return either
    if measure.endswith("_tokens") or measure in IMPACT_COLUMNS:
        return np.maximum(columns[measure], 0)
    return columns[measure]
