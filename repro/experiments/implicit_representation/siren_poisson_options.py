"""Options of the stage `siren_poisson`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from repro.experiments.implicit_representation.siren_training import SirenTrainingOptions
from repro.options import Collection, Field, PositiveFloat, PositiveInt


class SirenPoissonOptions(SirenTrainingOptions):
    splits: ClassVar[tuple[str, ...]] = ("train",)
    side: Annotated[int, Field(ge=8)] = 128
    """The side of the image in pixels."""
    supervise: Literal["gradient", "laplacian"] = "gradient"
    """The derivative that is fitted."""
    amplify: PositiveFloat = 1.0
    """A factor on the image."""
    steps: PositiveInt = 1000
    """The steps of training, each on all pixels."""
    against: tuple[Literal["relu", "tanh", "relu_pe"], ...] = ("tanh", "relu_pe")
    """The networks that the SIREN is held against."""

    @property
    def metrics(self) -> Collection[str]:
        kinds = ("psnr", "field_psnr")
        return ["spectral_psnr", *(f"{net}_{kind}" for net in ("siren", *self.against) for kind in kinds)]
