"""The schedule `exponential`."""

from __future__ import annotations

from repro.engine.schedules.base import Curve
from repro.engine.schedules.exponential_options import ExponentialOptions


class Exponential(Curve):
    """From 1 to `end`, by the same share each epoch."""

    Options = ExponentialOptions

    def __call__(self, at: float, begin: float, length: float) -> float:
        return float(self.options.end ** self.done(at, begin, length))
