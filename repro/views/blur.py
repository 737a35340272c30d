"""Gaussian blur, each sample with its own width, as two products with banded matrices."""

from __future__ import annotations

import torch
from torch import Tensor

from repro.views.geometry import separable


def gaussian_blur(images: Tensor, sigma: Tensor, kernel: int) -> Tensor:
    """images (n, C, H, W), sigma (n,) in pixels -> blurred with `kernel` taps, the edges reflected.

    The definition is that of torchvision.transforms.functional.gaussian_blur; `kernel` is odd and less than
    twice the image's side.
    """
    height, width = images.shape[2:]
    return separable(images, _bands(sigma, kernel, height), _bands(sigma, kernel, width))


def _bands(sigma: Tensor, kernel: int, size: int) -> Tensor:
    """(n,) -> (n, size, size), the matrices that blur along one axis."""
    offset = torch.arange(kernel, device=sigma.device) - kernel // 2
    taps = torch.exp(-0.5 * (offset / sigma[:, None]) ** 2)
    taps = taps / taps.sum(1, keepdim=True)
    source = (torch.arange(size, device=sigma.device)[:, None] + offset).abs()
    reflected = size - 1 - (size - 1 - source).abs()
    return torch.einsum("nk,okx->nox", taps, torch.eye(size, device=sigma.device)[reflected])
