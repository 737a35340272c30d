"""Options of the slice `label_noise`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from repro.options.base import Probability
from repro.options.data import SliceOptions


class LabelNoiseOptions(SliceOptions):
    main: ClassVar[str | None] = "rate"

    kind: Literal["symmetric", "other", "pair", "cifar10"] = "symmetric"
    """To which label one is changed: to any class, to any other one, to the next one, or as CIFAR-10's pairs."""
    rate: Probability
    """Share of samples whose label is drawn anew (symmetric: it may come out as it was)."""
    copies: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Instead of changing labels: copies of each sample that are added with labels that are drawn (α)."""

    def rows(self, samples: int, classes: int) -> int:
        return samples * (1 + (self.copies or 0))
