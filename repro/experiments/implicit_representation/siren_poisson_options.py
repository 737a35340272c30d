"""Options of the stage `siren_poisson`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from repro.options import Collection, Field, Optimizer, PositiveFloat, PositiveInt, StageOptions


class SirenPoissonOptions(StageOptions):
    precision: ClassVar[str | None] = "fp32"
    trains: ClassVar[bool] = True
    splits: ClassVar[tuple[str, ...]] = ("train",)
    side: Annotated[int, Field(ge=8)] = 128
    supervise: Literal["gradient", "laplacian"] = "gradient"
    amplify: PositiveFloat = 1.0
    steps: PositiveInt = 1000
    optimizer: Optimizer = Optimizer(name="adam", lr=1e-4)
    width: PositiveInt = 256
    hidden: PositiveInt = 3
    omega: PositiveFloat = 30.0
    against: tuple[Literal["relu", "tanh", "relu_pe"], ...] = ("tanh", "relu_pe")

    @property
    def metrics(self) -> Collection[str]:
        kinds = ("psnr", "field_psnr")
        return ["spectral_psnr", *(f"{net}_{kind}" for net in ("siren", *self.against) for kind in kinds)]
