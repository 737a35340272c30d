"""Options of the stage `knn`."""

from __future__ import annotations

from typing import ClassVar, Literal

from repro.options import NetworkOf, PositiveFloat, PositiveInt, StageOptions


class KNNOptions(StageOptions):
    divides: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = ("top1", "top5")
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    labelled: ClassVar[tuple[str, ...]] = splits
    of: NetworkOf
    """The stage whose features are evaluated."""
    k: PositiveInt = 200
    """The number of neighbours that vote."""
    temperature: PositiveFloat = 0.1
    """T of a vote's weight, exp(cosine / T)."""
    features: Literal["encoder", "head"] | None = None
    """Whether the features are the encoder's or what the head makes of them (default: the encoder's)."""
