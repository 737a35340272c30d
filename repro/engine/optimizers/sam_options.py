"""Options of sharpness-aware minimisation."""

from __future__ import annotations

from pydantic import PositiveFloat

from repro.options import Optimizer


class SAMOptions(Optimizer):
    radius: PositiveFloat = 0.05
    """How far the weights are moved towards a higher loss (ρ)."""
