"""Options of the stage `radioactive_features`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Collection, Field, NetworkOf, PositiveFloat, PositiveInt, StageOptions


class RadioactiveFeaturesOptions(StageOptions):
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    of: NetworkOf
    """The stage whose features are marked."""
    percent: Annotated[tuple[Annotated[int, Field(ge=1, le=100)], ...], Field(min_length=1)]
    """The shares of each class's training images that are marked, in %."""
    strength: PositiveFloat = 1.0
    """The length of a mark, in units of the spread of a class's features."""
    repeats: PositiveInt = 20
    """The random carriers for each share."""
    null_repeats: PositiveInt = 20_000
    """The carriers that a classifier without marks is tested with."""
    C: PositiveFloat = 1.0
    """The inverse strength of the classifier's L2 penalty."""
    iterations: PositiveInt = 1000
    """The most iterations of the classifier's fit."""

    @property
    def metrics(self) -> Collection[str]:
        kinds, shares = ("log10_p", "cosine", "power", "top1"), (0, *self.percent)
        return ["false_positives", *(f"{kind}_{share}" for kind in kinds for share in shares)]
