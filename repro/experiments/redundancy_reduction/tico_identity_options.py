"""Options of the stage `tico_identity`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import NonNegativeFloat, PositiveInt, Probability, StageOptions


class TicoIdentityOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    metrics: ClassVar[tuple[str, ...]] = ("loss_error", "gradient_error")
    samples: PositiveInt = 64
    """The embeddings of each batch."""
    dim: PositiveInt = 32
    """The dimension of the embeddings."""
    batches: PositiveInt = 20
    """T, the number of batches."""
    rho: NonNegativeFloat = 8.0
    """ρ, the weight of the contrast with the covariance."""
    beta: Probability = 0.9
    """β, the EMA decay of the covariance matrix."""
