"""Options of the stage `wasserstein_uniformity`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Collection, Field, PositiveFloat, PositiveInt, Probability, StageOptions


class WassersteinUniformityOptions(StageOptions):
    precision: ClassVar[str | None] = "fp32"

    points: Annotated[int, Field(ge=2)]
    dim: Annotated[int, Field(ge=2)]
    collapse: Annotated[tuple[Probability, ...], Field(min_length=1)] = (0.0, 0.25, 0.5, 0.75, 0.9)
    copies: tuple[PositiveInt, ...] = ()
    t: PositiveFloat = 2.0

    @property
    def metrics(self) -> Collection[str]:
        changes = [f"_{how}_{c}" for how in ("instances", "features", "zeros") for c in self.copies]
        levels = [f"{metric}_{round(100 * share)}" for metric in ("w2", "lu") for share in self.collapse]
        return [f"{level}{change}" for level in levels for change in ("", *changes)]
