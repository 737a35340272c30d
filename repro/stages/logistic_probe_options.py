"""Options of the stage `logistic_probe`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from repro.options import Field, NetworkOf, PositiveFloat, PositiveInt, StageOptions


class LogisticProbeOptions(StageOptions):
    divides: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = ("top1", "top5")
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    labelled: ClassVar[tuple[str, ...]] = splits
    of: NetworkOf
    """The stage whose encoder is evaluated."""
    C: PositiveFloat | Annotated[tuple[PositiveFloat, ...], Field(min_length=1)]
    """The inverse strength of the L2 penalty; of several, the best on a held-out tenth of the training split."""
    features: Literal["standardised", "unit"] = "standardised"
    """Whether features are brought to mean 0 and variance 1, or to unit length."""
    iterations: PositiveInt = 1000
    """The most iterations of L-BFGS."""
