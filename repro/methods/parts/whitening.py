"""Whitening of a batch."""

from __future__ import annotations

import torch
from torch import Tensor

from repro.engine.loop import Collapse


def whiten(x: Tensor, eps: float = 0.0) -> Tensor:
    """x (n, d) -> centred, with covariance I (over n − 1), by the Cholesky factor of the covariance (section 3).

    Raises Collapse when the samples do not extend in all dimensions.
    """
    centred = x - x.mean(0)
    covariance = centred.T @ centred / (len(x) - 1)
    identity = torch.eye(x.shape[1], device=x.device, dtype=x.dtype)
    factor, failed = torch.linalg.cholesky_ex((1 - eps) * covariance + eps * identity)
    if failed:
        raise Collapse(f"{len(x)} samples of {x.shape[1]} dimensions lie in fewer, and cannot be whitened")
    return torch.linalg.solve_triangular(factor, centred.T, upper=False).T
