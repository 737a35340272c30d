"""Options of the stage `imbalanced_contrast`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, Optimizer, OptimizerSpec, PositiveFloat, PositiveInt, StageOptions


class ImbalancedContrastOptions(StageOptions):
    precision: ClassVar[str | None] = "fp32"
    trains: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = (
        "frame_plain",
        "frame_relu",
        "spread_plain",
        "spread_relu",
        "top1_plain",
        "top1_relu",
    )
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    per_class: Annotated[int, Field(ge=2)] = 500
    """The images of each of the larger classes."""
    ratio: PositiveInt = 10
    """How many times fewer images the smaller classes have."""
    batch: PositiveInt = 250
    """The images that are drawn for each batch."""
    bind: bool = True
    """Whether one fixed image of each class is added to every batch (batch-binding, section 5)."""
    steps: PositiveInt = 600
    """The steps of training."""
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (256, 256)
    """The widths of the hidden layers."""
    dim: PositiveInt = 128
    """The dimension of the embeddings."""
    temperature: PositiveFloat = 0.1
    """τ, by which cosines are divided."""
    optimizer: OptimizerSpec = Optimizer(lr=0.1, momentum=0.9)
    """The update rule."""
