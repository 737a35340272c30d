"""Estimators of the ICA model log p(x) = −√2 Σ|b_i x| + c: Gutmann and Hyvärinen 2010 (AISTATS), section 3."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit

Array = NDArray[Any]
SMOOTH = 1e-3  # |s| becomes √(s² + SMOOTH²), so that L-BFGS meets no corner


def normaliser(b: Array) -> float:
    """c with which e^(−√2 Σ|b_i x| + c) is a density: log|det B| − (n/2) log 2."""
    return float(np.linalg.slogdet(b)[1] - len(b) / 2 * math.log(2))


def nce(x: Array, noise: Array, half: Array, starts: list[Array]) -> tuple[Array, float]:
    """B (n, n) and c that tell data x (T, n) best from noise (ν T, n) ~ N(0, half halfᵀ): minimises

    mean_x log(1 + e^−G) + ν mean_y log(1 + e^G), G = log p_m − log p_n − log ν.
    """
    n, ratio = x.shape[1], len(noise) / len(x)
    both = np.linalg.solve(half, np.concatenate([x, noise]).T).T
    base = np.square(both).sum(1) / 2 + n / 2 * math.log(2 * math.pi) - math.log(ratio)
    sign = np.concatenate([np.ones(len(x)), -np.ones(len(noise))])

    def objective(theta: Array) -> tuple[float, Array]:
        size, slope = magnitude(both @ theta[:-1].reshape(n, n).T)
        margin = sign * (theta[-1] - math.sqrt(2) * size + base)
        weight = -sign * expit(-margin) / len(x)
        gradient = -math.sqrt(2) * (weight[:, None] * slope).T @ both
        return float(-log_expit(margin).sum() / len(x)), np.append(gradient, weight.sum())

    best = lowest(objective, [np.append(w, normaliser(w)) for w in (b @ half for b in starts)])
    b = np.linalg.solve(half.T, best[:-1].reshape(n, n).T).T
    return b, float(best[-1] - np.linalg.slogdet(half)[1])


def likelihood(x: Array, starts: list[Array]) -> Array:
    """B (n, n) of maximum likelihood for x (T, n), the normaliser known."""
    n = x.shape[1]

    def objective(theta: Array) -> tuple[float, Array]:
        b = theta.reshape(n, n)
        size, slope = magnitude(x @ b.T)
        gradient = math.sqrt(2) * slope.T @ x / len(x) - np.linalg.inv(b).T
        return math.sqrt(2) * size.mean() - normaliser(b), gradient.ravel()

    return lowest(objective, [b.ravel() for b in starts]).reshape(n, n)


def magnitude(s: Array) -> tuple[Array, Array]:
    """Σ_i |s_i| (T,) of s (T, n), smoothed at zero, and its derivatives (T, n)."""
    smooth = np.sqrt(np.square(s) + SMOOTH**2)
    return smooth.sum(1), s / smooth


def lowest(objective: Callable[[Array], tuple[float, Array]], starts: list[Array]) -> Array:
    """The best of the minima that L-BFGS finds from `starts`."""
    found = [
        minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}) for start in starts
    ]
    return min(found, key=lambda result: float(result.fun)).x
