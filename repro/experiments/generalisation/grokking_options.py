"""Options of the stage `grokking`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from repro.options import Field, NonNegativeInt, Optimizer, OptimizerSpec, PositiveInt, StageOptions


class GrokkingOptions(StageOptions):
    precision: ClassVar[str | None] = "fp32"
    trains: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = ("train_steps", "val_steps", "delay", "train", "val", "best_val")
    operation: Literal["addition", "subtraction", "division"]
    """The binary operation, modulo `modulus`."""
    modulus: Annotated[int, Field(ge=3)] = 97
    """p, the number of elements."""
    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """The share of all equations that is trained on."""
    layers: PositiveInt = 2
    """The number of layers of the transformer."""
    width: Annotated[int, Field(ge=2, multiple_of=2)] = 128
    """The width of the transformer."""
    heads: PositiveInt = 4
    """The number of attention heads."""
    batch: PositiveInt = 512
    """The equations in each batch, or half of the training set where that is less."""
    optimizer: OptimizerSpec = Optimizer(name="adamw", lr=1e-3, betas=(0.9, 0.98), weight_decay=1.0)
    """The update rule."""
    warmup: NonNegativeInt = 10
    """The steps over which the learning rate rises linearly."""
    steps: PositiveInt = 100_000
    """The steps of training."""
    every: PositiveInt = 50
    """Accuracy is taken at multiples of so many steps."""
