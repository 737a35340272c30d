"""INTL, iterative normalisation with trace loss, Weng et al. 2024 (arXiv 2305.16789)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from repro.engine.method import Method, unit
from repro.methods.redundancy_reduction.intl_options import INTLOptions


class INTL(Method):
    """Views agree after a whitening that is only approximate; the trace loss makes up for the rest."""

    Options = INTLOptions

    def __init__(self, options: Any, encoder: nn.Module, head: Any):
        super().__init__(options, encoder, head)
        self.least = 2 if options.axis == "batch" else 1

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 2, C, H, W) -> z (n, 2, d)."""
        return {"z": self.project(views)}

    def loss(self, z: Tensor) -> Tensor:
        """z (N, 2, d) of the whole batch -> 2 − 2 cosine, the mean over the batch, plus β the sum of trace losses."""
        channel = self.options.axis == "channel"
        x = [view.T if channel else view for view in z.unbind(1)]
        w = [iterative_whitening(view, self.options.iterations) for view in x]
        a, b = (unit(view.T if channel else view) for view in w)
        return 2 - 2 * (a * b).sum(-1).mean() + self.options.trade_off * sum(map(trace_loss, w))


def iterative_whitening(x: Tensor, iterations: int) -> Tensor:
    """x (n, m) -> centred columns, decorrelated by `iterations` of Newton's method, the more the closer.

    IterNorm, Huang et al. 2019 (arXiv 1904.03441), Algorithm 1, with the covariance over n − 1.
    """
    centred = x - x.mean(0)
    covariance = centred.T @ centred / (len(x) - 1)
    trace = covariance.trace().clamp_min(torch.finfo(x.dtype).tiny)
    p = torch.eye(len(covariance), device=x.device, dtype=x.dtype)
    for _ in range(iterations):
        p = 1.5 * p - 0.5 * (p @ p @ p) @ (covariance / trace)
    return centred @ p / trace.sqrt()


def trace_loss(w: Tensor) -> Tensor:
    """w (n, m) -> the squared distances of the columns' variances (over n − 1) from 1, summed."""
    return (w.var(0) - 1).square().sum()
