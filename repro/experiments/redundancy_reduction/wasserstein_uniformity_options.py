"""Options of the stage `wasserstein_uniformity`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Collection, Field, PositiveFloat, PositiveInt, Probability, StageOptions


class WassersteinUniformityOptions(StageOptions):
    precision: ClassVar[str | None] = "fp32"

    points: Annotated[int, Field(ge=2)]
    """The number of embeddings."""
    dim: Annotated[int, Field(ge=2)]
    """m, the dimension of the embeddings."""
    collapse: Annotated[tuple[Probability, ...], Field(min_length=1)] = (0.0, 0.25, 0.5, 0.75, 0.9)
    """η, the shares of the coordinates that are zero."""
    copies: tuple[PositiveInt, ...] = ()
    """How many more instances, features or zeros are added in further measurements."""
    t: PositiveFloat = 2.0
    """t of the Gaussian potential in L_uniform."""

    @property
    def metrics(self) -> Collection[str]:
        changes = [f"_{how}_{c}" for how in ("instances", "features", "zeros") for c in self.copies]
        levels = [f"{metric}_{round(100 * share)}" for metric in ("w2", "lu") for share in self.collapse]
        return [f"{level}{change}" for level in levels for change in ("", *changes)]
