"""No network: the pixels themselves, the simplest baseline."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from repro.networks.pixels_options import PixelsOptions


class Pixels(nn.Flatten):
    """images (n, C, H, W) -> their values (n, C · H · W)."""

    Options = PixelsOptions

    def __init__(self, options: Any, shape: tuple[int, ...]):
        super().__init__()
        self.dim = math.prod(shape)
