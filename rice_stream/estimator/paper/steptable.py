"""A random forest on two features as what it really is: a table of steps.

Every tree of a forest cuts each feature at thresholds; between neighbouring thresholds the whole forest is constant.
So the forest over (parameters, prompt tokens) is a grid of cells, and a look-up in that grid gives scikit-learn's
`predict` to the last bit, provided that features are rounded to float32 first, as scikit-learn does.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rice_stream.quantities import Floats


@dataclass(frozen=True, slots=True)
class StepTable:
    """A piecewise constant function of (parameters in billions, prompt tokens), in seconds.

    `params_thresholds_b` (r,) and `prompt_thresholds` (c,) ascend strictly; `cells_s` has shape (r + 1, c + 1). A value
    equal to a threshold lies below it (a tree sends `x <= threshold` to the left).
    """

    params_thresholds_b: Floats
    prompt_thresholds: Floats
    cells_s: Floats

    def __post_init__(self) -> None:
        shape = (len(self.params_thresholds_b) + 1, len(self.prompt_thresholds) + 1)
        if self.cells_s.shape != shape:
            raise ValueError(f"cells_s must have shape {shape}, got {self.cells_s.shape}")
        for name in ("params_thresholds_b", "prompt_thresholds"):
            if np.any(np.diff(getattr(self, name)) <= 0):
                raise ValueError(f"{name} must ascend strictly")

    def rows(self, params_b: ArrayLike) -> NDArray[np.intp]:
        """The row of each parameter count (billions), same shape as given."""
        return _cells(self.params_thresholds_b, params_b)

    def columns(self, prompt_tokens: ArrayLike) -> NDArray[np.intp]:
        """The column of each prompt length (tokens), same shape as given."""
        return _cells(self.prompt_thresholds, prompt_tokens)

    def predict(self, params_b: ArrayLike, prompt_tokens: ArrayLike) -> Floats:
        """Seconds, elementwise: what the forest's `predict` returns for these pairs."""
        values: Floats = self.cells_s[self.rows(params_b), self.columns(prompt_tokens)]
        return values


def _cells(thresholds: Floats, values: ArrayLike) -> NDArray[np.intp]:
    # scikit-learn rounds features to float32 and compares them with float64 thresholds.
    rounded = np.asarray(values, dtype=np.float32).astype(np.float64)
    return np.searchsorted(thresholds, rounded, side="left")
