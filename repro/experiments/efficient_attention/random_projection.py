"""The random projection behind the Linformer: Wang et al. 2020 (arXiv 2006.04768), section 3 and its proofs."""

from __future__ import annotations

import math
from typing import Any

import torch
from scipy import stats
from torch import Tensor

from repro.engine.loop import Loop
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.efficient_attention.random_projection_options import RandomProjectionOptions
from repro.keys import generator, key
from repro.pictures import plot


class RandomProjection(Stage):
    """P RᵀR W against P W for attention weights P (n, n), values W (n, `columns`) and R (k, n) ~ N(0, 1/k).

    P = softmax(Q Kᵀ/√d), with Q, K and W standard normal, is drawn once; R in each of `draws`, for each k of
    `ranks`. The error of an entry is taken relative to ‖p‖‖w‖, of its row of P and column of W, and fails where
    it is above `epsilon`.

    Metrics, for each k: `failures_<k>`, the share of entries that fail; `square_<k>`, the mean of the squared
    errors over their expectation (see `expected_square`), less 1. `bound_share`: the most of failures over
    4 e^(−(ε² − ε³) k/4). For the largest k: `columns_failed`, the share of columns with any entry that fails;
    `relative_error`, ‖P RᵀR W − P W‖/‖P W‖, the root of the mean square over the draws.
    """

    Options = RandomProjectionOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        random = generator(key(ctx.seed, ctx.stage, "attention"))
        q, k = torch.randn(2, o.length, o.dim, generator=random, dtype=torch.float64)
        p = (o.spread * q @ k.T / math.sqrt(o.dim)).softmax(-1).to(ctx.device)
        w = torch.randn(o.length, o.columns, generator=random, dtype=torch.float64).to(ctx.device)
        exact, scale = p @ w, p.norm(dim=1, keepdim=True) * w.norm(dim=0)
        loop = Loop(ctx, o.draws, {}, o.length * len(o.ranks))
        for draw in loop:
            found: dict[str, float] = {}
            for rank in o.ranks:
                random = generator(key(ctx.seed, ctx.stage, draw, rank))
                r = (
                    torch.randn(rank, o.length, generator=random, dtype=torch.float64).to(ctx.device)
                    / rank**0.5
                )
                error = p @ (r.T @ (r @ w)) - exact
                failed = error.abs() > o.epsilon * scale
                found[f"failures_{rank}"] = failed.double().mean().item()
                found[f"square_{rank}"] = (
                    error.square() / expected_square(scale, exact, rank)
                ).mean().item() - 1
            found["columns_failed"] = failed.any(0).double().mean().item()
            found["relative_error"] = (error.norm() / exact.norm()).item() ** 2
            loop.log(**found)
        metrics = {k: sum(point[k] for point in loop.curve) / o.draws for k in loop.curve[0] if k != "step"}
        metrics["relative_error"] **= 0.5
        failures = [metrics[f"failures_{rank}"] for rank in o.ranks]
        bounds = [bound(rank, o.epsilon) for rank in o.ranks]
        metrics["bound_share"] = max(f / b for f, b in zip(failures, bounds, strict=True))
        if ctx.setup.main and len(o.ranks) > 1:
            theory = {
                "exact": (o.ranks, [failure(rank, o.epsilon) for rank in o.ranks]),
                "bound": (o.ranks, bounds),
            }
            measured = {"measured": (o.ranks, [f or math.nan for f in failures])}
            share = f"share of errors above {o.epsilon:g} ‖p‖‖w‖"
            plot(ctx.picture("failures.svg"), measured, "rank k of the projection", share, theory, log="xy")
        return Outcome(metrics, loop.curve, loop.facts)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"length": 32, "draws": 3})


def expected_square(scale: Tensor, exact: Tensor, rank: int) -> Tensor:
    """E (x RᵀR y − x y)² = (‖x‖²‖y‖² + (x y)²)/k for `scale` = ‖x‖‖y‖, `exact` = x y and entries of R ~ N(0, 1/k)."""
    return (scale.square() + exact.square()) / rank


def bound(rank: int, epsilon: float) -> float:
    """4 e^(−(ε² − ε³) k/4): the Johnson–Lindenstrauss bound on the chance that |x RᵀR y − x y| > ε ‖x‖‖y‖."""
    return 4 * math.exp(-(epsilon**2 - epsilon**3) * rank / 4)


def failure(rank: int, epsilon: float, cosine: float = 0.0, nodes: int = 20000) -> float:
    """That chance itself: x RᵀR y − x y is ‖x‖‖y‖ ((1 + ρ) A − (1 − ρ) B − 2ρ k)/2k, A and B independent χ² of k.

    ρ is the cosine of x and y. The mean over B is that over `nodes` of its quantiles.
    """
    b = stats.chi2.ppf((torch.arange(nodes).double().numpy() + 0.5) / nodes, rank)
    middle, width = (2 * cosine * rank + (1 - cosine) * b) / (1 + cosine), 2 * epsilon * rank / (1 + cosine)
    a = stats.chi2(rank)
    return float((a.sf(middle + width) + a.cdf(middle - width)).mean())
