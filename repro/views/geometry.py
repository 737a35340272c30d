"""Crop, flip and resize as two small matrix products per sample: out = R_y @ image @ R_x^T.

The rows of a resampling matrix are the weights of Pillow's filters on the cropped image: bilinear is a triangle
that spans one pixel to each side when enlarging, bicubic Keys's kernel (1981, a = -0.5), which spans two; both
widen with the ratio when shrinking (antialiasing). Pillow rounds to 8 bits after each of the two passes, across
and then down (from version 13 on sometimes the other way round); here nothing is rounded, and what bicubic
overshoots is cut off after each pass, as there.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from repro.errors import UserError
from repro.options import Crop
from repro.views.draws import Draws

ATTEMPTS = 10  # as torchvision's RandomResizedCrop
Filter = Literal["bilinear", "bicubic"]


class Boxes(NamedTuple):
    """One box per sample, in whole pixels, each (n,) int64. It may reach over the image's edge: zeros there."""

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor


def random_resized_boxes(draws: Draws, crop: Crop, height: int, width: int) -> Boxes:
    """Boxes as torchvision's RandomResizedCrop draws them: the first of 10 attempts that fits, else centred."""
    number = draws.unit("crop", 2 * ATTEMPTS + 2)
    (smallest, largest), (narrowest, widest) = crop.scale, map(math.log, crop.ratio)
    area = height * width * (smallest + (largest - smallest) * number[:, :ATTEMPTS])
    ratio = (narrowest + (widest - narrowest) * number[:, ATTEMPTS:-2]).exp()
    w, h = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
    fits = (w > 0) & (w <= width) & (h > 0) & (h <= height)
    first = fits.int().argmax(1, keepdim=True)
    found = fits.any(1)
    fallback_h, fallback_w = _central_box(crop, height, width)
    h = torch.where(found, h.gather(1, first)[:, 0], fallback_h)
    w = torch.where(found, w.gather(1, first)[:, 0], fallback_w)
    top, left = number[:, -2:].unbind(1)
    top = torch.where(found, _offset(top, height - h), (height - h) // 2)
    left = torch.where(found, _offset(left, width - w), (width - w) // 2)
    return Boxes(top.long(), left.long(), h.long(), w.long())


def padded_boxes(draws: Draws, padding: int, height: int, width: int, size: int) -> Boxes:
    """Square boxes of `size` anywhere in the image padded with zeros, as torchvision's RandomCrop."""
    room_y, room_x = height + 2 * padding - size, width + 2 * padding - size
    if min(room_y, room_x) < 0:
        raise UserError(
            f"views: cannot crop {size}x{size} pixels from images of {height}x{width} padded by {padding}: "
            "give a larger `pad_crop` or a smaller `size`."
        )
    top, left = draws.unit("pad_crop", 2).unbind(1)
    side = torch.full_like(draws.index, size)
    return Boxes(_offset(top, room_y).long() - padding, _offset(left, room_x).long() - padding, side, side)


def whole(images: Tensor) -> Boxes:
    """The box of every image (n, C, H, W): all of it."""
    n, _, height, width = images.shape
    zero = torch.zeros(n, dtype=torch.int64, device=images.device)
    return Boxes(zero, zero, zero + height, zero + width)


def crop_resize(
    images: Tensor, boxes: Boxes, size: int, flip: Tensor | None = None, filter: Filter | None = None
) -> Tensor:
    """images (n, C, H, W) float, flip (n,) bool: mirror left and right -> (n, C, size, size), a new tensor.

    With the filter `bicubic` the images must be in 0..1.
    """
    rows = resampling(boxes.top, boxes.height, images.shape[2], size, filter=filter)
    columns = resampling(boxes.left, boxes.width, images.shape[3], size, flip, filter)
    if filter == "bicubic":
        across = (images.flatten(1, 2) @ columns.mT).clamp_(0, 1)
        return (rows[:, None] @ across.unflatten(1, images.shape[1:3])).clamp_(0, 1)
    return separable(images, rows, columns)


def resampling(
    start: Tensor,
    length: Tensor,
    source: int,
    size: int,
    flip: Tensor | None = None,
    filter: Filter | None = None,
) -> Tensor:
    """Weights (n, size, source) that resize pixels start..start+length-1 (n,) of an axis to `size` pixels."""
    out = torch.arange(size, device=start.device)
    pixel = torch.arange(source, device=start.device)
    if flip is not None:
        out = torch.where(flip[:, None], size - 1 - out, out)
    scale = (length / size)[:, None]
    centre = start[:, None] + (out + 0.5) * scale
    distance = (pixel + 0.5 - centre[..., None]).abs()
    inside = (pixel >= start[:, None]) & (pixel < (start + length)[:, None])
    distance = distance / scale.clamp_min(1)[..., None]
    weights = _cubic(distance) if filter == "bicubic" else (1 - distance).clamp_min(0)
    weights = weights * inside[:, None]
    return weights / weights.sum(2, keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)


def separable(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """images (n, C, H, W), rows (n, S, H), columns (n, T, W) -> (n, C, S, T)."""
    across = images.flatten(1, 2) @ columns.mT
    return rows[:, None] @ across.unflatten(1, images.shape[1:3])


def _cubic(x: Tensor) -> Tensor:
    """Keys's kernel (1981, IEEE Trans. ASSP 29, equation 15, a = -0.5) at distances x >= 0."""
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, 0))


def _offset(number: Tensor, room: Tensor | int) -> Tensor:
    """A whole number in 0..room from one in [0, 1); the product stays below room + 1 in float32 too."""
    return (number * (room + 1)).floor()


def _central_box(crop: Crop, height: int, width: int) -> tuple[int, int]:
    """Height and width of the largest centred box whose aspect ratio is allowed."""
    narrowest, widest = min(crop.ratio), max(crop.ratio)
    if width / height < narrowest:
        return round(width / narrowest), width
    if width / height > widest:
        return height, round(height * widest)
    return height, width
