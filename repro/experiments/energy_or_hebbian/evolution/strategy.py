"""Evolution strategies with mirrored sampling and centred ranks: Salimans et al. 2017 (arXiv 1703.03864), section 2.

Nothing here imports torch, so that a process that evaluates members starts quickly. Every perturbation is keyed:
it is drawn anew where it is needed, and is the same in any process.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def perturbation(key: int, pair: int, size: int) -> Array:
    """The direction ε (size,) float32, standard normal, of a pair of members of the generation named by `key`."""
    return np.random.default_rng([key, pair]).standard_normal(size, dtype=np.float32)


def members(mean: Array, sigma: float, key: int, first: int, count: int) -> Array:
    """Members first … first + count − 1, (count, P) float32: mean + σε and mean − σε of each pair in turn."""
    signs = {member: 1 - 2 * (member % 2) for member in range(first, first + count)}
    if not sigma:
        return np.repeat(mean[None], count, 0)
    return np.stack([mean + s * sigma * perturbation(key, m // 2, mean.size) for m, s in signs.items()])


def centred_ranks(fitness: Array) -> Array:
    """fitness (n,) -> ranks (n,) with mean 0 and variance 1, equal values sharing theirs; 0 when all are equal."""
    below = (fitness[:, None] > fitness).sum(1)
    equal = (fitness[:, None] == fitness).sum(1)
    ranks = below + (equal - 1) / 2
    ranks -= ranks.mean()
    return ranks / (ranks.std() or 1.0)


def ascent(fitness: Array, sigma: float, key: int, size: int) -> Array:
    """The estimate (size,) of the gradient of the expected fitness, 1/(nσ) Σ rank_i s_i ε_i, s_i = ±1.

    `fitness` (n,) is that of all members in order, n even.
    """
    ranks = centred_ranks(fitness)
    weights = (ranks[::2] - ranks[1::2]) / (len(ranks) * sigma)
    total = np.zeros(size, np.float32)
    for pair, weight in enumerate(weights):
        if weight:
            total += np.float32(weight) * perturbation(key, pair, size)
    return total
