"""RandAugment, Cubuk et al. 2020 (arXiv 1909.13719), each sample with operations and strengths of its own.

Operations work on images (n, C, H, W) in 0..1 with one amount (n,) each, and follow Pillow's definitions on 8-bit
images. The tables say which operations a style has, and what amount a strength from 0 to 1 means.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from repro.options import RandAugment
from repro.views import colour
from repro.views.cutout import paint
from repro.views.draws import Draws


class Drawn(NamedTuple):
    """Strengths in 0..1 and signs −1 or 1, each (n,), and the side of the images in pixels."""

    strength: Tensor
    sign: Tensor
    side: int


Amount = Callable[[Drawn], Tensor]
Operation = Callable[[Tensor, Tensor], Tensor]


def randaugment(images: Tensor, draws: Draws, options: RandAugment, fill: Tensor) -> None:
    """Applies the operations in place; `fill` (C,) is the colour of what lies outside of an image."""
    table = TABLES[options.style]
    for turn in range(options.ops):
        number = draws.unit(f"randaugment {turn}", 6)
        drawn = Drawn(
            _strength(options, number[:, 0]), torch.where(number[:, 1] < 0.5, -1.0, 1.0), images.shape[-1]
        )
        choice = (number[:, 2] * len(table)).long()
        happens = number[:, 3] < (0.5 if options.style in ("fixmatch", "uda") else 1.0)
        for place, (name, amount) in enumerate(table.items()):
            at = ((choice == place) & happens).nonzero()[:, 0]
            if name == "identity" or not len(at):
                continue
            amounts = amount(drawn).expand(len(images))[at]
            if name in MAPS:
                images[at] = warp(images[at], MAPS[name](amounts, drawn.side), fill)
            elif name == "cutout":
                images[at] = paint(images[at], amounts, number[at, 4:], fill)
            else:
                images[at] = OPERATIONS[name](images[at], amounts)


def _strength(options: RandAugment, number: Tensor) -> Tensor:
    """number (n,) in [0, 1) -> the strength that it draws (n,)."""
    if options.style == "torchvision":
        return torch.full_like(number, (options.magnitude or 9) / 30)
    if options.style == "torchssl":
        return number
    return (1 + (number * ((options.magnitude or 10) - 1)).floor()) / 10


def warp(images: Tensor, maps: Tensor, fill: Tensor) -> Tensor:
    """maps (n, 2, 3) from an output pixel's coordinates (x, y, 1) to those of its pixel in the input."""
    height, width = images.shape[2:]
    y, x = torch.meshgrid(
        *(torch.arange(s, device=images.device) + 0.5 for s in (height, width)), indexing="ij"
    )
    grid = torch.stack([x, y, torch.ones_like(x)]).flatten(1)
    column, row = (maps @ grid).floor().long().unbind(1)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    place = (row.clamp(0, height - 1) * width + column.clamp(0, width - 1))[:, None]
    found = images.flatten(2).gather(2, place.expand(-1, images.shape[1], -1))
    return torch.where(inside[:, None], found, fill[:, None]).view_as(images)


def _map(*entries: Tensor | float) -> Tensor:
    """Six numbers, each (n,) or alike for all -> (n, 2, 3)."""
    like = next(e for e in entries if isinstance(e, Tensor))
    return torch.stack([torch.as_tensor(e).to(like).expand_as(like) for e in entries], 1).unflatten(1, (2, 3))


def _rotation(degrees: Tensor, side: int) -> Tensor:
    """Around the centre."""
    cos, sin, centre = degrees.deg2rad().cos(), degrees.deg2rad().sin(), side / 2
    return _map(cos, sin, centre * (1 - cos - sin), -sin, cos, centre * (1 + sin - cos))


MAPS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "shear_x": lambda a, side: _map(1, a, 0, 0, 1, 0),
    "shear_y": lambda a, side: _map(1, 0, 0, a, 1, 0),
    "translate_x": lambda a, side: _map(1, 0, a, 0, 1, 0),
    "translate_y": lambda a, side: _map(1, 0, 0, 0, 1, a),
    "rotate": _rotation,
}


def sharpness(images: Tensor, factor: Tensor) -> Tensor:
    """Blends with the image smoothed by a 3×3 kernel of ones with a 5 in its midst; the outermost pixels stay."""
    kernel = images.new_ones(images.shape[1], 1, 3, 3)
    kernel[:, :, 1, 1] = 5
    smooth = images.clone()
    smooth[..., 1:-1, 1:-1] = F.conv2d(images, kernel / 13, groups=images.shape[1])
    return torch.lerp(smooth, images, factor[:, None, None, None]).clamp_(0, 1)


