"""Prompts whose records retention has dropped, by column, from the archive: as `prompt_records` reads them from the database."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text

from rice_stream.quantities import UNKNOWN, Ints
from rice_stream.reports.name_filter import NameFilter
from rice_stream.reports.prompt_filter import PromptFilter
from rice_stream.store.archive.kept import ArchivedFile
from rice_stream.store.archive.month_rows import RecordRows
from rice_stream.store.archive.opening import groups_of_file, open_rows
from rice_stream.store.engine import Connection
from rice_stream.store.event_key_columns import key_bounds, key_bytes
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import attribution_in, scope_parameters

_OF_ATTRIBUTION, _OF_FACTORS = ("team", "project", "cost_centre"), ("model", "provider", "region")
_ALLOWED = {
    "attribution_key": "SELECT r.attribution_key FROM attribution r WHERE r.tenant_key = :tenant_key AND {conditions}",
    "factor_key": "SELECT r.factor_key FROM factor_use r WHERE {conditions}",
    "user_key": "SELECT r.user_key FROM (SELECT tenant_key, principal_key AS user_key FROM principal) r"
    " WHERE r.tenant_key = :tenant_key AND {conditions}",
}
"""The keys that a column may have, by its name."""


class ArchivedPrompts:
    """Records of one tenant that are asked for, of files of the archive."""

    def __init__(
        self, connection: Connection, scope: Scope, tenant_key: int, asked: PromptFilter, bounds_us: tuple[int, int]
    ) -> None:
        """Those that ended within `bounds_us`, and that a scope may see: which keys these have is looked up here."""
        self._bounds_us = bounds_us
        self._recorded_until_us = asked.recorded_until_us
        self._allowed = _allowed(connection, scope, tenant_key, asked.where)

    def batches(
        self, files: Sequence[ArchivedFile], limit: int, columns: Collection[str] | None = None
    ) -> Iterator[RecordRows]:
        """In the order of their keys, at most `limit` at once: with their ids, or of these columns alone.

        DamagedArchiveError: a file is not what was written.
        """
        own = None if columns is None else {*columns, "ended_at_us", *self._allowed}
        if own is not None and self._recorded_until_us is not None:
            own.add("recorded_us")
        reader = open_rows(files, own, with_ids=columns is None)
        low, high = (key_bytes(bound) for bound in key_bounds("sqlite", *self._bounds_us))
        rows = reader.after(low, limit, includes=True)
        while rows is not None and rows.event_keys[0].tobytes() < high:
            wanted = np.flatnonzero(self._are_wanted(rows))
            if wanted.size:
                yield rows if wanted.size == len(rows) else rows.select(wanted)
            rows = reader.after(rows.event_keys[-1].tobytes(), limit)

    def beyond(
        self, file: ArchivedFile, key: bytes | None, limit: int, *, includes: bool, backwards: bool
    ) -> RecordRows | None:
        """The first ones of a file beyond a key (None: of all), at most `limit`, in its order; None: there are none.

        `backwards`: the last ones before the key, latest first. `includes`: with the one of the key itself.
        """
        found: list[RecordRows] = []
        left = limit
        for rows in groups_of_file(file, key, backwards=backwards):
            wanted = np.flatnonzero(self._are_wanted(rows))
            keys = [rows.event_keys[place].tobytes() for place in wanted.tolist()]
            if key is not None and backwards:
                wanted = wanted[: (bisect_right if includes else bisect_left)(keys, key)]
            elif key is not None:
                wanted = wanted[(bisect_left if includes else bisect_right)(keys, key) :]
            chosen = rows.select((wanted[::-1] if backwards else wanted)[:left])
            found.append(chosen)
            left -= len(chosen)
            ended_at_us = rows.numbers["ended_at_us"]
            is_past = ended_at_us.max() < self._bounds_us[0] if backwards else ended_at_us.min() >= self._bounds_us[1]
            if not left or is_past:
                break
        return RecordRows.joined(found) if left < limit else None

    def _are_wanted(self, rows: RecordRows) -> NDArray[np.bool_]:
        numbers = rows.numbers
        ended_at_us = numbers["ended_at_us"]
        wanted: NDArray[np.bool_] = (ended_at_us >= self._bounds_us[0]) & (ended_at_us < self._bounds_us[1])
        if self._recorded_until_us is not None:
            # What was recorded before this was kept has UNKNOWN, which is less.
            wanted &= numbers["recorded_us"] <= self._recorded_until_us
        for column, keys in self._allowed.items():
            wanted &= np.isin(numbers[column], keys)
        return wanted


def _allowed(connection: Connection, scope: Scope, tenant_key: int, where: NameFilter) -> Mapping[str, Ints]:
    parameters: dict[str, Any] = {**where.parameters, **scope_parameters(scope), "tenant_key": tenant_key}
    conditions = {
        "attribution_key": _only(where, _OF_ATTRIBUTION).conditions("r"),
        "factor_key": _only(where, _OF_FACTORS).conditions("r"),
        "user_key": _only(where, ("user",)).conditions("r"),
    }
    if scope.teams:
        conditions["attribution_key"].append(attribution_in(scope, "r"))
    found = {}
    for column, of_column in conditions.items():
        if of_column:
            asked = text(_ALLOWED[column].format(conditions=" AND ".join(of_column)))
            keys = list(connection.scalars(asked, parameters))
            keys += [UNKNOWN] if column == "user_key" and "" in where.user else []
            found[column] = np.array(keys, dtype=np.int64)
    return found


def _only(where: NameFilter, fields: Sequence[str]) -> NameFilter:
    return where.without(*(field for field in where.names if field not in fields))
