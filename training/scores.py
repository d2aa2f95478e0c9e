"""Measures of error. `measured` and `predicted` are arrays of shape (n,), all positive."""

from dataclasses import dataclass

import numpy as np

from rice_stream.quantities import Floats


@dataclass(frozen=True, slots=True)
class Scores:
    """R2, mean squared error, mean absolute percentage error (as a fraction) of one prediction."""

    r2: float
    mse: float
    mape: float


def relative_errors(measured: Floats, predicted: Floats) -> Floats:
    return np.abs(predicted / measured - 1)


def mape(measured: Floats, predicted: Floats) -> float:
    """Mean absolute percentage error, as a fraction of the measured value."""
    return float(relative_errors(measured, predicted).mean())


def bias(measured: Floats, predicted: Floats) -> float:
    """Mean signed error, as a fraction of the measured value: below 0 the method predicts too little."""
    return float((predicted / measured - 1).mean())


def scores(measured: Floats, predicted: Floats) -> Scores:
    """As the paper's Table III has them."""
    squared = (measured - predicted) ** 2
    spread = (measured - measured.mean()) ** 2
    return Scores(r2=float(1 - squared.sum() / spread.sum()), mse=float(squared.mean()), mape=mape(measured, predicted))
