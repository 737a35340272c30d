"""Attention on projected keys and values: Wang et al. 2020 (arXiv 2006.04768), section 4."""

from __future__ import annotations

from torch import Tensor

from repro.networks.attention.full import full


def linformer(q: Tensor, k: Tensor, v: Tensor, e: Tensor, f: Tensor) -> Tensor:
    """softmax(q (E k)ᵀ/√d) (F v): q, k (…, L, d), v (…, L, w), E and F (…, K, L) -> (…, L, w)."""
    return full(q, e @ k, f @ v)
