"""Options of the stage `sparse_coding_landscape`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from repro.options import Field, NonNegativeFloat, PositiveFloat, PositiveInt, Probability, StageOptions


class SparseCodingLandscapeOptions(StageOptions):
    precision: ClassVar[str | None] = "fp32"
    trains: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = (
        "max_cosine",
        "median_cosine",
        "min_cosine",
        "start_cosine",
        "alignment",
        "similarity",
    )
    loss: Literal["infonce", "alignment"] = "infonce"
    """InfoNCE, or the alignment of positives alone."""
    samples: PositiveInt = 3000
    """The number of samples."""
    dim: PositiveInt = 50
    """The dimension of a sample."""
    latents: Annotated[int, Field(ge=2)] = 10
    """The number of columns of the dictionary M."""
    neurons: PositiveInt = 50
    """The number of units of the layer."""
    noise: NonNegativeFloat = 0.0
    """The standard deviation of the noise on a sample."""
    keep: Probability = 0.5
    """The probability that a mask keeps an entry."""
    temperature: PositiveFloat = 0.05
    """τ, by which cosines are divided in InfoNCE."""
    lr: PositiveFloat = 0.005
    """The constant learning rate of SGD."""
    batch: PositiveInt = 512
    """The samples in each batch."""
    epochs: PositiveInt = 8000
    """The passes over the samples."""
