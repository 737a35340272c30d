"""Deep linear generators and the Bures–Wasserstein distance: Bréchet et al. 2023 (arXiv 2303.03027)."""

from __future__ import annotations

import math
from itertools import combinations, pairwise
from typing import Any

import torch
from torch import Tensor, nn

from repro import pictures
from repro.engine.loop import Loop
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.optimisation.bures_wasserstein_options import BuresWassersteinOptions
from repro.keys import generator, key

RATE = (1e-10, 1e-12)  # between these gaps the slowest direction is what is left, well above rounding


class BuresWasserstein(Stage):
    """Gradient descent in float64 on the distance of a covariance Σ and W Wᵀ, W = W_N … W_1 of rank at most k.

    Σ has the eigenvalues (n, n − 1, …, 1)/n, n = `dim`, and random eigenvectors. For each k from 1 to n − 1 there
    is a network of `factors` N layers, all of n rows and columns but for the k units after the first. It starts
    balanced, W a random matrix of k equal singular values, `scale`. `smoothing` τ is that of `loss`.

    Metrics, the largest over k: `gap`, of the loss above its `minimum`, and `distance_gap`, without smoothing;
    `angle`, the sine of the largest angle between W's columns and the k first eigenvectors; `covariance_error`, the
    largest entry of W Wᵀ less the truncated Σ; `rate_error`, |r/r* − 1| of the rate r at which the logarithm of the
    gap falls, and the one that `rate` predicts; `critical_gradient`, the norm of the gradient by W at every choice of
    k eigenvectors, and `critical_error`, of its loss less the sum of the eigenvalues left out.
    """

    Options = BuresWassersteinOptions

    def run(self, ctx: Context) -> Outcome:
        o, n = self.options, self.options.dim
        random = generator(key(ctx.seed, ctx.stage))
        values = torch.arange(n, 0, -1, dtype=torch.float64) / n
        vectors = orthonormal(n, n, random)
        root = (vectors * values.sqrt() @ vectors.T).to(ctx.device)
        nets = nn.ModuleList([Product(n, k, o.factors, o.scale, random) for k in range(1, n)]).to(ctx.device)
        optimizer = torch.optim.SGD(nets.parameters(), o.lr)
        least = [minimum(values, k, o.smoothing) for k in range(1, n)]
        loop = Loop(ctx, o.steps, {"nets": nets, "optimizer": optimizer}, 1)
        every = max(1, o.steps // 400)
        for step in loop:
            total = torch.stack([loss(net(), root, o.smoothing) for net in nets]).sum()
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
            if (step + 1) % every == 0:
                loop.log(loss=total, **gaps(nets, root, least, o.smoothing))
        found = gaps(nets, root, least, o.smoothing)
        plain = gaps(nets, root, [minimum(values, k) for k in range(1, n)])
        truncated = [(vectors[:, :k] * values[:k]) @ vectors[:, :k].T for k in range(1, n)]
        with torch.no_grad():
            products = [net().cpu() for net in nets]
        metrics = {
            "gap": max(found.values()),
            "distance_gap": max(plain.values()),
            "angle": max(outside(w, vectors[:, : k + 1]) for k, w in enumerate(products)),
            "covariance_error": max(
                (w @ w.T - best).abs().max().item() for w, best in zip(products, truncated, strict=True)
            ),
            "rate_error": max(
                abs(measured(loop.curve, f"gap_{k}") / rate(values, k, o.factors, o.lr) - 1)
                for k in range(1, n)
            ),
            **critical_points(values, vectors),
        }
        if ctx.setup.main:
            steps = [point["step"] for point in loop.curve]
            shown = {
                f"k = {k}": (steps, [max(p[f"gap_{k}"], 1e-16) for p in loop.curve])
                for k in (1, n // 2, n - 1)
            }
            pictures.plot(ctx.picture("gaps.svg"), shown, "step", "loss above the minimum", log="y")
        return Outcome(metrics, loop.curve, loop.facts)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"dim": 3, "steps": 600})


