"""Options of the stage `grokking`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from repro.options import Field, NonNegativeInt, Optimizer, PositiveInt, StageOptions


class GrokkingOptions(StageOptions):
    precision: ClassVar[str | None] = "fp32"
    trains: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = ("train_steps", "val_steps", "delay", "train", "val", "best_val")
    operation: Literal["addition", "subtraction", "division"]
    modulus: Annotated[int, Field(ge=3)] = 97
    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    layers: PositiveInt = 2
    width: Annotated[int, Field(ge=2, multiple_of=2)] = 128
    heads: PositiveInt = 4
    batch: PositiveInt = 512
    optimizer: Optimizer = Optimizer(name="adamw", lr=1e-3, betas=(0.9, 0.98), weight_decay=1.0)
    warmup: NonNegativeInt = 10
    steps: PositiveInt = 100_000
    every: PositiveInt = 50
