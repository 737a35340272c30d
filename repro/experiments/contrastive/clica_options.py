"""Options of the stage `clica`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, PositiveFloat, PositiveInt, StageOptions


class ClicaOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    trains: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = ("r2", "raw_r2")
    dim: Annotated[int, Field(ge=2)] = 10
    """The dimension of the latents and of the representations."""
    spread: PositiveFloat = 1.0
    """κ, the concentration of the conditional distribution of the positive."""
    temperature: PositiveFloat = 1.0
    """τ, by which similarities are divided in InfoNCE."""
    layers: PositiveInt = 3
    """The number of layers of the mixing g."""
    draws: PositiveInt = 25_000
    """The random matrices of which each of the mixing's layers is the best conditioned."""
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (100, 500, 500, 500, 500, 100)
    """The widths of the encoder's hidden layers."""
    steps: PositiveInt = 300_003
    """The steps of training."""
    samples: Annotated[int, Field(ge=2)] = 6144
    """The pairs in each batch, drawn anew."""
    lr: PositiveFloat = 1e-4
    """The constant learning rate of Adam."""
