"""Views cut out of single pictures with Pillow, for images that are not in memory: crop and resize, as uint8.

The boxes are those of `repro.views.geometry`, from the same draws. Pictures are resized across and then down, each
pass rounded to 8 bits: what Pillow did in one call until version 13, which sometimes goes down first.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from repro.data.encoded import array
from repro.views.augment import One
from repro.views.draws import Draws
from repro.views.geometry import Filter

FILTERS = {
    None: Image.Resampling.BILINEAR,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


def cut(one: One, view: int, picture: Image.Image, key: int, index: int) -> np.ndarray:
    """One view of the picture of sample `index`, before flip and colour: (S, S, C) uint8.

    A view without a crop is the view for evaluation.
    """
    draws = Draws(key, view, torch.tensor([index]))
    boxes = one.boxes(draws, picture.height, picture.width)
    if boxes is None:
        return centred(one.size, one.filter, picture)
    top, left, height, width = (int(side) for side in boxes)
    part = picture.crop((left, top, left + width, top + height))
    return array(resized(part, one.size, one.size, one.filter))


def resized(picture: Image.Image, width: int, height: int, filter: Filter | None) -> Image.Image:
    """Resized with antialiasing, across and then down."""
    across = picture.resize((width, picture.height), FILTERS[filter])
    return across.resize((width, height), FILTERS[filter])


def centred(
    size: int, filter: Filter | None, picture: Image.Image, key: int = 0, index: int = 0
) -> np.ndarray:
    """The view for evaluation, (S, S, C) uint8: the shorter side becomes S · 256 / 224, then the centre is cut out.

    As torchvision's Resize and CenterCrop do it; 224 of 256 pixels are usual since Krizhevsky et al. 2012.
    """
    shorter = size * 256 // 224
    least = min(picture.size)
    width, height = (shorter if side == least else shorter * side // least for side in picture.size)
    whole = resized(picture, width, height, filter)
    left, top = round((width - size) / 2), round((height - size) / 2)
    return array(whole.crop((left, top, left + size, top + size)))
