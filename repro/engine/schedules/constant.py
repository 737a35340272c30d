"""The schedule `constant`."""

from __future__ import annotations

from repro.engine.schedules.base import Curve
from repro.engine.schedules.constant_options import ConstantOptions


class Constant(Curve):
    """A rate that stays."""

    Options = ConstantOptions

    def __call__(self, at: float, begin: float, length: float) -> float:
        return 1.0
