"""Sinkhorn distances between optimal transport and independence: Cuturi 2013 (arXiv 1306.0895).

d_λ = ⟨P_λ, M⟩ for the table P_λ that minimises ⟨P, M⟩ − h(P)/λ among those with marginals r and c
(equation 2 and Algorithm 1), against the exact transport distance of a linear program.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy import sparse
from scipy.optimize import linprog
from torch import Tensor

from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.other.sinkhorn_limits_options import SinkhornLimitsOptions
from repro.keys import generator, key
from repro.pictures import plot


class SinkhornLimits(Stage):
    """d_λ of two random histograms (see `problem`) at every λ of `strengths`, smallest first, in float64.

    The scaling runs in the log domain, each λ from the solution of the one before, until the rows are met
    within `tolerance` (sum of absolute errors), at most `iterations` times; the table is then `rounded`.

    Metrics: `independence_gap`, |d_λ/rᵀMc − 1| at the smallest λ, and `independence_slope`, the change of d_λ
    there over its first-order term (`slope_at_zero`); `transport_gap`, d_λ less the optimum at the largest λ;
    `bound_share`, the largest λ (d_λ − optimum)/min(h(r), h(c)); `falling`, the share of neighbouring λ
    between which d_λ falls; `marginal_error`, the largest remaining error before rounding.
    """

    Options = SinkhornLimitsOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        r, c, cost = problem(o.bins, generator(key(ctx.seed, ctx.stage)))
        optimum, independent = transport(r, c, cost), (r @ cost @ c).item()
        g = torch.zeros_like(c)
        curve: list[dict[str, float]] = []
        for strength in o.strengths:
            table, g, steps = scaled(r, c, cost, strength, g, o.tolerance, o.iterations)
            error = ((table.sum(1) - r).abs().sum() + (table.sum(0) - c).abs().sum()).item()
            distance = (rounded(table, r, c) * cost).sum().item()
            curve.append({"step": len(curve) + 1, "strength": strength, "distance": distance})
            curve[-1] |= {"marginal_error": error, "iterations": steps}
            ctx.log(stage=ctx.stage, **curve[-1])
        d = [point["distance"] for point in curve]
        if ctx.setup.main:
            limits = {"independence, rᵀMc": independent, "optimal transport": optimum}
            plot(ctx.picture("distance.svg"), {"d_λ": (o.strengths, d)}, "λ", "distance", limits, log="x")
        most = min(entropy(r), entropy(c))
        metrics = {
            "independence_gap": abs(d[0] / independent - 1),
            "independence_slope": (d[0] - independent) / (o.strengths[0] * slope_at_zero(r, c, cost)),
            "transport_gap": d[-1] - optimum,
            "bound_share": max(s * (x - optimum) / most for s, x in zip(o.strengths, d, strict=True)),
            "falling": sum(b < a for a, b in pairwise(d)) / (len(d) - 1),
            "marginal_error": max(point["marginal_error"] for point in curve),
        }
        return Outcome(metrics, curve, {"optimum": optimum, "independent": independent})

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"bins": 6, "iterations": 1000})


def problem(bins: int, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Histograms r, c (d,) uniform on the simplex, and a cost (d, d):

    Euclidean distances of d points N(0, 1) in d/10 dimensions (at least 2), divided by their median. The text of
    the proceedings has shortest paths in random graphs instead.
    """
    points = torch.randn(bins, max(2, bins // 10), generator=random, dtype=torch.float64)
    r, c = torch.empty(2, bins, dtype=torch.float64).exponential_(generator=random)
    cost = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    return r / r.sum(), c / c.sum(), cost / cost.median()


def transport(r: Tensor, c: Tensor, cost: Tensor) -> float:
    """The least ⟨P, M⟩ of tables with marginals r (d,) and c (e,), by HiGHS's dual simplex."""
    d, e = cost.shape
    rows = sparse.kron(sparse.eye(d), np.ones((1, e)))
    columns = sparse.kron(np.ones((1, d)), sparse.eye(e))
    sums, marginals = sparse.vstack([rows, columns]).tocsr(), torch.cat([r, c]).numpy()
    solved = linprog(cost.flatten().numpy(), A_eq=sums, b_eq=marginals, method="highs-ds")
    if not solved.success:
        raise RuntimeError(f"the transport problem was not solved: {solved.message}")
    return float(solved.fun)


def scaled(
    r: Tensor, c: Tensor, cost: Tensor, strength: float, g: Tensor, tolerance: float, iterations: int
) -> tuple[Tensor, Tensor, int]:
    """P_ij = exp(λ (f_i + g_j − M_ij)) with column sums c; also g (e,), for the next λ, and the iterations."""
    for step in range(1, iterations + 1):  # noqa: B007
        g = g - g.mean()  # a constant is free, and digits are lost where it is large
        f = (r.log() - torch.logsumexp(strength * (g - cost), 1)) / strength
        g = (c.log() - torch.logsumexp(strength * (f[:, None] - cost), 0)) / strength
        table = torch.exp(strength * (f[:, None] + g - cost))
        if (table.sum(1) - r).abs().sum() < tolerance:
            break
    return table, g, step


def rounded(table: Tensor, r: Tensor, c: Tensor) -> Tensor:
    """A table near this one with exactly these marginals: Altschuler et al. 2017 (1705.09634), Algorithm 2."""
    table = table * (r / table.sum(1)).clamp(max=1)[:, None]
    table = table * (c / table.sum(0)).clamp(max=1)
    rows, columns = r - table.sum(1), c - table.sum(0)
    missing = rows.abs().sum()
    return table + torch.outer(rows, columns) / missing if missing > 0 else table


def slope_at_zero(r: Tensor, c: Tensor, cost: Tensor) -> float:
    """The derivative of d_λ at λ = 0: −Σ r_i c_j m_ij², m the cost less its row and column means under r, c."""
    inner = cost - (cost @ c)[:, None] - r @ cost + r @ cost @ c
    return -(torch.outer(r, c) * inner.square()).sum().item()


def entropy(r: Tensor) -> float:
    """−Σ r log r in nats."""
    return -torch.special.xlogy(r, r).sum().item()
