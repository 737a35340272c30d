"""Cutout, DeVries and Taylor 2017 (arXiv 1708.04552)."""

from __future__ import annotations

import torch
from torch import Tensor

from repro.options import Cutout
from repro.views.draws import Draws


def cutout(images: Tensor, draws: Draws, options: Cutout, mean: Tensor) -> Tensor:
    """images (n, C, S, S) -> the same with a square painted over in the options' colour, or else in `mean` (C,)."""
    low, high = options.size if isinstance(options.size, tuple) else (options.size, options.size)
    number = draws.unit("cutout", 3)
    fill = mean if options.fill is None else images.new_tensor(options.fill)
    return paint(images, low + (high - low) * number[:, 0], number[:, 1:], fill)


def paint(images: Tensor, size: Tensor, place: Tensor, fill: Tensor) -> Tensor:
    """Paints squares of side `size` (n,), rounded down to even pixels, around pixels at `place` (n, 2) in [0, 1)²."""
    side, half = images.shape[-1], (size / 2).floor()[:, None]
    offset = torch.arange(side, device=images.device) - (place * side).floor()[..., None]
    down, across = ((-half <= one) & (one < half) for one in offset.unbind(1))
    return torch.where((down[:, :, None] & across[:, None])[:, None], fill[:, None, None], images)
