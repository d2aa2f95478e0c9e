"""Making the tree of a closed month and its assertion from what is stored: when it is closed, and to verify it afterwards."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import Connection

from rice_stream.canonical_json import INTEGER_MAX, canonical_json
from rice_stream.quantities import ENTRY_AMOUNTS
from rice_stream.store.archive.kept import ArchivedFile
from rice_stream.store.period_leaves import LeafChunk, LeafReader
from rice_stream.store.period_store import StoredPeriod
from rice_stream.store.stored_records import factors_by_key
from rice_stream.transparency.month_trees import MonthTree, MonthTreeBuilder

ASSERTION_FORMAT = "rice-stream-month/1"


class BuiltMonth(NamedTuple):
    """The tree, how many records are in it, and its last leaf: canonical JSON of what is asserted."""

    tree: MonthTree
    records: int
    assertion: str


def built_month(
    connection: Connection,
    period: StoredPeriod,
    progress: Callable[[int], None] = lambda _records: None,
    *,
    files: Sequence[ArchivedFile] | None = None,
) -> BuiltMonth:
    """Read all of a month, within one snapshot; `progress` is told how many records were read. `files`: as of `LeafReader`."""
    builder, sums = MonthTreeBuilder(), _Sums()
    for chunk in LeafReader(connection, period.bounds, period.columns, files).chunks():
        builder.add(chunk.leaves, chunk.event_keys)
        sums.add(chunk)
        progress(sums.records)
    assertion = canonical_json(sums.assertion(connection, period, builder.size))
    return BuiltMonth(builder.finished(assertion), sums.records, assertion.decode())


class _Sums:
    """What the leaves of a month amount to, as they come."""

    def __init__(self) -> None:
        self.records = 0
        self._reported = dict.fromkeys(ENTRY_AMOUNTS, 0)
        self._restated = dict.fromkeys(ENTRY_AMOUNTS, 0)
        self._factor_keys: set[int] = set()

    def add(self, chunk: LeafChunk) -> None:
        """Leaves that follow."""
        self.records += chunk.records
        for name in ENTRY_AMOUNTS:
            self._reported[name] += chunk.reported[name]
            self._restated[name] += chunk.reported[name] + chunk.corrected[name]
        self._factor_keys |= chunk.factor_keys

    def assertion(self, connection: Connection, period: StoredPeriod, leaves: int) -> dict[str, Any]:
        """Without a name, and the same whenever it is made."""
        uses: dict[int, Mapping[str, Any]] = {}
        factors_by_key(connection, sorted(self._factor_keys), uses)
        versions = sorted({(str(use["method_version"]), str(use["factor_version"])) for use in uses.values()})
        digests = b"".join(sorted(bytes(use["digest"]) for use in uses.values()))
        return {
            "format": ASSERTION_FORMAT,
            **{name: getattr(period, name) for name in ("tenant_key", "month", "low_us", "high_us", "marked_us")},
            "code_version": period.code_version,
            "records": self.records,
            "entries": leaves - self.records,
            "reported": _told(self._reported),
            "restated": _told(self._restated),
            "versions": [{"method": method, "factors": factors} for method, factors in versions],
            "factor_uses": {"count": len(uses), "digest": sha256(digests).hexdigest()},
        }


def _told(sums: Mapping[str, int]) -> dict[str, int | str]:
    """Whole amounts; those that a double does not hold exactly as digits, as leaves have them."""
    return {name: amount if abs(amount) <= INTEGER_MAX else str(amount) for name, amount in sums.items()}
