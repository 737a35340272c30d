"""Points on the sphere under the uniformity loss: Wang and Isola 2020 (arXiv 2005.10242), section 4.1.

There is no network and no data: the points themselves are drawn or optimised.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from repro.engine.method import unit
from repro.engine.stage import Context
from repro.experiments.contrastive.uniform_sphere_options import UniformSphereOptions
from repro.experiments.supervised_contrastive.simplex import draw
from repro.keys import generator, key
from repro.methods.contrastive.align_uniform import uniformity
from repro.stages.minimise import Minimise, Problem


class UniformSphere(Minimise):
    """L_uniform of n points on the unit sphere of R^d, in float64: drawn at random and then, with `steps`, optimised.

    The draws are uniform; with `shift` κ they are the directions of Gaussian vectors of mean κ e₁ instead. Each
    step is up to 50 iterations of L-BFGS.

    Metrics in nats: `loss`, over pairs of different points as the authors' code has it; `loss_all`, over all
    pairs (the paper's expectation, for the empirical distribution); `above_bound`, `loss` less the bound that
    holds for any n points. `nearest` and `nearest_max`: the angle in degrees between a point and its nearest, least
    and largest.
    """

    Options = UniformSphereOptions

    def problem(self, ctx: Context) -> Points:
        return Points(self.options, generator(key(ctx.seed, ctx.stage, "start")))

    def draw(self, ctx: Context, problem: Points, curve: Sequence[Mapping[str, float]]) -> None:
        if curve:
            draw(ctx, curve, problem.bound)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(
            update={
                "points": min(options.points, 64),
                "dim": min(options.dim, 16),
                "steps": min(options.steps, 1),
            }
        )


class Points(Problem):
    """The uniformity loss as a function of free points; only their directions count."""

    def __init__(self, options: Any, random: torch.Generator):
        super().__init__()
        free = torch.randn(options.points, options.dim, generator=random, dtype=torch.float64)
        free[:, 0] += options.shift
        self.free, self.t, self.samples = nn.Parameter(unit(free)), options.t, options.points
        self.bound = finite_bound(options.points, options.dim, options.t)

    def forward(self) -> Tensor:
        return uniformity(unit(self.free), self.t)

    def metrics(self) -> dict[str, float]:
        loss, nearest = self().item(), nearest_angles(unit(self.free))
        pairs = math.exp(loss) * (1 - 1 / self.samples)
        return {
            "loss": loss,
            "loss_all": math.log(pairs + 1 / self.samples),
            "above_bound": loss - self.bound,
            "nearest": nearest.min().item(),
            "nearest_max": nearest.max().item(),
        }


def nearest_angles(x: Tensor) -> Tensor:
    """x (n, d) on the unit sphere -> the angle (n,) in degrees between each point and the nearest other one."""
    cosines = (x @ x.T).fill_diagonal_(-1).amax(1)
    return torch.rad2deg(torch.arccos(cosines.clamp(-1, 1)))


def continuum(dim: int, t: float) -> float:
    """L_uniform in nats of the uniform distribution on the sphere of R^d, its minimum (Proposition 1).

    log(e^(−2t) ₀F₁(; d/2; t²)) with ₀F₁(; a; z) = Σ_k z^k / (k! a (a + 1) … (a + k − 1)).
    """
    term, total, k = 1.0, 0.0, 0
    while term > 1e-18 * total:
        total += term
        term *= t * t / ((k + 1) * (dim / 2 + k))
        k += 1
    return math.log(total) - 2 * t


def finite_bound(points: int, dim: int, t: float) -> float:
    """A lower bound in nats for n points: log((n M − 1)/(n − 1)), M = exp(`continuum`), or −2t n/(n − 1) if larger.

    The kernel is positive definite on the sphere, so that its mean over all n² pairs, n of them 1, is M or more.
    The other is Jensen's, as |Σ x|² ≥ 0; a regular simplex attains it.
    """
    simplex = -2 * t * points / (points - 1)
    mean = points * math.exp(continuum(dim, t)) - 1
    return max(simplex, math.log(mean / (points - 1))) if mean > 0 else simplex
