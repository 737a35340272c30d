"""The schedule `step`."""

from __future__ import annotations

from repro.engine.schedules.base import Curve
from repro.engine.schedules.step_options import StepOptions


class Step(Curve):
    """Times `gamma` after each epoch of `milestones`."""

    Options = StepOptions

    def __call__(self, at: float, begin: float, length: float) -> float:
        o = self.options
        passed = at - o.count_from if o.per == "epoch" else at
        return float(o.gamma ** sum(passed >= m for m in o.milestones))
