"""Options of the stage `siren_fit`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from repro.options import (
    Collection,
    Field,
    Optimizer,
    OptimizerSpec,
    PositiveFloat,
    PositiveInt,
    StageOptions,
)


class SirenFitOptions(StageOptions):
    precision: ClassVar[str | None] = "fp32"
    trains: ClassVar[bool] = True
    splits: ClassVar[tuple[str, ...]] = ("train",)
    side: Annotated[int, Field(ge=8)] = 256
    """The side of the image in pixels."""
    steps: PositiveInt = 500
    """The steps of training, each on all pixels."""
    optimizer: OptimizerSpec = Optimizer(name="adam", lr=1e-4)
    """The update rule."""
    width: PositiveInt = 256
    """The width of the networks."""
    hidden: PositiveInt = 3
    """The hidden layers after the first."""
    omega: PositiveFloat = 30.0
    """ω₀, the SIREN's factor before the sine."""
    against: Annotated[tuple[Literal["relu", "tanh", "relu_pe"], ...], Field(min_length=1)] = (
        "relu",
        "tanh",
        "relu_pe",
    )
    """The networks that the SIREN is held against."""

    @property
    def metrics(self) -> Collection[str]:
        return [*(f"{net}_psnr" for net in ("siren", *self.against)), "psnr_gap"]
