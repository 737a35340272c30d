"""Bounds on mutual information, in nats, as functions of a critic's scores.

Scores are (B, N): of x_i with its own y_i in column 0, of x_i with other samples' y in the rest. With the density
ratio r = p(x, y)/(p(x) p(y)), log r is the critic at which each bound is largest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


def log_mean_exp(x: Tensor) -> Tensor:
    return x.flatten().logsumexp(0) - math.log(x.numel())


def donsker_varadhan(scores: Tensor) -> Tensor:
    """E_P[T] − log E_Q[e^T] (Belghazi et al. 2018, section 2.2)."""
    return scores[:, 0].mean() - log_mean_exp(scores[:, 1:])


def nwj(scores: Tensor) -> Tensor:
    """1 + E_P[T] − E_Q[e^T]: Tschannen et al. 2019, section 2, for the critic T + 1; float64, lest e^T overflows."""
    return 1 + scores[:, 0].double().mean() - scores[:, 1:].double().exp().mean()


def infonce(scores: Tensor) -> Tensor:
    """log N + E log(e^T_0/Σ_j e^T_j) ≤ log N (van den Oord et al. 2018, eq. 4 and section 2.3), in float64."""
    return scores.log_softmax(-1)[:, 0].double().mean() + math.log(scores.shape[1])


def conditional(scores: Tensor, part: Tensor) -> Tensor:
    """InfoNCE for I(x; y|x'), the negatives reweighted by w_j ∝ e^part_j, part (B, N) scores of x' with y:

    log N + E[T_0 − log(e^T_0 + (N − 1) Σ_j w_j e^T_j)] ≤ log N (Sordoni et al. 2021, importance sampling).
    """
    n = scores.shape[1]
    rest = (scores[:, 1:] + part[:, 1:].log_softmax(-1)).logsumexp(-1) + math.log(n - 1)
    pair = torch.stack([scores[:, 0], rest], -1)
    return pair.log_softmax(-1)[:, 0].double().mean() + math.log(n)


@dataclass(frozen=True)
class Relative:
    """Relative predictive coding (Tsai et al. 2021) with its three weights."""

    alpha: float
    beta: float
    gamma: float

    def objective(self, scores: Tensor) -> Tensor:
        """E_P[f] − α E_Q[f] − β/2 E_P[f²] − γ/2 E_Q[f²]."""
        joint, apart = scores[:, 0], scores[:, 1:]
        reward = joint - self.beta / 2 * joint.square()
        return reward.mean() - (self.alpha * apart + self.gamma / 2 * apart.square()).mean()

    def critic(self, log_ratio: Tensor) -> Tensor:
        """The optimum (r − α)/(β r + γ), in float64: for large r it nears 1/β so closely that float32 reaches it."""
        ratio = log_ratio.double().exp()
        return (ratio - self.alpha) / (self.beta * ratio + self.gamma)

    def log_ratio(self, critic: Tensor) -> Tensor:
        """log r, r = (γ f + α)/(1 − β f) of at least 10⁻⁴, as in the authors' code, and at most 10¹⁶."""
        f = critic.double()
        return ((self.gamma * f + self.alpha) / (1 - self.beta * f)).clamp(1e-4, 1e16).log()
