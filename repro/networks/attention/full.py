"""Attention to all positions: Vaswani et al. 2017, and its shared-QK form, Kitaev et al. 2020 (arXiv 2001.04451)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

OWN = 1e5  # what the paper subtracts from a position's score with itself


def full(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q kᵀ/√d) v for q (…, L, d), k (…, S, d), v (…, S, e): (…, L, e)."""
    return (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1) @ v


def shared_qk(qk: Tensor, v: Tensor) -> Tensor:
    """Causal attention with keys k = q/‖q‖ (section 2): qk (…, L, d), v (…, L, e) -> (…, L, e).

    As in the authors' code the keys have length √d before the usual division by √d: the score is q·k.
    """
    at = torch.arange(qk.shape[-2], device=qk.device)
    scores = qk @ unit(qk).mT
    return masked(scores, at[:, None], at, at[:, None] >= at).softmax(-1) @ v


def unit(x: Tensor) -> Tensor:
    """x (…, d) at length 1."""
    return F.normalize(x, dim=-1)


def masked(scores: Tensor, query: Tensor, key: Tensor, allowed: Tensor) -> Tensor:
    """Scores that let a position see what is allowed, and itself only where there is nothing else.

    `query` and `key` are the positions behind the scores' last two dimensions.
    """
    return torch.where(query == key, scores - OWN, scores).masked_fill(~allowed, -math.inf)
