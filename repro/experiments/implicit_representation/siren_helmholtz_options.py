"""Options of the stage `siren_helmholtz`."""

from __future__ import annotations

from typing import Annotated, Literal

from repro.experiments.implicit_representation.siren_training import SirenTrainingOptions
from repro.options import Collection, Field, Optimizer, OptimizerSpec, PositiveFloat, PositiveInt


class SirenHelmholtzOptions(SirenTrainingOptions):
    wavenumber: PositiveFloat = 20.0
    """k, in radians per unit of length."""
    variance: PositiveFloat = 1e-4
    """The variance of the Gaussian source, in squared units of length."""
    points: PositiveInt = 52900
    """The random points of each step."""
    source_points: PositiveInt = 100
    """Those of them that lie around the source."""
    steps: PositiveInt = 50000
    """The steps of training."""
    optimizer: OptimizerSpec = Optimizer(name="adam", lr=2e-5)
    """The update rule."""
    against: Annotated[tuple[Literal["relu", "tanh"], ...], Field(min_length=1)] = ("tanh",)
    """The networks that the SIREN is held against."""

    @property
    def metrics(self) -> Collection[str]:
        return [f"{net}_error" for net in ("siren", *self.against)]
