"""Truing up: where a prompt rests on a provisional carbon intensity and the final one is known by now, the difference is posted."""

import numpy as np

from rice_stream.ledger.restated_lines import Lines
from rice_stream.ledger.restating import Restating
from rice_stream.meter.factor_detail import intensity_flags
from rice_stream.meter.restated import RestatedKind, kind_by
from rice_stream.quantities import Ints
from rice_stream.store.entries import Entries
from rice_stream.store.entry_columns import Cause
from rice_stream.store.recorded_chunks import RecordedChunk

_LIVE = "live"


class TruingUp(Restating):
    """A run that corrects what rests on provisional intensities, by its estimator's tables at every instant; it goes as one that
    restates. What is still provisional by these tables stays, and so does what rests on another method."""

    def _lines(self, chunk: RecordedChunk) -> Lines:
        rows = np.flatnonzero(self._is_due(chunk))
        if not rows.size:
            return Lines({})
        named: dict[Cause, Entries] = {}
        lines = super()._lines(chunk.where(rows))
        for cause, entries in lines.by_cause.items():
            named["true_up" if cause == "factors" else cause] = entries
        return lines._replace(by_cause=named)

    def _is_due(self, chunk: RecordedChunk) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        """Whether each record rests on a provisional intensity by now, and there is a final one."""
        provisional = self._of_keys(chunk.factors_by_now)
        if not provisional.any():
            return provisional
        kinds, use = self._kinds(chunk)
        wanted = set(use[provisional].tolist())
        final = np.array([place in wanted and self._is_final(kind) for place, kind in enumerate(kinds)], dtype=np.bool_)
        due: np.ndarray[tuple[int], np.dtype[np.bool_]] = provisional & final[use]
        return due

    def _of_keys(self, factor_keys: Ints) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        keys, place = np.unique(factor_keys, return_inverse=True)
        factors = [self._factors[key] for key in keys.tolist()]
        version = self.estimator.method.version
        found = [bool(intensity_flags(each["detail"])) and each["method_version"] == version for each in factors]
        return np.array(found, dtype=np.bool_)[place.reshape(-1)]

    def _is_final(self, kind: tuple[int, int]) -> bool:
        """Whether the estimator's tables have a final value: of an hour of a feed, one that was added and not a mean of a year."""
        target = self._target(kind)
        if target.use is None or target.kind.basis_flags:
            return False
        return self._factors[kind[0]]["region_rung"] != _LIVE or target.use.region.overlaid

    def _target(self, kind: tuple[int, int]) -> RestatedKind:
        if kind not in self._targets:
            factor_key, start_us = kind
            self._targets[kind] = kind_by(self.estimator.at(start_us), self._factors[factor_key], keeps_live=False)
        return self._targets[kind]
