"""Options of the stage `siren_audio`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from repro.options import Collection, Field, Optimizer, PositiveFloat, PositiveInt, StageOptions


class SirenAudioOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    trains: ClassVar[bool] = True
    clip: Literal["bach", "counting", "synthetic"]
    samples: Annotated[int, Field(ge=16)] | None = None
    span: PositiveFloat = 100.0
    steps: PositiveInt = 9001
    optimizer: Optimizer = Optimizer(name="adam", lr=1e-4)
    width: PositiveInt = 256
    hidden: PositiveInt = 3
    omega: PositiveFloat = 30.0
    against: tuple[Literal["relu", "tanh", "relu_pe"], ...] = ("relu", "relu_pe")

    @property
    def metrics(self) -> Collection[str]:
        return [*(f"{net}_mse" for net in ("siren", *self.against)), "silence_mse", "siren_snr"]
