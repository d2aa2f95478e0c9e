"""What turns requests into grams: the tables, the operator's choices and the method, together and as of an instant. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from rice_stream.estimator.method import Method
from rice_stream.meter.factors import FactorDraft, FactorPolicy, FactorUse, draft_factors, finished
from rice_stream.meter.live_intensity import LiveLookup, no_live_feed
from rice_stream.meter.service_key import ServiceKey
from rice_stream.reference.lookup import Reference


@dataclass(frozen=True, slots=True)
class Estimator:
    """Everything that an estimate depends on besides the request and its time."""

    reference: Reference
    policy: FactorPolicy
    method: Method

    def at(self, instant_us: int) -> "EstimatorAt":
        """The estimator with the tables as they hold at an instant (epoch microseconds)."""
        return EstimatorAt(self.reference, self.policy, self.method, instant_us)


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
