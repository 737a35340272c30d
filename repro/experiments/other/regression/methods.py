"""The regression methods of Vacareanu et al. 2024 (arXiv 2404.07544), with the settings of the authors' code.

What is not given is scikit-learn's default.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from repro.experiments.other.regression.problems import Array

MLPS = {
    "mlp_wide1": (10,),
    "mlp_wide2": (100,),
    "mlp_wide3": (1000,),
    "mlp_deep1": (10, 10),
    "mlp_deep2": (10, 20, 10),
    "mlp_deep3": (10, 20, 30, 20, 10),
}
# `random` takes the same place of the list in every draw, as it does there.
HEURISTICS: dict[str, Callable[[Array], float]] = {
    "average": np.mean,
    "last": lambda y: y[-1],
    "random": lambda y: random.Random(1).choice(list(y)),
}


def predict(name: str, x: Array, y: Array, new: Array, state: int = 1) -> Array:
    """What the method, fitted to x (n, d) and y (n,), says of the inputs `new` (m, d): (m,).

    `state` is the random state of those that draw, in the authors' code 1.
    """
    from sklearn.exceptions import ConvergenceWarning

    if name in HEURISTICS:
        return np.full(len(new), HEURISTICS[name](y))
    if name in ("linear", "linear_poly", "spline"):
        return least_squares(name, x, y, new)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the networks' 200 iterations may not suffice
        return _regressor(name, state).fit(x, y).predict(new)


def least_squares(name: str, x: Array, y: Array, new: Array) -> Array:
    """LinearRegression on the inputs, on all their products up to degree 2, or on cubic splines of each.

    The smallest solution in float64, as in the authors' scikit-learn 1.4. That of 1.9 drops singular values below
    a millionth of the largest, and with them much of the polynomial in inputs as unequal as those of Friedman #2.
    """
    from scipy.linalg import lstsq
    from sklearn.preprocessing import PolynomialFeatures, SplineTransformer

    if name != "linear":
        features = (PolynomialFeatures(2) if name == "linear_poly" else SplineTransformer()).fit(x)
        x, new = features.transform(x), features.transform(new)
    centre = x.mean(0)
    return (new - centre) @ lstsq(x - centre, y - y.mean())[0] + y.mean()


def _regressor(name: str, state: int) -> Any:
    from sklearn import ensemble, linear_model, neighbors, svm
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if name in MLPS:
        return MLPRegressor(hidden_layer_sizes=MLPS[name], solver="lbfgs", random_state=state)
    makers: dict[str, Callable[[], Any]] = {
        "ridge": linear_model.Ridge,
        "lasso": linear_model.Lasso,
        "kernel_ridge": KernelRidge,
        "svm": svm.SVR,
        "svm_scaled": lambda: make_pipeline(StandardScaler(), svm.SVR()),
        "knn": neighbors.KNeighborsRegressor,
        "knn_distance": lambda: neighbors.KNeighborsRegressor(weights="distance"),
        "knn_3": lambda: neighbors.KNeighborsRegressor(3, weights="distance"),
        "random_forest": lambda: ensemble.RandomForestRegressor(max_depth=3, random_state=state),
        "bagging": lambda: ensemble.BaggingRegressor(random_state=state),
        "gradient_boosting": lambda: ensemble.GradientBoostingRegressor(random_state=state),
        "adaboost": lambda: ensemble.AdaBoostRegressor(n_estimators=100, random_state=state),
    }
    return makers[name]()
