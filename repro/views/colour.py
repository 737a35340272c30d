"""Colour operations on images (n, C, H, W) in [0, 1], each sample with its own factor (n,).

The definitions are those of torchvision.transforms.functional on float tensors. Images with one channel
have no saturation and no hue: these operations leave them as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor

from repro.options import Jitter
from repro.views.draws import Draws

LUMA = (0.2989, 0.587, 0.114)  # ITU-R BT.601, as torchvision rounds it


def brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Blends with black."""
    return _blend(images, images.new_zeros(()), factor)


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Blends with the mean of the grey image."""
    return _blend(images, _luma(images.mean((2, 3), keepdim=True)), factor)


def saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Blends with the grey image."""
    return _blend(images, _luma(images), factor)


def hue(images: Tensor, shift: Tensor) -> Tensor:
    """Turns the hue by `shift`, a share of the full circle in -0.5..0.5; value and saturation stay.

    With hue h in 0..6, a channel is min + (max - min) * ramp(h), where the ramps are trapezia of height 1
    around red (0), green (2) and blue (4).
    """
    if images.shape[1] == 1:
        return images
    red, green, blue = images.unbind(1)
    low, high = images.amin(1), images.amax(1)
    chroma = high - low
    spread = torch.where(chroma == 0, 1, chroma)
    h = torch.where(
        high == red,
        (green - blue) / spread,
        torch.where(high == green, 2 + (blue - red) / spread, 4 + (red - green) / spread),
    )
    h = (h + 6 * shift[:, None, None]).remainder(6)
    ramps = [(h - 3).abs() - 1, 2 - (h - 2).abs(), 2 - (h - 4).abs()]
    return torch.stack([torch.addcmul(low, chroma, ramp.clamp(0, 1)) for ramp in ramps], 1)


def grayscale(images: Tensor) -> Tensor:
    """The grey image in every channel."""
    return _luma(images).expand_as(images)


def solarise(images: Tensor, threshold: float) -> Tensor:
    """Inverts the values at or above `threshold`."""
    return torch.where(images >= threshold, 1 - images, images)


OPERATIONS = (brightness, contrast, saturation, hue)


def jitter(images: Tensor, draws: Draws, options: Jitter) -> None:
    """Applies torchvision's ColorJitter, in place, to a share `p` of the samples.

    Each sample has its own factors and its own order of the four operations; a strength of zero leaves the
    operation out.
    """
    chosen = draws.chosen("jitter", options.p)
    order = draws.unit("order", len(OPERATIONS))[chosen].argsort(1)
    factors = [draws.between(op.__name__, *_range(op.__name__, options))[chosen] for op in OPERATIONS]
    for step in order.unbind(1):
        for number, (operation, factor) in enumerate(zip(OPERATIONS, factors, strict=True)):
            if getattr(options, operation.__name__) > 0:
                due = (step == number).nonzero()[:, 0]
                at = chosen[due]
                images[at] = operation(images[at], factor[due])


def _range(name: str, options: Jitter) -> tuple[float, float]:
    strength = getattr(options, name)
    return (-strength, strength) if name == "hue" else (max(0.0, 1 - strength), 1 + strength)


def _blend(images: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    return torch.lerp(other, images, factor[:, None, None, None]).clamp_(0, 1)


def _luma(images: Tensor) -> Tensor:
    """(n, C, H, W) -> (n, 1, H, W)."""
    if images.shape[1] == 1:
        return images
    red, green, blue = images.split(1, 1)
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