class Product(nn.Module):
    """W = W_N … W_1 (n, n), with k units after W_1; balanced, and with k singular values equal to `scale`."""

    def __init__(self, n: int, k: int, factors: int, scale: float, random: torch.Generator):
        super().__init__()
        bases = [orthonormal(n, k, random), torch.eye(k, dtype=torch.float64)]
        bases += [orthonormal(n, k, random) for _ in range(factors - 1)]
        size = scale ** (1 / factors)
        layers = [size * after @ before.T for before, after in pairwise(bases)]
        self.layers = nn.ParameterList([nn.Parameter(layer) for layer in layers])

    def forward(self) -> Tensor:
        product = self.layers[0]
        for layer in list(self.layers)[1:]:
            product = layer @ product
        return product


def loss(w: Tensor, root: Tensor, smoothing: float = 0.0) -> Tensor:
    """tr Σ + tr W Wᵀ − 2 Σ_i √(s_i² + τ), s the singular values of Σ^½ W, Σ^½ = `root` and W (n, n).

    For τ = 0 it is the squared Bures–Wasserstein distance of Σ and W Wᵀ, as Σ_i s_i = tr (Σ^½ W Wᵀ Σ^½)^½.
    """
    s = torch.linalg.svdvals(root @ w)
    overlap = (s.square() + smoothing).sqrt() if smoothing else s
    return root.square().sum() + w.square().sum() - 2 * overlap.sum()


@torch.no_grad()
def gaps(nets: nn.ModuleList, root: Tensor, least: list[float], smoothing: float = 0.0) -> dict[str, float]:
    """How far the loss of the network of each rank is above `least`."""
    return {f"gap_{k + 1}": loss(net(), root, smoothing).item() - least[k] for k, net in enumerate(nets)}


def minimum(values: Tensor, k: int, smoothing: float = 0.0) -> float:
    """The least loss of rank k: Σ_{i>k} λ_i, and with smoothing − Σ_{i≤k} τ/λ_i − 2 (n − k) √τ, for τ < λ_k².

    λ + x − 2 √(λ x + τ) is least at x = λ − τ/λ.
    """
    discarded, kept = values[k:], values[:k]
    return (discarded.sum() - smoothing * (1 / kept).sum()).item() - 2 * len(discarded) * math.sqrt(smoothing)


def rate(values: Tensor, k: int, factors: int, lr: float) -> float:
    """By how much log(gap) falls in a step near the minimum of rank k: −2 log(1 − lr μ).

    The slowest way down turns the k-th eigenvector by θ towards the next one, where the loss rises by
    θ² (λ_k − λ_{k+1}); the last of N balanced layers moves by θ λ_k^(1/2N) in it. So μ = 2 (λ_k − λ_{k+1})/λ_k^(1/N).
    """
    mu = 2 * (values[k - 1] - values[k]) / values[k - 1] ** (1 / factors)
    return -2 * math.log(1 - lr * mu.item())


def measured(curve: list[dict[str, float]], name: str) -> float:
    """By how much log(gap) falls in a step, on average between the gaps of `RATE`; NaN when it is not met twice."""
    steps, logs = [], []
    for point in curve:
        if RATE[1] < point[name] < RATE[0]:
            steps.append(point["step"])
            logs.append(math.log(point[name]))
    return (logs[0] - logs[-1]) / (steps[-1] - steps[0]) if len(steps) > 1 else math.nan


def critical_points(values: Tensor, vectors: Tensor) -> dict[str, float]:
    """Loss and gradient at W = V_J Λ_J^½, padded with zeros to be square, for every non-empty choice J."""
    n = len(values)
    root = vectors * values.sqrt() @ vectors.T
    norms, errors = [], []
    for k in range(1, n + 1):
        for chosen in combinations(range(n), k):
            j = list(chosen)
            w = (vectors[:, j] * values[j].sqrt()).requires_grad_()
            here = loss(w, root)
            norms.append(torch.autograd.grad(here, w)[0].norm().item())
            errors.append(abs(here.item() - (values.sum() - values[j].sum()).item()))
    return {"critical_gradient": max(norms), "critical_error": max(errors)}


def outside(w: Tensor, space: Tensor) -> float:
    """The sine of the largest angle between the k first left singular vectors of w and the space (n, k)."""
    u = torch.linalg.svd(w).U[:, : space.shape[1]]
    return torch.linalg.matrix_norm(u - space @ (space.T @ u), 2).item()


def orthonormal(n: int, k: int, random: torch.Generator) -> Tensor:
    """k random orthonormal columns (n, k), float64."""
    return torch.linalg.qr(torch.randn(n, k, generator=random, dtype=torch.float64)).Q
