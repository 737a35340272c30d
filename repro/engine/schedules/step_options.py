"""Options of the schedule `step`."""

from __future__ import annotations

from repro.options import Schedule


class StepOptions(Schedule):
    pass
