"""Options of the stage `generative_discriminative`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Collection, Field, NonNegativeFloat, PositiveFloat, PositiveInt, StageOptions


class GenerativeDiscriminativeOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"

    classes: Annotated[int, Field(ge=2)] = 2
    """K, the number of classes."""
    features: Annotated[tuple[Annotated[int, Field(ge=2)], ...], Field(min_length=2)] = (100, 200, 400, 1000)
    """n, the dimensions for which samples are counted."""
    repeats: PositiveInt = 5
    """The repetitions over which the number of samples is averaged."""
    growth: NonNegativeFloat = 0.0
    """The least relative growth of the number of samples from one trial to the next."""
    error: Annotated[PositiveFloat, Field(lt=1)] = 0.01
    """The test error, a share, that is good enough."""

    @property
    def metrics(self) -> Collection[str]:
        return [f"{model}_{n}" for model in ("nb", "lr") for n in (*self.features, "slope")]
