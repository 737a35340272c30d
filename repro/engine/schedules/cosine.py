"""The schedule `cosine`."""

from __future__ import annotations

import math

from repro.engine.schedules.base import Curve
from repro.engine.schedules.cosine_options import CosineOptions


class Cosine(Curve):
    """Half a cosine from 1 to `end`, Loshchilov and Hutter 2017 (arXiv 1608.03983), eq. 5."""

    Options = CosineOptions

    def __call__(self, at: float, begin: float, length: float) -> float:
        end = self.options.end
        return float(end + (1 - end) * (1 + math.cos(math.pi * self.done(at, begin, length))) / 2)
