"""Options of the stage `preference_landscape`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import PositiveFloat, StageOptions


class PreferenceLandscapeOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    metrics: ClassVar[tuple[str, ...]] = (
        "minima",
        "maxima",
        "minimum_at",
        "maximum_at",
        "minimum",
        "maximum",
        "at_zero",
        "left_error",
        "right_error",
    )
    beta: PositiveFloat = 0.05
    """β, which multiplies the difference ρ of the log ratios."""
    tau: PositiveFloat = 0.05
    """τ, the temperature of the modulation σ(β ρ / τ)."""
    span: PositiveFloat = 40.0
    """The largest |ρ| that is searched."""
