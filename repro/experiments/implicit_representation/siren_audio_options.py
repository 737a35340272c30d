"""Options of the stage `siren_audio`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from repro.experiments.implicit_representation.siren_training import SirenTrainingOptions
from repro.options import Collection, Field, PositiveFloat, PositiveInt


class SirenAudioOptions(SirenTrainingOptions):
    precision: ClassVar[str | None] = "fp64"
    clip: Literal["bach", "counting", "synthetic"]
    """The clip of sound."""
    samples: Annotated[int, Field(ge=16)] | None = None
    """The length of the stretch that is fitted, in samples (default: the whole clip)."""
    span: PositiveFloat = 100.0
    """The clip spans [−span, span] in the network's coordinate."""
    steps: PositiveInt = 9001
    """The steps of training."""
    against: tuple[Literal["relu", "tanh", "relu_pe"], ...] = ("relu", "relu_pe")
    """The networks that the SIREN is held against."""

    @property
    def metrics(self) -> Collection[str]:
        return [*(f"{net}_mse" for net in ("siren", *self.against)), "silence_mse", "siren_snr"]
