"""Tables that were made part by part, put together: every record once, what they add up to, and a digest that no cut changes."""

from collections.abc import Iterable, Sequence
from hashlib import sha256

import numpy as np
import pyarrow as pa

from rice_stream.instants import DAY_US
from rice_stream.quantities import AMOUNT_COLUMNS, IMPACT_COLUMNS, MARKET_COLUMN, MEASURES, UNKNOWN, Ints
from rice_stream.spark.record_table import KEY, OF_ATTRIBUTION, RECORDS, integers
from rice_stream.store.record_columns import TOKEN_COLUMNS

OF_SUMS = ("tenant_id", "day", *(name for name in OF_ATTRIBUTION if name != "source"), "model")
SUMS = pa.schema(
    [
        *(pa.field(name, pa.date32() if name == "day" else pa.string(), nullable=False) for name in OF_SUMS),
        *(pa.field(name, pa.int64(), nullable=False) for name in MEASURES),
    ]
)
"""What is counted of each tenant, day of UTC, team, project, cost centre and model."""


def once(records: pa.Table) -> pa.Table:
    """RECORDS in the order of their tenants and keys, each once: where several parts have it, the row that is least by its values.

    Of an event that was sent twice with the same content all rows are the same. Which of two contents counts is decided here by
    their values, where a worker takes what came first.
    """
    rows = sorted(
        zip(*(records.column(name).to_pylist() for name in _ORDER), range(len(records)), strict=True), key=_values
    )
    kept = [
        row[-1] for before, row in zip([None, *rows[:-1]], rows, strict=True) if before is None or before[:2] != row[:2]
    ]
    return records.take(pa.array(kept, pa.int64()))


_ORDER = (*KEY, *(name for name in RECORDS.names if name not in KEY))


def _values(row: Sequence[object]) -> tuple[object, ...]:
    return tuple((value is not None, value) for value in row[:-1])


def measures_of(records: pa.Table) -> Ints:
    """What totals count of each of RECORDS, shape (n, len(MEASURES))."""
    columns = {
        name: np.maximum(integers(records, name), 0) for name in (*TOKEN_COLUMNS, *AMOUNT_COLUMNS, *IMPACT_COLUMNS)
    }
    market = integers(records, MARKET_COLUMN)
    columns |= {
        "prompts": np.ones(len(records), dtype=np.int64),
        "impact_prompts": (integers(records, IMPACT_COLUMNS[0]) != UNKNOWN).astype(np.int64),
        MARKET_COLUMN: np.where(market == UNKNOWN, columns["carbon_mid_ugco2e"], market),
    }
    return np.column_stack([columns[name] for name in MEASURES])


def summed(records: pa.Table) -> pa.Table:
    """RECORDS as SUMS. Integers: the sums of parts, `added`, are those of the whole."""
    day = pa.array((integers(records, "ended_at_us") // DAY_US).astype(np.int32), pa.int32()).cast(pa.date32())
    keys = [day if name == "day" else records.column(name) for name in OF_SUMS]
    counted = measures_of(records)
    return added([pa.table([*keys, *(pa.array(column) for column in counted.T)], schema=SUMS)])


def added(parts: Iterable[pa.Table]) -> pa.Table:
    """SUMS of several parts as one, in the order of their keys."""
    together = pa.concat_tables([SUMS.empty_table(), *parts])
    grouped = together.group_by(list(OF_SUMS)).aggregate([(name, "sum") for name in MEASURES])
    columns = [grouped.column(name) for name in OF_SUMS] + [grouped.column(f"{name}_sum") for name in MEASURES]
    return pa.table(columns, schema=SUMS).sort_by([(name, "ascending") for name in OF_SUMS])


def digest(table: pa.Table) -> str:
    """Of the rows, in whatever order and pieces they come: the sum of the digests of all rows, as 64 hex digits."""
    total = 0
    for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
        total += int.from_bytes(sha256(repr(row).encode()).digest(), "big")
    return f"{total % (1 << 256):064x}"
