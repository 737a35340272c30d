"""The schedule `arc`."""

from __future__ import annotations

import math

from repro.engine.schedules.arc_options import ArcOptions
from repro.engine.schedules.base import Curve


class Arc(Curve):
    """The cosine of an angle that grows from 0 to `angle` · π: 7/16 in Sohn et al. 2020 (arXiv 2001.07685)."""

    Options = ArcOptions

    def __call__(self, at: float, begin: float, length: float) -> float:
        return math.cos(math.pi * self.options.angle * self.done(at, begin, length))
