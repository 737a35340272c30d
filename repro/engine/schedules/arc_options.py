"""Options of the schedule `arc`."""

from __future__ import annotations

from repro.options import Probability, Schedule


class ArcOptions(Schedule):
    angle: Probability
    """The angle at the end, as a share of π."""
