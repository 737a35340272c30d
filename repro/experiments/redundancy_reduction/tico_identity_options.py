"""Options of the stage `tico_identity`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import NonNegativeFloat, PositiveInt, Probability, StageOptions


class TicoIdentityOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    metrics: ClassVar[tuple[str, ...]] = ("loss_error", "gradient_error")
    samples: PositiveInt = 64
    dim: PositiveInt = 32
    batches: PositiveInt = 20
    rho: NonNegativeFloat = 8.0
    beta: Probability = 0.9
