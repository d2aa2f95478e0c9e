"""The paper's Table III again: algorithms for prompt-encoding time, on random splits and with one model left out."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import ElasticNet, LinearRegression, SGDRegressor
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeRegressor
from xgboost import XGBRegressor

from rice_stream.quantities import Floats
from training.figures import PrefillFigures
from training.scores import Scores, scores

SPLITS = 20


def _scaled(regressor: Any) -> Any:
    return make_pipeline(StandardScaler(), regressor)


ALGORITHMS: dict[str, tuple[Scores, Callable[[int], Any]]] = {
    # name: (the paper's R2, MSE, MAPE; the regressor with its library's defaults, by seed)
    "Random Forest": (Scores(0.986, 0.001, 0.050), lambda seed: RandomForestRegressor(random_state=seed)),
    "Gradient Boosting": (Scores(0.946, 0.007, 0.070), lambda seed: GradientBoostingRegressor(random_state=seed)),
    "Decision Tree": (Scores(0.965, 0.004, 0.084), lambda seed: DecisionTreeRegressor(random_state=seed)),
    # One thread: with more, sums are in an order of their own at each run.
    "XGBoost": (Scores(0.976, 0.003, 0.60), lambda seed: XGBRegressor(random_state=seed, n_jobs=1)),
    "SVR (RBF kernel)": (Scores(0.905, 0.013, 0.171), lambda seed: _scaled(SVR(kernel="rbf"))),
    "SVR (linear)": (Scores(0.712, 0.040, 0.507), lambda seed: _scaled(SVR(kernel="linear"))),
    "Elastic Net": (Scores(0.743, 0.036, 0.594), lambda seed: _scaled(ElasticNet(alpha=0.01))),
    "SGD": (Scores(0.741, 0.036, 0.597), lambda seed: _scaled(SGDRegressor(random_state=seed))),
    "Linear regression": (Scores(0.747, 0.035, 0.608), lambda seed: LinearRegression()),
}


def random_splits(points: PrefillFigures, algorithm: str) -> list[Scores]:
    """Scores on the 20 % test side of `SPLITS` seeded random splits, as the paper's "standard 80:20 split"."""
    _, regressor = ALGORITHMS[algorithm]
    results = []
    for seed in range(SPLITS):
        x_train, x_test, y_train, y_test = train_test_split(
            points.features(), points.prefill_s, test_size=0.2, random_state=seed
        )
        results.append(scores(y_test, regressor(seed).fit(x_train, y_train).predict(x_test)))
    return results


def left_out_predictions(points: PrefillFigures, algorithm: str) -> tuple[Floats, Floats]:
    """Measured and predicted seconds of all points, each predicted by a fit that has seen no point of its curve."""
    _, regressor = ALGORITHMS[algorithm]
    curves = np.array(points.curve)
    measured, predicted = [], []
    for curve in sorted(set(points.curve)):
        left_out = curves == curve
        fitted = regressor(0).fit(points.features()[~left_out], points.prefill_s[~left_out])
        predicted.append(fitted.predict(points.features()[left_out]))
        measured.append(points.prefill_s[left_out])
    return np.concatenate(measured), np.concatenate(predicted)


def leave_one_model_out(points: PrefillFigures, algorithm: str) -> Scores:
    """Scores of `left_out_predictions`: what the algorithm is worth on a model that it has not seen."""
    return scores(*left_out_predictions(points, algorithm))
