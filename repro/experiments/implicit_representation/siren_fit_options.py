"""Options of the stage `siren_fit`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from repro.experiments.implicit_representation.siren_training import SirenTrainingOptions
from repro.options import Collection, Field, PositiveInt


class SirenFitOptions(SirenTrainingOptions):
    splits: ClassVar[tuple[str, ...]] = ("train",)
    side: Annotated[int, Field(ge=8)] = 256
    """The side of the image in pixels."""
    steps: PositiveInt = 500
    """The steps of training, each on all pixels."""
    against: Annotated[tuple[Literal["relu", "tanh", "relu_pe"], ...], Field(min_length=1)] = (
        "relu",
        "tanh",
        "relu_pe",
    )
    """The networks that the SIREN is held against."""

    @property
    def metrics(self) -> Collection[str]:
        return [*(f"{net}_psnr" for net in ("siren", *self.against)), "psnr_gap"]
