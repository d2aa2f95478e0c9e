"""Records that retention has dropped, for those who go through records of a tenant in the order of their keys."""

from collections.abc import Collection

import numpy as np
from sqlalchemy import Connection

from rice_stream.store.archive.kept import dropped_files
from rice_stream.store.archive.month_rows import RecordRows
from rice_stream.store.archive.opening import open_rows
from rice_stream.store.event_key_columns import key_bounds, key_bytes
from rice_stream.store.horizon import records_from_us


def dropped_rows(
    connection: Connection,
    tenant_key: int,
    low_us: int,
    high_us: int,
    after: bytes | None,
    limit: int,
    columns: Collection[str],
) -> RecordRows | None:
    """The next records of a tenant from the archive that ended in [low_us, high_us), before the horizon, and whose keys come after
    one (None: the first ones), at most `limit`; None: there are no more. Those from the horizon on have greater keys. Of `columns`
    alone, `ended_at_us` among them.

    DamagedArchiveError: a file is not what was written.
    """
    high_us = min(high_us, records_from_us(connection))
    files = dropped_files(connection, tenant_key, low_us, high_us) if low_us < high_us else []
    if not files:
        return None
    low, high = (key_bytes(bound) for bound in key_bounds("sqlite", low_us, high_us))
    reader = open_rows(files, columns)
    includes = after is None or after < low
    while (rows := reader.after(low if after is None or includes else after, limit, includes=includes)) is not None:
        if rows.event_keys[0].tobytes() >= high:
            return None
        ended_at_us = rows.numbers["ended_at_us"]
        wanted = np.flatnonzero((ended_at_us >= low_us) & (ended_at_us < high_us))
        if wanted.size:
            return rows if wanted.size == len(rows) else rows.select(wanted)
        after, includes = rows.event_keys[-1].tobytes(), False
    return None
