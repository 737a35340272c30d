"""Options of the stage `radioactive_features`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Collection, Field, NetworkOf, PositiveFloat, PositiveInt, StageOptions


class RadioactiveFeaturesOptions(StageOptions):
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    of: NetworkOf
    percent: Annotated[tuple[Annotated[int, Field(ge=1, le=100)], ...], Field(min_length=1)]
    strength: PositiveFloat = 1.0
    repeats: PositiveInt = 20
    null_repeats: PositiveInt = 20_000
    C: PositiveFloat = 1.0
    iterations: PositiveInt = 1000

    @property
    def metrics(self) -> Collection[str]:
        kinds, shares = ("log10_p", "cosine", "power", "top1"), (0, *self.percent)
        return ["false_positives", *(f"{kind}_{share}" for kind in kinds for share in shares)]
