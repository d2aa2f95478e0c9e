"""Settings about estimating: the method, how models are taken to be served, and what stands in for the tables."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator

from rice_stream.estimator.registry import MethodName
from rice_stream.quantities import (
    BatchSize,
    DefaultTokens,
    Devices,
    PrecisionName,
    Pue,
    RciGco2ePerKwh,
    TdpW,
    Utilisation,
)
from rice_stream.reference.types import RciScope
from rice_stream.runtime.settings.section import CommaList, JsonRows, Rows, Section, checked, rows

if TYPE_CHECKING:
    from rice_stream.events.trust import TrustPolicy
    from rice_stream.meter.factors import FactorPolicy


# The estimator's modules are loaded by who sets something of this kind: most commands estimate nothing.


def _profiles(written: tuple[dict[str, Any], ...]) -> Any:
    from rice_stream.meter.serving_overrides import parse_profiles

    return parse_profiles(written)


def _overrides(written: tuple[dict[str, Any], ...]) -> Any:
    from rice_stream.meter.serving_overrides import parse_overrides

    return parse_overrides(written)


def _trust(written: tuple[str, ...]) -> tuple[str, ...]:
    from rice_stream.events.trust import parse_trust

    checked(lambda: parse_trust(written))
    return written


class EstimatingSettings(Section):
    """The operator's choices: they come before the tables, and after what an event states and is believed."""

    trust_event_factors: Annotated[CommaList, AfterValidator(_trust)] = ("operator",)
    method: MethodName = "rice-calibrated"
    serving_profile: str | None = None
    serving_profiles: Annotated[JsonRows, rows(_profiles)] = Rows((), {})
    serving_overrides: Annotated[JsonRows, rows(_overrides)] = Rows((), ())
    site_file: Path | None = None
    default_region: str | None = None
    rci_scope: RciScope = "lifecycle"
    reference_dir: Path | None = None
    pue: Pue | None = None
    rci_gco2e_per_kwh: RciGco2ePerKwh | None = None
    hardware: str | None = None
    devices: Devices | None = None
    batch_size: BatchSize | None = None
    precision: PrecisionName | None = None
    utilisation: Utilisation | None = None
    tdp_w: TdpW | None = None
    default_input_tokens: DefaultTokens = 1_000
    default_output_tokens: DefaultTokens = 250

    def trust_policy(self) -> "TrustPolicy":
        """Whose word on factors is believed."""
        from rice_stream.events.trust import parse_trust

        return parse_trust(self.trust_event_factors)

    def factor_policy(self) -> "FactorPolicy":
        """The part of the settings that the estimator sees."""
        from rice_stream.meter.factors import FactorPolicy

        return FactorPolicy(
            rci_scope=self.rci_scope,
            default_region=self.default_region,
            serving_profile=self.serving_profile,
            pue=self.pue,
            rci_gco2e_per_kwh=self.rci_gco2e_per_kwh,
            hardware=self.hardware,
            devices=self.devices,
            batch_size=self.batch_size,
            precision=self.precision,
            utilisation=self.utilisation,
            tdp_w=self.tdp_w,
            profiles=self.serving_profiles.parsed,
            overrides=self.serving_overrides.parsed,
        )
