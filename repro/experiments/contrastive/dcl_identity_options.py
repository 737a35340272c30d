"""Options of the stage `dcl_identity`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, NonNegativeFloat, PositiveFloat, PositiveInt, StageOptions


class DclIdentityOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    metrics: ClassVar[tuple[str, ...]] = ("infonce_error", "dcl_error", "coupling", "loss_error")
    samples: Annotated[int, Field(ge=2)] = 64
    """N, the samples in the batch, of two views each."""
    dim: PositiveInt = 128
    """The dimension of the embeddings."""
    temperature: PositiveFloat = 0.1
    """τ, by which cosines are divided."""
    noise: NonNegativeFloat = 0.5
    """The length of the random vector that is added to a view to make the second one."""
