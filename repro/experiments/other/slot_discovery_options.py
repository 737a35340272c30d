"""Options of the stage `slot_discovery`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, PositiveFloat, PositiveInt, StageOptions


class SlotDiscoveryOptions(StageOptions):
    precision: ClassVar[str | None] = "fp32"
    trains: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = ("ari", "colour_ari", "mse", "asymmetry")
    side: Annotated[int, Field(ge=8)] = 35
    cell: PositiveInt = 5
    scenes: PositiveInt = 60_000
    test_scenes: PositiveInt = 320
    slots: Annotated[int, Field(ge=2, le=7)] = 4
    size: PositiveInt = 64
    iterations: PositiveInt = 3
    width: PositiveInt = 32
    kernel: PositiveInt = 5
    batch: PositiveInt = 64
    steps: PositiveInt = 500_000
    lr: PositiveFloat = 4e-4
    warmup: PositiveInt = 10_000
    half_life: PositiveFloat = 100_000
