"""What a schedule of the learning rate is."""

from __future__ import annotations

from typing import Any, ClassVar

from repro.options import Schedule


class Curve:
    """The factor on the learning rate beside its warm-up."""

    Options: ClassVar[type[Schedule]] = Schedule

    def __init__(self, options: Any):
        self.options = options

    def __call__(self, at: float, begin: float, length: float) -> float:
        """The factor `at` epochs into a run of `length`, for a curve that begins after `begin` of them."""
        raise NotImplementedError

    @staticmethod
    def done(at: float, begin: float, length: float) -> float:
        """The share of the curve that is behind."""
        return (at - begin) / max(length - begin, 1)
