"""Looking for keys that the records hold already, and whether what they hold says the same: shared by both databases."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from rice_stream.quantities import UNKNOWN
from rice_stream.store.batch import Records
from rice_stream.store.laid_out_rows import KEY, RowColumn, keys_as_values
from rice_stream.store.record_columns import CONTENT_COLUMNS

PROBED_LINE = "line"
PROBE_COLUMNS = ("tenant_key", "event_key", "factor_key", *CONTENT_COLUMNS)
_SERVED = ("provider", "request_model", "response_model", "region")


def probe_sql(probed: str) -> str:
    """(line, differs) of every key in the table `probed` that the records hold; an event differs when what it said does.

    The factors may differ without the event differing: tables and settings change. So of two factor rows only the
    names that came with the event count.
    """
    served_p, served_r = (", ".join(f"f{alias}.{name}" for name in _SERVED) for alias in "pr")
    plain = (name for name in CONTENT_COLUMNS if name not in ("ended_at_us", "attribution_key"))
    same = " AND ".join(f"p.{name} IS NOT DISTINCT FROM r.{name}" for name in plain)
    # Probed is who the event said; the record may have been charged to others, by mappings of its time.
    same += (
        " AND (p.attribution_key = r.attribution_key OR p.attribution_key = (SELECT a.said_key FROM attribution a"
        " WHERE a.tenant_key = r.tenant_key AND a.attribution_key = r.attribution_key))"
    )
    # An event without a time of its own contradicts no time.
    same += " AND (p.ended_at_us IS NULL OR p.ended_at_us = r.ended_at_us)"
    return (
        f"SELECT p.line, NOT (({same}) AND ({served_p}) = ({served_r})) FROM {probed} p"
        " JOIN prompt_record r ON r.tenant_key = p.tenant_key AND r.event_key = p.event_key"
        " JOIN factor_use fp ON fp.factor_key = p.factor_key JOIN factor_use fr ON fr.factor_key = r.factor_key"
    )


def probe_columns(records: Records) -> list[RowColumn]:
    """PROBED_LINE and PROBE_COLUMNS of the records: what the events themselves said."""
    columns = [RowColumn(PROBED_LINE, np.arange(len(records)))]
    for name in PROBE_COLUMNS:
        if name in CONTENT_COLUMNS:
            columns.append(RowColumn(name, records.said(name), nullable=True))
        elif name == KEY:
            columns.append(RowColumn(name, keys_as_values(records.event_keys)))
        else:
            columns.append(RowColumn(name, records.columns[name]))
    return columns


def nullable(column: NDArray[np.int64]) -> list[int | None]:
    """The column as Python values, None where it is UNKNOWN."""
    values: list[int | None] = column.tolist()
    return [None if value == UNKNOWN else value for value in values]


def known_and_differing(found: Iterable[tuple[int, bool]]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split the answer of `probe_sql` into (known lines, differing lines), sorted."""
    rows = sorted(found)
    known = np.array([line for line, _ in rows], dtype=np.intp)
    return known, np.array([line for line, differs in rows if differs], dtype=np.intp)
