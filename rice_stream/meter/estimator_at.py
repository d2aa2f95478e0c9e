"""What turns requests into grams: the tables, the operator's choices and the method, together and as of an instant. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rice_stream.estimator.method import Method
from rice_stream.meter.factors import FactorDraft, FactorPolicy, FactorUse, draft_factors, finished
from rice_stream.meter.live_intensity import LiveLookup, no_live_feed
from rice_stream.meter.service_key import ServiceKey
from rice_stream.reference.lookup import Reference
from rice_stream.reference.sets.factor_set import FactorSet
from rice_stream.reference.sets.history import ReferenceHistory, StoredSets, effective_sets, with_sets
from rice_stream.reference.sets.hours import HOUR_US


@dataclass(frozen=True, slots=True)
class Estimator:
    """Everything that an estimate depends on besides the request and its time."""

    reference: Reference
    policy: FactorPolicy
    method: Method
    history: ReferenceHistory | None = None
    """The tables of every instant where factor sets are laid over them; None: there are no sets."""

    def with_sets(self, stored: StoredSets) -> "Estimator":
        """The estimator with these factor sets, in the place of any that it has. ReferenceDataError: one cannot be read."""
        sets = effective_sets(stored)
        return replace(self, history=ReferenceHistory(self.reference, sets) if sets else None)

    def with_factors(self, sets: Sequence[FactorSet]) -> "Estimator":
        """The estimator with these sets over its tables at every instant, the last one on top. ReferenceDataError: they do not
        fit."""
        return replace(self, reference=with_sets(self.reference, sets), history=None)

    def stretch_start_us(self, at_us: int) -> int:
        """The start of the stretch of time around an instant in which no factor changes (epoch microseconds, at least 0)."""
        place = bisect_right(self.boundaries_us, at_us)
        start_us = max(0, self.boundaries_us[place - 1]) if place else 0
        return max(start_us, at_us // HOUR_US * HOUR_US) if self.hourly else start_us

    def at(self, instant_us: int) -> "EstimatorAt":
        """The estimator with the tables as they hold at an instant (epoch microseconds)."""
        reference = self.reference if self.history is None else self.history.at(instant_us)
        return EstimatorAt(reference, self.policy, self.method, instant_us)

    @property
    def boundaries_us(self) -> tuple[int, ...]:
        """Instants at which factors change; between two neighbours none does, unless `hourly`."""
        return self.reference.boundaries_us if self.history is None else self.history.boundaries_us

    @property
    def hourly(self) -> bool:
        """Whether some factor changes by the hour."""
        return self.reference.hourly if self.history is None else self.history.hourly


@dataclass(frozen=True, slots=True)
class EstimatorAt:
    """An estimator as of one instant: `at_us`, in epoch microseconds."""

    reference: Reference
    policy: FactorPolicy
    method: Method
    at_us: int

    @property
    def versions(self) -> dict[str, str]:
        """The versions of method and factors: they pin down what an answer was computed with."""
        return {"method": self.method.version, "factors": self.reference.version}

    def draft(
        self, key: ServiceKey, *, live: LiveLookup = no_live_feed, mapped: ServiceKey | None = None
    ) -> FactorDraft:
        """What one kind of request rests on; see `draft_factors`."""
        return draft_factors(
            key,
            self.at_us,
            reference=self.reference,
            policy=self.policy,
            method=self.method,
            live=live,
            mapped=mapped,
        )

    def finished(self, drafts: Sequence[FactorDraft]) -> list[FactorUse]:
        """The factors of the drafts, worked out together."""
        return finished(drafts, self.method, self.reference)

    def factors(self, key: ServiceKey) -> FactorUse:
        """The factors of one kind of request."""
        return self.finished([self.draft(key)])[0]
