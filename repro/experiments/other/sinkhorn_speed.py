"""The speed of Sinkhorn distances against a linear program: Cuturi 2013 (arXiv 1306.0895), section 5."""

from __future__ import annotations

import math
import time
from typing import Any

import torch
from torch import Tensor

from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.other.sinkhorn_limits import problem, transport
from repro.experiments.other.sinkhorn_speed_options import SinkhornSpeedOptions
from repro.keys import generator, key


class SinkhornSpeed(Stage):
    """Processor time of an exact solver over that of Algorithm 1 at λ = `strength`, for histograms of `bins`.

    The exact solver is the dual simplex of HiGHS; the algorithm stops when 1/u changes by less than
    `tolerance` of its norm. Each is timed by this process's processor seconds, the algorithm as the mean of
    `repeats`.

    For a trial, no problem is given more than `at_most` bins, whatever its name says.

    Metrics, for each number d of bins: `speedup_<d>`, the ratio; `iterations_<d>`; `error_<d>`, d_λ over the
    optimum, less 1.
    """

    Options = SinkhornSpeedOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        metrics: dict[str, float] = {}
        curve: list[dict[str, float]] = []
        for bins in o.bins:
            size = min(bins, o.at_most or bins)
            r, c, cost = problem(size, generator(key(ctx.seed, ctx.stage, bins)))
            began = time.process_time()
            optimum = transport(r, c, cost)
            exact = time.process_time() - began
            plain(r, c, cost, o.strength, o.tolerance)  # warm
            began = time.process_time()
            for _ in range(o.repeats):
                distance, steps = plain(r, c, cost, o.strength, o.tolerance)
            each = max((time.process_time() - began) / o.repeats, 1e-9)
            metrics |= {f"speedup_{bins}": exact / each, f"iterations_{bins}": float(steps)}
            metrics[f"error_{bins}"] = distance / optimum - 1
            curve.append({"step": len(curve) + 1, "bins": bins, "exact_s": exact, "sinkhorn_s": each})
            ctx.log(stage=ctx.stage, **curve[-1])
        return Outcome(metrics, curve)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"at_most": 8})


def plain(r: Tensor, c: Tensor, cost: Tensor, strength: float, tolerance: float) -> tuple[float, int]:
    """Algorithm 1: d_λ and the number of iterations until 1/u changes by less than `tolerance` of its norm."""
    kernel = torch.exp(-strength * cost)
    x, steps, change = torch.full_like(r, 1 / len(r)), 0, math.inf
    while change >= tolerance:
        before, steps = x, steps + 1
        x = (kernel @ (c / (kernel.T @ (1 / before)))) / r  # 1/u = r⁻¹ ∘ (K v)
        change = ((x - before).norm() / x.norm()).item()
    v = c / (kernel.T @ (1 / x))
    return ((1 / x) @ (kernel * cost) @ v).item(), steps
