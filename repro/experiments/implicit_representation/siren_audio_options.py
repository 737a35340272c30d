"""Options of the stage `siren_audio`."""

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


class SirenAudioOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    trains: ClassVar[bool] = True
    clip: Literal["bach", "counting", "synthetic"]
    """The clip of sound."""
    samples: Annotated[int, Field(ge=16)] | None = None
    """The length of the stretch that is fitted, in samples (default: the whole clip)."""
    span: PositiveFloat = 100.0
    """The clip spans [−span, span] in the network's coordinate."""
    steps: PositiveInt = 9001
    """The steps of training."""
    optimizer: OptimizerSpec = Optimizer(name="adam", lr=1e-4)
    """The update rule."""
    width: PositiveInt = 256
    """The width of the networks."""
    hidden: PositiveInt = 3
    """The hidden layers after the first."""
    omega: PositiveFloat = 30.0
    """ω₀, the SIREN's factor before the sine."""
    against: tuple[Literal["relu", "tanh", "relu_pe"], ...] = ("relu", "relu_pe")
    """The networks that the SIREN is held against."""

    @property
    def metrics(self) -> Collection[str]:
        return [*(f"{net}_mse" for net in ("siren", *self.against)), "silence_mse", "siren_snr"]
