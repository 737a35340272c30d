"""Options of the stage `siren_fit`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from repro.options import Collection, Field, Optimizer, PositiveFloat, PositiveInt, StageOptions


class SirenFitOptions(StageOptions):
    precision: ClassVar[str | None] = "fp32"
    trains: ClassVar[bool] = True
    splits: ClassVar[tuple[str, ...]] = ("train",)
    side: Annotated[int, Field(ge=8)] = 256
    steps: PositiveInt = 500
    optimizer: Optimizer = Optimizer(name="adam", lr=1e-4)
    width: PositiveInt = 256
    hidden: PositiveInt = 3
    omega: PositiveFloat = 30.0
    against: Annotated[tuple[Literal["relu", "tanh", "relu_pe"], ...], Field(min_length=1)] = (
        "relu",
        "tanh",
        "relu_pe",
    )

    @property
    def metrics(self) -> Collection[str]:
        return [*(f"{net}_psnr" for net in ("siren", *self.against)), "psnr_gap"]
