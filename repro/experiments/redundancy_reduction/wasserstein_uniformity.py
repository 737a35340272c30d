"""The Wasserstein uniformity metric against L_uniform: Fang et al. 2024 (arXiv 2403.00642), sections 3 to 5.

There is no network: the embeddings are drawn. The settings are those of the authors' EmpiricalStudy folder.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from repro.engine.loop import Loop
from repro.engine.method import unit
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.contrastive.uniform_sphere import continuum
from repro.experiments.redundancy_reduction.wasserstein_uniformity_options import WassersteinUniformityOptions
from repro.keys import generator, key
from repro.pictures import plot

CHANGES = ("instances", "features", "zeros")
ROWS = 256  # the pairs with as many points at a time stay in the cache


class WassersteinUniformity(Stage):
    """Both metrics on `points` directions of Gaussian vectors in `dim` dimensions, the last share η of them zero.

    Each share of `collapse` is measured, and with `copies` c also after three changes: every point c times more
    (`instances`), every coordinate c times more (`features`), c `dim` zero coordinates more (`zeros`); embeddings
    are not normalised again, as in the authors' code. In float32.

    Metrics, η in whole %: `w2_<η>`, see `wasserstein`, and `lu_<η>`, L_uniform in nats over different points; with
    copies also `w2_<η>_<change>_<c>`, `lu_<η>_<change>_<c>`.
    """

    Options = WassersteinUniformityOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        drawn = torch.randn(o.points, o.dim, generator=generator(key(ctx.seed, ctx.stage, "points")))
        loop = Loop(ctx, len(o.collapse), {}, o.points)
        for level in loop:
            x = drawn.clone()
            x[:, active(o.dim, o.collapse[level]) :] = 0
            x = unit(x).to(ctx.device)
            changed = {f"_{how}_{c}": change(x, how, c) for how in CHANGES for c in o.copies}
            found: dict[str, float] = {}
            for name, z in {"": x, **changed}.items():
                found |= {f"w2{name}": wasserstein(z), f"lu{name}": uniformity(z, o.t)}
            loop.log(collapse=o.collapse[level], **found)
        if ctx.setup.main:
            draw(ctx, loop.curve, o.dim, o.t)
        metrics = {}
        for share, point in zip(o.collapse, loop.curve, strict=True):
            for name in (name for name in point if name not in ("step", "collapse")):
                metric, *rest = name.split("_", 1)
                metrics["_".join([metric, str(round(100 * share)), *rest])] = point[name]
        return Outcome(metrics, loop.curve, loop.facts)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        small = {"points": min(options.points, 50), "dim": min(options.dim, 20)}
        return options.model_copy(update=small)


def active(dim: int, collapse: float) -> int:
    """How many of `dim` coordinates are left, at least one."""
    return max(1, round(dim * (1 - collapse)))


def change(x: Tensor, how: str, copies: int) -> Tensor:
    """x (n, m) -> with so many copies more of its rows or of its columns, or with copies · m columns of zeros."""
    if how == "zeros":
        return torch.cat([x, x.new_zeros(len(x), copies * x.shape[1])], 1)
    return x.repeat((copies + 1, 1) if how == "instances" else (1, copies + 1))


def wasserstein(x: Tensor) -> float:
    """x (n, m) of mean µ and covariance Σ -> the 2-Wasserstein distance of N(µ, Σ) from N(0, I/m) (section 4).

    √(‖µ‖² + 1 + tr Σ − (2/√m) tr Σ^½), in float64.
    """
    z = x.double()
    mean = z.mean(0)
    covariance = (z - mean).T @ (z - mean) / len(z)
    root = torch.linalg.eigvalsh(covariance).clamp(min=0).sqrt().sum()
    square = mean.square().sum() + 1 + covariance.trace() - 2 / math.sqrt(x.shape[1]) * root
    return math.sqrt(max(square.item(), 0.0))


def uniformity(x: Tensor, t: float) -> float:
    """As `uniformity` of `repro.methods.contrastive.align_uniform`, for more rows of x (n, m): `ROWS` at a time."""
    n, squares, total = len(x), x.square().sum(1), 0.0
    for start in range(0, n, ROWS):
        rows, others = x[start : start + ROWS], x[start:]
        exponents = torch.addmm(-t * squares[start:], rows, others.T, alpha=2 * t)
        exponents -= t * squares[start : start + ROWS, None]
        total += exponents.exp_().triu_(1).sum(dtype=torch.float64).item()
    return math.log(total / (n * (n - 1) / 2))


def sampled_wasserstein(points: int, dim: int, collapse: float) -> float:
    """What `wasserstein` is for n points drawn on the sphere of the k directions left, to second order in √(k/n).

    E tr Σ^½ ≈ √k (1 − (k + 3)/(8 n)), as E‖µ‖² = 1/n and E‖k Σ − I‖² ≈ (k² − k)/n; ‖µ‖² + tr Σ = 1. Without end
    of n it is √(2 − 2 √(k/m)).
    """
    k = active(dim, collapse)
    return math.sqrt(2 - 2 * math.sqrt(k / dim) * (1 - (k + 3) / (8 * points)))


def draw(ctx: Context, curve: list[dict[str, float]], dim: int, t: float) -> None:
    """Both metrics against the share of zero coordinates, and their closed forms for the uniform distribution."""
    shares = [point["collapse"] for point in curve]
    left = [active(dim, share) for share in shares]
    measured = {"W₂": (shares, [p["w2"] for p in curve]), "L_uniform": (shares, [p["lu"] for p in curve])}
    theory = {
        "L_uniform, closed form": (shares, [continuum(k, t) for k in left]),
        "W₂, closed form": (shares, [math.sqrt(2 - 2 * math.sqrt(k / dim)) for k in left]),
    }
    plot(ctx.picture("collapse.svg"), measured, "share η of zero coordinates", "metric", theory)
