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
    samples: PositiveInt = 3000
    dim: PositiveInt = 50
    latents: Annotated[int, Field(ge=2)] = 10
    neurons: PositiveInt = 50
    noise: NonNegativeFloat = 0.0
    keep: Probability = 0.5
    temperature: PositiveFloat = 0.05
    lr: PositiveFloat = 0.005
    batch: PositiveInt = 512
    epochs: PositiveInt = 8000
