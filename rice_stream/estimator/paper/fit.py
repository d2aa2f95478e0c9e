"""The three regressions of the paper as fitted: what `training.paper` writes and `rice-paper` computes with.

Source of the method: Sikand et al., "Breaking the ICE", GREENS 2025 (R-ICE), sections III and IV. Source of the
figures: HELM-Efficiency (Narayanan et al., NeurIPS 2023), idealised runtimes on A100-80GB; training/data/SOURCES.md.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from rice_stream.errors import ReferenceDataError
from rice_stream.estimator.paper.steptable import StepTable
from rice_stream.quantities import Floats

REBUILD = "rebuild it with `python -m training.paper`"


@dataclass(frozen=True, slots=True)
class ErrorQuantiles:
    """Measured energy divided by predicted energy: 10th, 50th and 90th percentile over `rows` measurements."""

    q10: float
    q50: float
    q90: float
    rows: int


@dataclass(frozen=True, slots=True)
class PaperFit:
    """The fitted artefact. Parameter counts in billions, times in seconds."""

    devices_per_b: float
    devices_at_zero: float
    beta_scale_s: float
    beta_exponent: float
    prefill: StepTable
    params_b_min: float
    """Below this the device line and beta's power law are extrapolated (the forest knows one model below it)."""
    params_b_max: float
    prefill_params_b_min: float
    """The smallest model of the forest's training set; its largest is `params_b_max`."""
    prompt_tokens_max: int
    tail_from_tokens: int
    context_tokens_max: int
    gpu_error: ErrorQuantiles
    """GPU energy at batch 1 on A100-80GB, GPU meter only."""
    it_error: ErrorQuantiles
    """Server energy at batch 1 on A100-80GB: the meter includes GPU, CPU and RAM."""
    batched_error: ErrorQuantiles
    """GPU energy in batched serving on H100 and B200, batch size as the server chose it."""
    digest: str
    """SHA-256 of the artefact's bytes, hex."""

    def devices(self, params_total_b: float) -> float:
        """Regression 1, number of devices: a line in the parameters that must be held, never below one device."""
        return max(1.0, self.devices_per_b * params_total_b + self.devices_at_zero)

    def beta_s(self, params_active_b: float) -> float:
        """Regression 3, seconds per output token after the first: a power law in the parameters that compute."""
        return float(self.beta_scale_s * params_active_b**self.beta_exponent)

    def curves(self, low_b: float, mid_b: float, high_b: float) -> tuple[Floats, Floats, Floats]:
        """Regression 2: prefill time against prompt length for a range of parameters, as low, mid and high curve.

        Each has shape (c + 1,): the seconds of the forest's c prompt cells, then the slope in s/token past
        `prompt_tokens_max`. The mid curve is the forest at `mid_b`; low and high are its lowest and highest value
        anywhere in [low_b, high_b], because the forest does not rise steadily with the parameters.
        """
        trained_b = np.clip([low_b, mid_b, high_b], self.prefill_params_b_min, self.params_b_max)
        lowest, middle, highest = (float(params_b) for params_b in trained_b)
        first, own, last = (int(row) for row in self.prefill.rows([lowest, middle, highest]))
        grid = self._grid(first, last)
        return (
            grid.min(axis=0) * self._beyond(low_b, lowest),
            grid[own - first] * self._beyond(mid_b, middle),
            grid.max(axis=0) * self._beyond(high_b, highest),
        )

    def _grid(self, first: int, last: int) -> Floats:
        cells = self.prefill.cells_s[first : last + 1]
        start, end = self.prefill.columns([self.tail_from_tokens, self.prompt_tokens_max])
        slope = (cells[:, end] - cells[:, start]) / (self.prompt_tokens_max - self.tail_from_tokens)
        return np.column_stack([cells, slope])

    def _beyond(self, params_b: float, nearest_b: float) -> float:
        # The forest is flat beyond its training range; a step of the model grows with beta's law instead. 1.0 within.
        return float((params_b / nearest_b) ** self.beta_exponent)


def parse_paper_fit(artefact: bytes, name: str) -> PaperFit:
    """Reads the artefact's JSON. Raises ReferenceDataError naming the file and the field that is missing or wrong."""
    try:
        fields: dict[str, Any] = json.loads(artefact)
        prefill = fields["prefill"]
        return PaperFit(
            devices_per_b=float(fields["devices"]["per_b"]),
            devices_at_zero=float(fields["devices"]["at_zero"]),
            beta_scale_s=float(fields["beta"]["scale_s"]),
            beta_exponent=float(fields["beta"]["exponent"]),
            prefill=StepTable(
                np.array(prefill["params_thresholds_b"], dtype=np.float64),
                np.array(prefill["prompt_thresholds"], dtype=np.float64),
                np.array(prefill["cells_s"], dtype=np.float64),
            ),
            params_b_min=float(fields["range"]["params_b_min"]),
            params_b_max=float(fields["range"]["params_b_max"]),
            prefill_params_b_min=float(fields["range"]["prefill_params_b_min"]),
            prompt_tokens_max=int(fields["range"]["prompt_tokens_max"]),
            tail_from_tokens=int(fields["range"]["tail_from_tokens"]),
            context_tokens_max=int(fields["range"]["context_tokens_max"]),
            gpu_error=_quantiles(fields["error"]["gpu_batch_1"]),
            it_error=_quantiles(fields["error"]["server_batch_1"]),
            batched_error=_quantiles(fields["error"]["gpu_batched"]),
            digest=hashlib.sha256(artefact).hexdigest(),
        )
    except KeyError as missing:
        raise ReferenceDataError(f"{name}: field {missing} is missing; {REBUILD}") from None
    except (ValueError, TypeError) as wrong:
        raise ReferenceDataError(f"{name}: {wrong}; {REBUILD}") from None


def _quantiles(fields: dict[str, Any]) -> ErrorQuantiles:
    return ErrorQuantiles(float(fields["q10"]), float(fields["q50"]), float(fields["q90"]), int(fields["rows"]))
