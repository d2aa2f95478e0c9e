"""What turns requests into grams: the tables, the operator's choices and the method, together and as of an instant. Pure."""

from dataclasses import dataclass

from rice_stream.estimator.method import Method
from rice_stream.meter.factors import FactorPolicy, FactorUse, LiveLookup, ServiceKey, no_live_feed, resolve_factors
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

    def factors(
        self, key: ServiceKey, *, live: LiveLookup = no_live_feed, mapped: ServiceKey | None = None
    ) -> FactorUse:
        """The factors of one kind of request; see `resolve_factors`."""
        return resolve_factors(
            key,
            self.at_us,
            reference=self.reference,
            policy=self.policy,
            method=self.method,
            live=live,
            mapped=mapped,
        )
