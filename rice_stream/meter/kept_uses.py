"""Uses of factors of described kinds of requests, worked out once for as long as no factor changes. Pure."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from rice_stream.meter.described import Described
from rice_stream.meter.estimating import uses_of
from rice_stream.meter.estimator_at import EstimatorAt
from rice_stream.meter.factors import FactorUse
from rice_stream.reference.sets.hours import HOUR_US

_KEPT_MAX = 5_000
"""Kinds; some 8 kB each."""


class _Known(NamedTuple):
    """What is known of one stretch of time in which no factor changes."""

    stretch: Hashable
    uses: dict[Described, FactorUse]


class KeptUses:
    """For several threads, which rank the same models over and over, for other tokens each time."""

    def __init__(self) -> None:
        self._known = _Known(None, {})

    def of(self, kinds: Sequence[Described], estimator: EstimatorAt) -> list[FactorUse]:
        """As `uses_of`, to the last bit."""
        known = self._known
        stretch = _stretch_of(estimator)
        if known.stretch != stretch or len(known.uses) + len(kinds) > _KEPT_MAX:
            # Threads that still work with the one before have it to the end.
            known = self._known = _Known(stretch, {})
        missing = [kind for kind in dict.fromkeys(kinds) if kind not in known.uses]
        if missing:
            known.uses.update(zip(missing, uses_of(missing, estimator), strict=True))
        return [known.uses[kind] for kind in kinds]


def _stretch_of(estimator: EstimatorAt) -> Hashable:
    """Tables, choices and method, which are told apart by being the same objects, and the stretch of time."""
    reference, at_us = estimator.reference, estimator.at_us
    hour = at_us // HOUR_US if reference.hourly else None
    return _Same(reference, estimator.policy, estimator.method), reference.period(at_us), hour


class _Same:
    """Equal to another one of the very same objects, which it keeps alive so that nothing else is taken for them."""

    def __init__(self, *objects: object) -> None:
        self._objects = objects

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Same):
            return NotImplemented
        return all(one is another for one, another in zip(self._objects, other._objects, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(map(id, self._objects)))
