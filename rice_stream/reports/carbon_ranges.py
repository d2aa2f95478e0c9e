"""The ranges of a report's sums: by the closed form of `meter.shared_ranges`, over the uses of factors behind each sum."""

from collections.abc import Collection, Iterable, Mapping
from operator import add
from typing import Any

from rice_stream.meter.shared_ranges import SharedRange, SharedRanges
from rice_stream.quantities import MICRO
from rice_stream.reports.sums import Parts
from rice_stream.store.engine import Connection
from rice_stream.store.factor_spreads import ENDS, factor_spreads

_GONE = None, ""
"""Totals whose factors are not known any more."""


def added_parts(several: Iterable[Parts]) -> Parts:
    """The parts of the sum of several sums."""
    added: Parts = {}
    for parts in several:
        for key, ends in parts.items():
            before = added.get(key)
            added[key] = ends if before is None else list(map(add, before, ends))
    return added


_KEPT_MAX = 20_000
"""`SharedRanges.kept` for later reports: 8 MB."""
_kept = SharedRanges()


def _shared_ranges() -> SharedRanges:
    """The same for reports one after another, which are made up of the same kinds of records; a new one when it has grown."""
    global _kept
    if _kept.kept > _KEPT_MAX:
        _kept = SharedRanges()
    return _kept


class CarbonRanges:
    """Ranges of sums with the spreads that were stored with their factors."""

    def __init__(
        self, connection: Connection, factor_keys: Collection[int], digests: Mapping[int, str] | None = None
    ) -> None:
        """`digests` of the uses of factors, where they are known, save asking for what is at hand."""
        self.spreads = spreads = factor_spreads(connection, factor_keys, digests)
        self._ranges = _shared_ranges()
        self._sharing = {
            key: (None if spread.shared is None else self._ranges.sharing(spread.shared), spread.method_version)
            for key, spread in spreads.items()
        }
        self._last: tuple[int, Parts, SharedRange] | None = None

    def of(self, mid: int, parts: Parts) -> SharedRange:
        """The range of a sum of exactly `mid`; all in micrograms."""
        if self._last is not None and self._last[:2] == (mid, parts):
            return self._last[2]  # a report of one row: its total is the same
        sharing = self._sharing
        of_carbon = [(*sharing.get(key, _GONE), ends[: len(ENDS)]) for key, ends in parts.items()]
        found = self._ranges.of(of_carbon, mid)
        self._last = (mid, parts, found)
        return found


def carbon_fields(carbon: SharedRange, linear_low: int, linear_high: int) -> dict[str, Any]:
    """The carbon of an answer in grams: the 80 % range around the exact sum, the closed form's own median, and the sums of all
    low and of all high ends, as if all erred the same way at once."""
    return {
        "carbon_gco2e": {"low": carbon.low / MICRO, "mid": carbon.mid / MICRO, "high": carbon.high / MICRO},
        "carbon_gco2e_median": carbon.median / MICRO,
        "carbon_gco2e_linear": {"low": linear_low / MICRO, "high": linear_high / MICRO},
    }
