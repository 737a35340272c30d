"""Options of the stage `nce_ica`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Collection, Field, PositiveFloat, PositiveInt, StageOptions


class NceIcaOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"

    dim: Annotated[int, Field(ge=2)] = 4
    """n, the number of sources and of mixtures."""
    samples: Annotated[tuple[PositiveInt, ...], Field(min_length=2)]
    """T, the numbers of samples for which the error is measured."""
    ratios: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (1,)
    """ν, the numbers of noise samples for each sample of data."""
    repeats: PositiveInt = 50
    """The number of random mixings over which errors are averaged."""
    starts: PositiveInt = 2
    """The random rotations from which each fit starts; the best objective counts."""
    condition: PositiveFloat = 10.0
    """The largest condition number of a mixing."""

    @property
    def metrics(self) -> Collection[str]:
        at_ratio = [f"{what}_nu{ratio}" for what in ("mixing", "c") for ratio in self.ratios]
        return ["b_slope", "c_slope", "mixing_ml", *at_ratio]
