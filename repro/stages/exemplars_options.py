"""Options of the stage `exemplars`."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from repro.options import Collection, IndexOf, NetworkOf, PositiveInt
from repro.options.choosing import ChoosingOptions


class ExemplarsOptions(ChoosingOptions):
    metrics: ClassVar[tuple[str, ...]] = ("rows", "distance")

    of: NetworkOf
    """The stage whose encoder gives the features."""
    per_class: PositiveInt | None = None
    """Exemplars of each class."""
    total: PositiveInt | None = None
    """K, exemplars in all, of which each class met so far has an equal share."""
    choose: Literal["herding", "random"] = "herding"
    """How they are chosen."""
    keep: IndexOf | None = None
    """An earlier stage's exemplars, of which the first ones of each class stay."""

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if (self.per_class is None) == (self.total is None):
            raise ValueError("needs how many, as `per_class` or as `total`")
        return self

    @property
    def labelled(self) -> Collection[str]:
        return self.splits
