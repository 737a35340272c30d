"""The test for radioactive data: Sablayrolles et al. 2020 (arXiv 2002.00937), as in the authors' code.

If a classifier has not seen the marks, its weights for a class do not depend on the random carrier of the class, so
that their cosine c in R^d has the law of a fixed with a random direction: c² ~ Beta(1/2, (d − 1)/2), c symmetric.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import betainc, gammaln, logsumexp, xlogy
from torch import Tensor
from torch.nn.functional import normalize

Array = NDArray[np.float64]
LEAST = 1e-300  # p-values below are taken for this one, so that their logarithm is finite


def directions(n: int, dim: int, random: torch.Generator) -> Tensor:
    """`n` independent directions (n, dim) float64, uniform on the unit sphere: the carriers of n classes."""
    return normalize(torch.randn(n, dim, generator=random, dtype=torch.float64), dim=1)


def cosine_p(cosine: Any, dim: int) -> Array:
    """P(C ≥ cosine) for the cosine C of a fixed with a random direction in R^dim; any shape."""
    c = np.asarray(cosine, dtype=np.float64)
    beyond = betainc((dim - 1) / 2, 0.5, np.clip(1 - c**2, 0, 1)) / 2
    return np.where(c >= 0, beyond, 1 - beyond)


def combined_log10(p: Any) -> Array:
    """p (…, K) independent p-values -> log10 of Fisher's combined one (…,).

    Under the null −2 Σ ln p is χ² with 2K degrees of freedom, whose tail at 2y is e^(−y) Σ_{j<K} y^j/j!.
    """
    y = -np.log(np.maximum(np.asarray(p, dtype=np.float64), LEAST)).sum(-1)
    j = np.arange(np.shape(p)[-1])
    return (logsumexp(xlogy(j, y[..., None]) - gammaln(j + 1), axis=-1) - y) / math.log(10)


def detection(weights: Tensor, carriers: Tensor) -> tuple[Array, Array]:
    """weights (…, K, d) of the classes, carriers (…, K, d) -> cosines (…, K) and log10 of the combined p (…,)."""
    cosine = (normalize(weights.double(), dim=-1) * carriers.double()).sum(-1).cpu().numpy()
    return cosine, combined_log10(cosine_p(cosine, weights.shape[-1]))


def kolmogorov(p: Array) -> float:
    """√n times the largest distance of the empirical law of p (n,) from the uniform one."""
    n, ordered = len(p), np.sort(p)
    steps = np.arange(n + 1) / n
    return math.sqrt(n) * float(max((steps[1:] - ordered).max(), (ordered - steps[:-1]).max()))
