"""Options of the stage `siren_helmholtz`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from repro.options import Collection, Field, Optimizer, PositiveFloat, PositiveInt, StageOptions


class SirenHelmholtzOptions(StageOptions):
    precision: ClassVar[str | None] = "fp32"
    trains: ClassVar[bool] = True
    wavenumber: PositiveFloat = 20.0
    variance: PositiveFloat = 1e-4
    points: PositiveInt = 52900
    source_points: PositiveInt = 100
    steps: PositiveInt = 50000
    optimizer: Optimizer = Optimizer(name="adam", lr=2e-5)
    width: PositiveInt = 256
    hidden: PositiveInt = 3
    omega: PositiveFloat = 30.0
    against: Annotated[tuple[Literal["relu", "tanh"], ...], Field(min_length=1)] = ("tanh",)

    @property
    def metrics(self) -> Collection[str]:
        return [f"{net}_error" for net in ("siren", *self.against)]
