"""Options of the schedule `constant`."""

from __future__ import annotations

from repro.options import Schedule


class ConstantOptions(Schedule):
    pass