def posterise(images: Tensor, bits: Tensor) -> Tensor:
    """Keeps the first `bits` of 8 of every value."""
    step = (2 ** (8 - bits))[:, None, None, None]
    return ((255 * images).round() / step).floor() * step / 255


def solarise(images: Tensor, threshold: Tensor) -> Tensor:
    """Inverts the values at or above `threshold`."""
    return torch.where(images >= threshold[:, None, None, None] - 1e-6, 1 - images, images)


def autocontrast(images: Tensor, _: Tensor) -> Tensor:
    """Stretches the values of each channel to 0..1, unless they are all the same."""
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    return torch.where(high > low, (images - low) / (high - low).clamp_min(1e-6), images)


def equalise(images: Tensor, _: Tensor) -> Tensor:
    """Spreads the values of each channel over 0..255 as evenly as whole values can be."""
    value = (255 * images).round().long().flatten(2).flatten(0, 1)
    histogram = value.new_zeros(len(value), 256).scatter_add_(1, value, torch.ones_like(value))
    largest = histogram.gather(1, value.amax(1, keepdim=True))
    step = (histogram.sum(1, keepdim=True) - largest) // 255
    below = histogram.cumsum(1) - histogram
    table = ((step // 2 + below) // step.clamp_min(1)).clamp_max(255)
    spread = torch.where(step > 0, table.gather(1, value), value)
    return (spread / 255).to(images.dtype).view_as(images)


OPERATIONS: dict[str, Operation] = {
    "brightness": colour.brightness,
    "contrast": colour.contrast,
    "colour": colour.saturation,
    "sharpness": sharpness,
    "posterise": posterise,
    "solarise": solarise,
    "autocontrast": autocontrast,
    "equalise": equalise,
    "invert": lambda images, _: 1 - images,
}


def _whole(x: Tensor) -> Tensor:
    """The whole number below x, where x itself may be one that was rounded."""
    return (x + 1e-4).floor()


def _alike(names: str, amount: Amount) -> dict[str, Amount]:
    return dict.fromkeys(names.split(), amount)


ENHANCERS = "brightness colour contrast sharpness"
PLAIN = _alike("autocontrast equalise identity", lambda d: d.strength)
SHEARS = _alike("shear_x shear_y", lambda d: 0.3 * d.strength * d.sign)
SHIFTS = "translate_x translate_y"
WHOLE_ROTATION: dict[str, Amount] = {"rotate": lambda d: _whole(30 * d.strength) * d.sign}
SOLARISED: dict[str, Amount] = {"solarise": lambda d: (256 - _whole(256 * d.strength)) / 255}

# The operations of each style, and what amount a strength means.
TABLES: dict[str, dict[str, Amount]] = {
    "torchvision": {
        **PLAIN, **SHEARS, **_alike(SHIFTS, lambda d: _whole(150 / 331 * d.side * d.strength) * d.sign),
        **_alike(ENHANCERS, lambda d: 1 + 0.9 * d.strength * d.sign),
        "rotate": lambda d: 30 * d.strength * d.sign,
        "posterise": lambda d: 8 - (4 * d.strength).round(),
        "solarise": lambda d: 1 - d.strength,
    },
    "fixmatch": {  # kekmodel/FixMatch-pytorch
        **PLAIN, **SHEARS, **_alike(SHIFTS, lambda d: _whole(0.3 * d.side * d.strength) * d.sign),
        **_alike(ENHANCERS, lambda d: 0.05 + 0.9 * d.strength),
        **WHOLE_ROTATION, **SOLARISED, "posterise": lambda d: 4 + _whole(4 * d.strength),
    },
    "torchssl": {  # TorchSSL/TorchSSL
        **PLAIN, **SHEARS, **_alike(SHIFTS, lambda d: 0.3 * d.side * d.strength * d.sign),
        **_alike(ENHANCERS, lambda d: 0.05 + 0.9 * d.strength),
        "rotate": lambda d: 30 * d.strength * d.sign,
        "posterise": lambda d: 4 + (4 * d.strength).floor(),
        "solarise": lambda d: 256 / 255 * d.strength,
    },
    "uda": {  # google-research/uda
        **_alike("autocontrast equalise invert", lambda d: d.strength),
        **SHEARS, **_alike(SHIFTS, lambda d: _whole(10 * d.strength) * d.sign),
        **_alike(ENHANCERS, lambda d: 0.1 + 1.8 * d.strength),
        **WHOLE_ROTATION, **SOLARISED, "posterise": lambda d: 4 - _whole(4 * d.strength),
        "cutout": lambda d: _whole(20 * d.strength),
    },
}  # fmt: skip
