"""What the fitted rows say for the requests that somebody has published a figure for, and whether that lies inside."""

import math
from dataclasses import dataclass

from rice_stream.estimator.calibrated.artefact import Artefact
from rice_stream.estimator.calibrated.physics import Cost
from rice_stream.estimator.hosted.artefact import HostedArtefact, HostedRow
from training.hosted.physics import request_j
from training.hosted.priors import Z80

J_PER_WH = 3600.0


@dataclass(frozen=True, slots=True)
class Tokens:
    """One request; `cached` are part of `inputs`."""

    inputs: float
    outputs: float
    cached: float = 0.0


@dataclass(frozen=True, slots=True)
class Wh:
    """The 80 % range of one request's energy in watt-hours."""

    low: float
    mid: float
    high: float

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


class Rows:
    """The artefact's rows at work."""

    def __init__(self, hosted: HostedArtefact, law: Artefact) -> None:
        self.hosted = hosted
        self._law = law

    def row(self, model_id: str, profile: str = "hosted_scale") -> HostedRow:
        """Raises KeyError for a model without a row."""
        found = self.hosted.find(model_id, profile)
        if found is None:
            raise KeyError(f"{model_id} ({profile})")
        return found

    def gpu_j(self, row: HostedRow, tokens: Tokens) -> float:
        """Joules of the accelerators: the middle."""
        cost = Cost(*row.cost)  # type: ignore[arg-type]
        return float(request_j(cost, self._law, tokens.inputs, tokens.cached, tokens.outputs))

    def facility_wh(self, row: HostedRow, tokens: Tokens, pue: float) -> Wh:
        """Facility energy at that PUE; the range is the row's alone."""
        joules = self.gpu_j(row, tokens) * (1.0 + row.host_share) * (1.0 + row.idle_share) * pue
        factor = math.exp(Z80 * row.log_sd)
        return Wh(joules / J_PER_WH / factor, joules / J_PER_WH, joules / J_PER_WH * factor)


@dataclass(frozen=True, slots=True)
class DeepSeekDay:
    """DeepSeek's published day (27 to 28 February 2025): counts are exact, energy follows from the power of a node."""

    inputs: float = 608e9
    cached: float = 342e9
    outputs: float = 168e9
    nodes: float = 226.75
    context_tokens: float = 4989.0
    """Mean length of the KV cache of an output token."""
    pue: float = 1.25
    node_kw: float = 6.2
    """Wall power of 8 x H200 at full load: 6,280 W and 6,175 W (MLPerf Inference v4.1-0049)."""
    node_kw_low: float = 5.0
    node_kw_high: float = 10.2

    @property
    def request(self) -> Tokens:
        """The mean request: an output token sees its prompt and half of the outputs."""
        inputs_per_output, cached = self.inputs / self.outputs, self.cached / self.inputs
        outputs = self.context_tokens / (inputs_per_output + 0.5)
        return Tokens(outputs * inputs_per_output, outputs, outputs * inputs_per_output * cached)

    def facility_mwh(self, node_kw: float) -> float:
        """Energy of the day."""
        return self.nodes * node_kw * 24.0 * self.pue / 1e3

    def request_wh(self, node_kw: float) -> float:
        """Of the mean request."""
        return self.facility_mwh(node_kw) * 1e6 / (self.outputs / self.request.outputs)
