"""What stages that choose samples, or label them, have in common."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from repro.options.components import StageOptions
from repro.options.streams import DataOptions


class ChoosingOptions(StageOptions):
    """Options of a stage that leaves an index of rows of one split."""

    divides: ClassVar[bool] = True
    leaves: ClassVar[tuple[str, ...]] = ("index",)

    data: DataOptions | None = None
    """The samples to choose from (default: the split `train`); the index is one of rows of the whole split."""

    @property
    def split(self) -> str:
        return (self.data and self.data.split) or "train"

    @property
    def splits(self) -> Collection[str]:
        return () if self.data and self.data.set else (self.split,)
