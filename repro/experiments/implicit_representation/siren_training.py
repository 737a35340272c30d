"""The options that all stages share which train a SIREN and hold it against other networks."""

from __future__ import annotations

from typing import ClassVar

from repro.options import Optimizer, OptimizerSpec, PositiveFloat, PositiveInt, StageOptions


class SirenTrainingOptions(StageOptions):
    precision: ClassVar[str | None] = "fp32"
    trains: ClassVar[bool] = True

    optimizer: OptimizerSpec = Optimizer(name="adam", lr=1e-4)
    """The update rule."""
    width: PositiveInt = 256
    """The width of the networks."""
    hidden: PositiveInt = 3
    """The hidden layers after the first."""
    omega: PositiveFloat = 30.0
    """ω₀, the SIREN's factor before the sine."""
