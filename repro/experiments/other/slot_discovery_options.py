"""Options of the stage `slot_discovery`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, PositiveFloat, PositiveInt, StageOptions


class SlotDiscoveryOptions(StageOptions):
    precision: ClassVar[str | None] = "fp32"
    trains: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = ("ari", "colour_ari", "mse", "asymmetry")
    side: Annotated[int, Field(ge=8)] = 35
    """The side of a scene in pixels."""
    cell: PositiveInt = 5
    """The side in pixels of each of a tetromino's four squares."""
    scenes: PositiveInt = 60_000
    """The scenes of the training."""
    test_scenes: PositiveInt = 320
    """The scenes of the test."""
    slots: Annotated[int, Field(ge=2, le=7)] = 4
    """K, the number of slots."""
    size: PositiveInt = 64
    """The dimension of a slot."""
    iterations: PositiveInt = 3
    """T, the iterations of Slot Attention."""
    width: PositiveInt = 32
    """The channels of the convolutions."""
    kernel: PositiveInt = 5
    """The side of their kernels in pixels."""
    batch: PositiveInt = 64
    """The scenes in each batch."""
    steps: PositiveInt = 500_000
    """The steps of training."""
    lr: PositiveFloat = 4e-4
    """The largest learning rate of Adam."""
    warmup: PositiveInt = 10_000
    """The steps over which it rises linearly."""
    half_life: PositiveFloat = 100_000
    """The steps in which it halves."""
